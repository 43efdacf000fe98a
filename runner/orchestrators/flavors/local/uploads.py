"""Logs of steps on their way to a ledger that is not on this machine, while the steps run and when they were killed.

An attempt that comes to its own end has put its whole log into the ledger before it says so.
"""

from __future__ import annotations

import contextlib
import time
from threading import Lock, Thread

from runner.errors import StateError
from runner.orchestrators.base import LedgerLike

TICK = 10.0
"""Seconds between two uploads of a log that grows."""
RATE = 4_000_000
"""Bytes of a log for which the next upload waits a second longer: each sends the whole of it."""

Attempt = tuple[str, int]


class Growing:
    """A log that is being written: a file of this machine, and how much of it is in the ledger."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.next = time.monotonic() + TICK
        self.sent = 0
        self.lock = Lock()  # held while it is sent


class Uploads:
    """The logs of one run's attempts."""

    def __init__(self, ledger: LedgerLike, run_id: str) -> None:
        self.ledger = ledger
        self.run_id = run_id
        self.logs: dict[Attempt, Growing] = {}

    def begin(self, step: str, attempt: int, path: str) -> None:
        """An attempt prints into this file from now on."""
        self.logs[step, attempt] = Growing(path)

    def look(self) -> None:
        """Send what has grown, when it is time to; returns at once."""
        now = time.monotonic()
        for attempt, log in self.logs.items():
            if now >= log.next and not log.lock.locked():
                log.next = now + TICK
                Thread(target=self._send, args=(attempt, log), daemon=True).start()

    def end(self, step: str, attempt: int, kept: bool) -> None:
        """The attempt is over; `kept` when it has put its log into the ledger itself."""
        log = self.logs.pop((step, attempt), None)
        if log is None:
            return
        overtaken = log.lock.locked()  # by an upload of less, which may arrive after the whole
        if not kept or overtaken:
            self._send((step, attempt), log, whole=overtaken)

    def _send(self, attempt: Attempt, log: Growing, whole: bool = False) -> None:
        with log.lock, contextlib.suppress(OSError, StateError):  # a log that cannot be kept is no reason to fail
            with open(log.path, "rb") as file:
                data = file.read()
            if len(data) > log.sent or whole:
                self.ledger.put_log(self.run_id, *attempt, data.decode("utf-8", "replace"))
                log.sent = len(data)
                log.next = time.monotonic() + TICK + len(data) / RATE

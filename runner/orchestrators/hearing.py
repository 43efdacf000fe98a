"""Word of attempts that have left their results, by datagrams: sooner than an engine notices that a process is over.

A datagram is a hint and nothing else: who hears one looks into the ledger, and what is not heard the engine tells. So
nothing is lost where a network keeps them, and nothing won by who makes them up.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

MOST = 4096  # bytes of a datagram
DIGITS = 10  # that no attempt's number has


class Hearing:
    """A port at this address, and a thread that calls `tell("heard", (step, attempt))` for what comes to it.

    `mark` tells runs apart: addresses are given to one process after another.
    """

    def __init__(self, host: str, mark: str, tell: Callable[..., None]) -> None:
        self.mark = mark
        self.tell = tell
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.address = (host, int(self.socket.getsockname()[1]), mark)
        self.thread = threading.Thread(target=self._hear, daemon=True, name="runner-hearing")
        self.thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError), socket.socket(self.socket.family, socket.SOCK_DGRAM) as own:
            own.sendto(b"", self.address[:2])  # wakes it up
        self.thread.join(1.0)
        self.socket.close()

    def _hear(self) -> None:
        while data := self._next():
            mark, _, rest = data.partition("\n")
            step, _, attempt = rest.partition("\n")
            if mark == self.mark and attempt.isdecimal() and len(attempt) < DIGITS:
                self.tell("heard", (step, int(attempt)))

    def _next(self) -> str:
        try:
            return self.socket.recv(MOST).decode("utf-8", "replace")
        except OSError:
            return ""

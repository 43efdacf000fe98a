"""Who walks a run, for all machines that share its artifact store: one process at a time.

A folder has locks of its own: there a file beside the run's records is held, and its kernel knows who lives. A bucket
has none: there each walk of a run takes the next free number, which of two takers one gets, and says under it every few
seconds that it still goes. A walk that was silent for too long is dead, and whoever takes the next number has the run;
the dead one, should it wake up, finds that number before it does anything else, and stops.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from runner.artifact_store.ledger import Ledger
from runner.engine.lock import holding, is_held, still_going, walking
from runner.errors import StateError
from runner.records import Event


class Pace(NamedTuple):
    """Seconds: between two signs of life; of silence that mean death; that two machines' clocks may differ."""

    beat: float = 10.0
    silence: float = 60.0
    skew: float = 600.0


PACE = Pace()
TICK = 2.0  # seconds between two looks whether whoever has a run has let go of it
IsGone = Callable[[str], bool]


class LeaseLost(StateError):
    """Another machine has taken the run over while this one was silent."""


class Walker(NamedTuple):
    """Who walks a run, or walked it last, and how many seconds ago it said so, where it says that at all."""

    alive: bool
    host: str = ""
    pid: int = 0
    silent: float = float("inf")

    def __str__(self) -> str:
        return f"process {self.pid} on '{self.host}'" if self.host else "another process of this machine"


class Lease:
    """A run held by this process. In a bucket it is kept up by `refresh`, which a thread calls."""

    def __init__(self, ledger: Ledger, run_id: str, number: int, pace: Pace) -> None:
        self.ledger = ledger
        self.run_id = run_id
        self.number = number
        self.pace = pace
        self.lost = False
        self.heard = time.monotonic()

    def check(self) -> None:
        """Raise LeaseLost when the run is another machine's by now."""
        if self.lost:
            raise LeaseLost(
                f"run '{self.run_id}' is no longer this machine's: the artifact store did not hear of it for too long",
                f"see who goes on with it: runner runs show {self.run_id}",
            )

    def refresh(self) -> None:
        """Say that it still goes, unless somebody has the next number."""
        try:
            if self.ledger.has_walk(self.run_id, self.number + 1):
                self.lost = True
            if not self.lost:
                self.ledger.write_walk(self.run_id, self.number, _words())
                self.heard = time.monotonic()
        except Exception:  # out of reach, whatever the reason: perhaps no longer at the next beat
            self.lost = self.lost or time.monotonic() - self.heard > self.pace.silence

    def release(self) -> None:
        """Say that it goes no more; without it others find out by the silence."""
        with contextlib.suppress(StateError):
            if not self.lost and self.ledger.has_walk(self.run_id, self.number):  # not after the run was deleted
                self.ledger.write_walk(self.run_id, self.number, _words() | {"released": True})


class HeldLedger(Ledger):
    """The ledger of a run that is leased: who asks it whether to stop is stopped when the lease is lost.

    `begun` are the attempts that are on record as started, step → number. A bucket may have no trace of them yet, and
    their numbers are not for others: who carries them may still write.
    """

    def __init__(self, ledger: Ledger, lease: Lease) -> None:
        super().__init__(ledger.store)
        self.lease = lease
        self.begun: dict[str, int] = {}

    def attempts(self, run_id: str, step: str) -> list[int]:
        return sorted({*super().attempts(run_id, step), *([self.begun[step]] if self.begun.get(step) else [])})

    def cancel_requested(self, run_id: str) -> bool:
        self.lease.check()
        return super().cancel_requested(run_id)

    def write_events(self, run_id: str, events: Iterable[Event] | str) -> None:
        if self.has_walk(run_id, self.lease.number + 1):  # asked right now: who wakes up writes before the next beat
            self.lease.lost = True
        self.lease.check()
        super().write_events(run_id, events)


@contextlib.contextmanager
def held(
    state: Path | None,
    ledger: Ledger,
    run_id: str,
    pace: Pace | None = None,
    *,
    is_gone: IsGone = lambda host: False,
    patience: float = 0.0,
) -> Iterator[Ledger]:
    """Hold a run for this process, on this machine (`state` is the project's folder for it, None where there is none)
    and for all that share the artifact store. Gives the ledger to walk it with.

    `is_gone(host)` may know that a silent walker is dead. Raises StateError when another process has it, in a bucket
    after so many seconds of `patience`.
    """
    with contextlib.ExitStack() as stack:
        if state is not None:
            stack.enter_context(walking(state, run_id))
        if ledger.remote:
            lease = stack.enter_context(_leased(ledger, run_id, pace or PACE, is_gone, patience))
            yield HeldLedger(ledger, lease)
            return
        if lock := ledger.walk_lock(run_id):
            where = str(ledger.settings.get("path", ""))
            stack.enter_context(holding(Path(lock), run_id, f"the artifact store '{where}'", Path(where)))
        yield ledger


def check(ledger: Ledger) -> None:
    """Raise LeaseLost when the run that is walked with this ledger is another machine's by now."""
    if isinstance(ledger, HeldLedger):
        ledger.lease.check()


def walker_of(ledger: Ledger, run_id: str, pace: Pace | None = None) -> Walker | None:
    """Who walks this run, as the artifact store tells; None when nobody ever said so."""
    if not ledger.remote:
        lock = ledger.walk_lock(run_id, make=False)
        found = is_held(Path(lock)) if lock else None
        return None if found is None else Walker(found)
    walks = ledger.walks(run_id)
    lease = ledger.walk(run_id, walks[-1]) if walks else None
    if lease is None:
        return None
    silent = abs(time.time() - lease["time"])
    alive = not _is_over(lease) and silent <= (pace or PACE).silence
    return Walker(alive, lease["host"], lease["pid"], silent)


@contextlib.contextmanager
def every(seconds: float, action: Callable[[], None]) -> Iterator[None]:
    """Call this again and again, in a thread, as long as the block lasts."""
    over = threading.Event()

    def loop() -> None:
        while not over.wait(seconds):
            action()

    thread = threading.Thread(target=loop, daemon=True, name="runner-beat")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextlib.contextmanager
def _leased(ledger: Ledger, run_id: str, pace: Pace, is_gone: IsGone, patience: float) -> Iterator[Lease]:
    lease = _take(ledger, run_id, pace, is_gone, time.monotonic() + patience)
    try:
        with every(pace.beat, lease.refresh):
            yield lease
    finally:
        lease.release()


def _take(ledger: Ledger, run_id: str, pace: Pace, is_gone: IsGone, give_up: float) -> Lease:
    """The next number, as soon as nobody alive has the last one. Most runs are new: number 1 is tried unseen."""
    last = 0
    while not ledger.announce_walk(run_id, last + 1, _words()):
        last = max(ledger.walks(run_id), default=last + 1)
        while not _is_dead(ledger, run_id, last, pace, is_gone):
            if time.monotonic() >= give_up:
                raise still_going(run_id, str(walker_of(ledger, run_id, pace)))
            time.sleep(min(TICK, pace.beat))
    return Lease(ledger, run_id, last + 1, pace)


def _is_dead(ledger: Ledger, run_id: str, number: int, pace: Pace, is_gone: IsGone) -> bool:
    """Whether this walk is over.

    Silence that clocks which differ could explain is listened to for a while, so that it does not depend on them.
    """
    lease = ledger.walk(run_id, number)
    if lease is None or _is_over(lease) or is_gone(str(lease["host"])):
        return True
    silent = abs(time.time() - lease["time"])
    if silent > pace.silence + pace.skew:
        return True
    if silent <= pace.silence:
        return False
    time.sleep(2 * pace.beat)
    return ledger.walk(run_id, number) == lease


def _words() -> dict[str, Any]:
    """This process, now."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "kernel": _kernel(), "born": _born(pid), "time": time.time()}


def _is_over(lease: dict[str, Any]) -> bool:
    """Whether a walk has said its end, or was a process under this very kernel that is no more."""
    if lease.get("released"):
        return True
    here = lease.get("kernel") == _kernel() and bool(_kernel())
    return here and _born(lease["pid"]) != lease.get("born")


def _kernel() -> str:
    """What tells whether process numbers mean the same: the start of this system, and the view of its processes."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("utf-8").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return ""


def _born(pid: int) -> str:
    """When a living process was started, in the kernel's count; empty for one that is none."""
    with contextlib.suppress(OSError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    return ""

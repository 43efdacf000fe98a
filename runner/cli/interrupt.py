"""Ctrl-C during a run: the run is asked to stop and ends in order, instead of being torn apart wherever it stands."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from runner.records import Event, LogLines

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NOTICE = b"\nstopping the run; once more to leave at once\n"


def write_notice() -> None:
    """Say that the run stops. Not with print: the signal may have come in the middle of one."""
    os.write(2, NOTICE)


def interruptible(
    events: Iterator[Event | LogLines], cancel: Callable[[str], None], notice: Callable[[], None] = write_notice
) -> Iterator[Event | LogLines]:
    """The same events; from `run_started` on Ctrl-C, SIGTERM and SIGHUP call `notice()` and `cancel(run_id)`.

    The second of these signals interrupts us at once. Signals that are ignored (nohup) stay ignored. A run that its
    engine carries is not stopped: who only looks on may go.
    """
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    listened = [number for number, handler in handlers.items() if handler is not signal.SIG_IGN]
    try:
        for item in events:
            if isinstance(item, Event) and item.event == "run_started" and not item.data.get("detached"):
                _listen(listened, item.run_id, cancel, notice)
            yield item
    finally:
        for number in listened:
            signal.signal(number, handlers[number])


def _listen(
    numbers: list[signal.Signals], run_id: str, cancel: Callable[[str], None], notice: Callable[[], None]
) -> None:
    def ask(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, _interrupt)
        notice()
        cancel(run_id)

    for each in numbers:
        signal.signal(each, ask)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt

"""Signals during a run."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from runner.cli.interrupt import SIGNALS, interruptible
from runner.records import Event, LogLines


def run() -> Iterator[Event | LogLines]:
    yield Event("run_started", "r1", 0.0)
    yield Event("step_started", "r1", 0.0, "load", 1)
    yield Event("run_succeeded", "r1", 1.0)


def send(number: int) -> None:
    """Send a signal to this thread, and let it be heard: with other threads about, Python hears it at its next turn."""
    signal.raise_signal(number)
    time.sleep(0.05)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_asks_the_run_to_stop_and_lets_it_end(number: int) -> None:
    asked: list[str] = []
    events = interruptible(run(), asked.append)
    next(events)
    send(number)
    assert [event.event for event in events if isinstance(event, Event)] == ["step_started", "run_succeeded"]
    assert asked == ["r1"]


def test_the_second_signal_leaves_at_once() -> None:
    events = interruptible(run(), lambda run_id: None)
    next(events)
    send(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        send(signal.SIGTERM)
    assert [event.event for event in events if isinstance(event, Event)][-1] == "run_succeeded"


def test_afterwards_signals_do_what_they_did_before() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    list(interruptible(run(), lambda run_id: None))
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        events = interruptible(run(), lambda run_id: None)
        next(events)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        list(events)
    finally:
        signal.signal(signal.SIGHUP, before)

"""What is heard of a run, put in order: each event once, lines before the end that they belong to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from runner.orchestrators.flavors.kubernetes import watching
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings
from runner.orchestrators.flavors.kubernetes.watching import Watching, event_from, is_end, past, since_handed_over
from runner.records import Event, LogLines

HANDED = Event("run_started", "r", 1.0, data={"detached": True})
STARTED = Event("step_started", "r", 2.0, "a", 1)
SUCCEEDED = Event("step_succeeded", "r", 3.0, "a", 1)
ENDED = Event("run_succeeded", "r", 4.0)


class Logs:
    """Stands for a ledger in which each log says whose it is."""

    def log(self, run_id: str, step: str, attempt: int) -> str:
        return f"{step} {attempt}\n"

    def events(self, run_id: str) -> list[Event]:
        return [HANDED, STARTED, SUCCEEDED, ENDED]


@pytest.fixture
def heard() -> Iterator[Watching]:
    """A watching without a cluster: nothing is heard but what a test tells."""
    cluster: Any = None
    made = Watching(cluster, Logs(), "r", "job", "m", KubernetesSettings(kubernetes_context="c"))
    yield made
    made.tails.close()


def told(heard: Watching) -> list[Event | LogLines]:
    """All that comes while what was told is dealt with."""
    found: list[Event | LogLines] = []
    while heard.held:
        found += heard._released()
        found += heard._hear()
    return found


def test_a_line_of_a_controller_is_an_event_or_words() -> None:
    assert event_from(json.dumps(STARTED._asdict())) == STARTED
    assert event_from(json.dumps({**STARTED._asdict(), "newer": 1})) == STARTED
    assert event_from("error: no such bucket") is event_from('{"a": 1}') is event_from("[1]") is None


def test_what_two_tell_comes_once_and_lines_before_the_end(heard: Watching) -> None:
    for event in (HANDED, STARTED, SUCCEEDED, HANDED, STARTED, SUCCEEDED, ENDED):
        heard._take(event)
    assert told(heard) == [HANDED, STARTED, LogLines("a", 1, "a 1\n"), SUCCEEDED, ENDED]
    assert heard.ended


def test_a_start_that_is_heard_after_its_end_is_passed_over(heard: Watching) -> None:
    for event in (SUCCEEDED, STARTED._replace(time=9.0)):
        heard._take(event)
    assert told(heard) == [LogLines("a", 1, "a 1\n"), SUCCEEDED]


def test_an_end_that_was_not_heard_is_in_the_ledger(heard: Watching) -> None:
    for event in (HANDED, STARTED, ENDED):
        heard._take(event)
    assert [item for item in told(heard) if isinstance(item, Event)] == [HANDED, STARTED, SUCCEEDED, ENDED]


def test_lines_that_do_not_come_hold_nothing_up_for_ever(heard: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "SETTLE", 0.0)
    monkeypatch.setattr(heard.tails, "is_through", lambda attempt: False)
    heard._take(SUCCEEDED)
    assert told(heard) == [SUCCEEDED]


def test_the_events_of_the_last_submission() -> None:
    failed = Event("run_failed", "r", 5.0)
    again = HANDED._replace(time=6.0)
    by_another_controller = Event("run_started", "r", 7.0, data={"resumed": True})
    assert since_handed_over([HANDED, failed, again, by_another_controller]) == [again, by_another_controller]
    assert since_handed_over([STARTED]) == [STARTED]
    assert is_end([HANDED, failed]) and not is_end([HANDED, failed, again]) and not is_end([])


def test_a_run_that_has_ended_needs_no_cluster() -> None:
    lines = LogLines("a", 1, "a 1\n")
    assert list(past([HANDED, STARTED, SUCCEEDED, ENDED], Logs(), "r")) == [HANDED, STARTED, lines, SUCCEEDED, ENDED]

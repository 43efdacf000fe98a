"""What is heard of a run, put in order: each event once, lines before the end that they belong to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from runner.errors import EngineError
from runner.orchestrators.cluster_api import Refused
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


def test_a_cluster_that_never_answered_is_given_up_soon(heard: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "UNHEARD", 0.0)
    heard._on_deaf(Refused("the cluster does not answer"))
    with pytest.raises(EngineError, match="does not answer"):
        heard._look_at_the_clock()


def test_a_cluster_that_has_answered_is_waited_for(heard: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "UNHEARD", 0.0)
    heard._on_listed([], 0.0)
    heard._on_deaf(Refused("the cluster does not answer"))
    heard._look_at_the_clock()


def ended(heard: Watching, number: int, code: int, *words: str) -> None:
    """A controller that came to its end and told no event."""
    metadata = {
        "name": f"c{number}",
        "creationTimestamp": f"2026-01-01T00:00:0{number}Z",
        "ownerReferences": [{"uid": "u"}],
    }
    state = {"terminated": {"exitCode": code}}
    heard.controllers[f"c{number}"] = {"metadata": metadata, "status": {"containerStatuses": [{"state": state}]}}
    heard._on_mute(f"c{number}", list(words))


JOB = {"metadata": {"name": "job", "uid": "u"}}


def test_controllers_that_end_again_and_again_are_told_in_their_words(heard: Watching) -> None:
    heard._on_job("listed", [JOB], 0.0)
    ended(heard, 1, 5, "controller: peak memory 55 MB", "error: secret 'K' is not set", "   help: set it")
    heard._look_at_the_ends()  # once may be a bad moment
    ended(heard, 2, 5, "controller: peak memory 55 MB", "error: secret 'K' is not set", "   help: set it")
    with pytest.raises(EngineError, match=r"cannot carry it on: secret 'K' is not set$") as raised:
        heard._look_at_the_ends()
    assert raised.value.help == "set it; the Job tries again until `runner runs cancel r`"


def test_a_controller_that_ends_without_words_is_told_by_its_code(heard: Watching) -> None:
    heard._on_job("listed", [JOB], 0.0)
    ended(heard, 1, 137)
    ended(heard, 2, 137)
    with pytest.raises(EngineError, match=r"with exit code 137$"):
        heard._look_at_the_ends()


@pytest.mark.parametrize("code", [0, 143])
def test_controllers_that_leave_are_no_trouble(heard: Watching, code: int) -> None:
    heard._on_job("listed", [JOB], 0.0)
    ended(heard, 1, 5)
    ended(heard, 2, code)
    heard._look_at_the_ends()


def test_controllers_that_ended_before_the_one_that_runs_are_history(heard: Watching) -> None:
    heard._on_job("listed", [JOB], 0.0)
    for number in (1, 2, 3):
        ended(heard, number, 5)
    del heard.mute["c3"]  # it has told events
    heard._look_at_the_ends()
    heard._on_job("listed", [{"metadata": {"name": "job", "uid": "another"}}], 0.0)
    heard.mute["c3"] = []
    heard._look_at_the_ends()  # and those of a Job before say nothing of this one


def test_each_wait_of_an_attempt_is_told_once(heard: Watching) -> None:
    wait = Event("step_waiting", "r", 2.5, "a", 1, {"reason": "no room"})
    other = wait._replace(data={"reason": "no image"})
    for event in (STARTED, wait, wait._replace(time=9.0), other, SUCCEEDED, other._replace(data={"reason": "late"})):
        heard._take(event)
    assert told(heard) == [STARTED, wait, other, LogLines("a", 1, "a 1\n"), SUCCEEDED]


def test_what_a_controller_took_explains_no_end(heard: Watching) -> None:
    heard._on_said("error: no such bucket")
    heard._on_said("controller: peak memory 55 MB; requests: none")
    assert list(heard.said) == ["error: no such bucket"]


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

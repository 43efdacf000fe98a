"""Runs as folds of their events, and records that come back from JSON as they were."""

from __future__ import annotations

import json
from typing import Any

from runner.records import (
    EVENTS,
    REASONS,
    Artifact,
    Event,
    Failure,
    Frame,
    StepResult,
    StepRun,
    artifacts_to_json,
    done_event,
    failure_from,
    failure_to_json,
    fold,
    result_from,
    result_to_json,
)

ARTIFACT = Artifact("artifacts/ab/abc", "json", 3, "abc", "dict", {"a": 1})
ERROR = Failure("exception", "no", "ValueError", (Frame("steps.py", 3, "fit", "raise"),), "Traceback …")
STARTED = Event(
    "run_started", "r1", 10.0, data={"pipeline": "p", "stack": "s", "parameters": {"x": 1}, "steps": ["a", "b"]}
)


def at(time: float, event: str, step: str | None = None, attempt: int | None = None, **data: Any) -> Event:
    return Event(event, "r1", time, step, attempt, data)


def step(*events: Event) -> StepRun:
    return fold([STARTED, *events]).steps["a"]


def test_no_events_make_a_pending_run() -> None:
    run = fold([], "r1")
    assert (run.run_id, run.status, run.started, run.steps) == ("r1", "pending", None, {})


def test_a_started_run_knows_its_steps_before_they_start() -> None:
    run = fold([STARTED])
    assert (run.pipeline, run.stack, run.parameters, run.status, run.started) == ("p", "s", {"x": 1}, "running", 10.0)
    assert {name: each.status for name, each in run.steps.items()} == {"a": "pending", "b": "pending"}


def test_the_last_event_of_a_run_ends_it() -> None:
    for name in ("succeeded", "failed", "cancelled"):
        run = fold([STARTED, at(20, f"run_{name}", reason="so")])
        assert (run.status, run.ended, run.reason) == (name, 20, "so")


def test_a_resumed_run_goes_on_since_its_first_start() -> None:
    run = fold([STARTED, at(20, "run_failed", reason="so"), STARTED._replace(time=30.0)])
    assert (run.status, run.started, run.ended, run.reason) == ("running", 10.0, None, "")


def test_a_step_runs_from_its_start() -> None:
    assert step(at(11, "step_started", "a", 2)) == StepRun("a", "running", 2, 11)


def test_a_step_that_no_run_announced_is_there_too() -> None:
    assert fold([at(11, "step_started", "new")]).steps["new"].attempt == 1


def test_a_step_succeeds_with_what_it_left() -> None:
    done = at(
        15,
        "step_succeeded",
        "a",
        1,
        outputs=artifacts_to_json({"output": ARTIFACT}),
        metrics={"m": 1},
        cache_key="k",
        started=12.0,
        duration=2.5,
    )
    found = step(at(11, "step_started", "a", 1), done)
    assert (found.status, found.started, found.ended) == ("succeeded", 12.0, 14.5)
    assert (found.outputs, found.metrics, found.cache_key) == ({"output": ARTIFACT}, {"m": 1}, "k")


def test_without_a_duration_a_step_ends_with_its_event() -> None:
    found = step(at(11, "step_started", "a", 1), at(15, "step_succeeded", "a"))
    assert (found.attempt, found.started, found.ended) == (1, 11, 15)


def test_a_cached_step_says_from_where() -> None:
    found = step(at(11, "step_cached", "a", cached_from="r0"))
    assert (found.status, found.cached_from, found.started, found.ended) == ("cached", "r0", 11, 11)


def test_a_retrying_step_remembers_its_error_until_it_succeeds() -> None:
    events = [at(11, "step_started", "a", 1), at(12, "step_retrying", "a", 1, error=failure_to_json(ERROR))]
    assert (step(*events).status, step(*events).error) == ("retrying", ERROR)
    assert step(*events, at(13, "step_succeeded", "a", 2)).error is None


def test_a_failed_step_keeps_the_error_it_had() -> None:
    retrying = at(12, "step_retrying", "a", 1, error=failure_to_json(ERROR))
    assert (
        step(retrying, at(13, "step_cancelled", "a", reason="so"))._asdict() | {}
        == StepRun("a", "cancelled", ended=13, error=ERROR, reason="so")._asdict()
    )
    other = ERROR._replace(message="other")
    cancelled = step(retrying, at(13, "step_cancelled", "a", reason="so"))
    assert cancelled == StepRun("a", "cancelled", ended=13, error=ERROR, reason="so")
    other = ERROR._replace(message="other")
    assert step(retrying, at(13, "step_failed", "a", error=failure_to_json(other))).error == other


def test_a_waiting_step_runs_and_says_what_it_waits_for_until_more_is_known() -> None:
    events = [at(11, "step_started", "a", 1), at(12, "step_waiting", "a", 1, reason="no room")]
    assert (step(*events).status, step(*events).reason) == ("running", "no room")
    for later in ("step_started", "step_retrying", "step_succeeded", "step_failed"):
        assert step(*events, at(13, later, "a", 1)).reason == ""


def test_a_skipped_step_says_why() -> None:
    found = step(at(13, "step_skipped", "a", reason="it needs 'b'"))
    assert (found.status, found.ended, found.reason) == ("skipped", 13, "it needs 'b'")


def test_results_come_back_from_json() -> None:
    result = StepResult("r1", "a", 1, "failed", 1.0, 2.0, "h", 7, {"output": ARTIFACT}, ERROR, {"m": 1}, "k")
    assert result_from(json.loads(json.dumps(result_to_json(result)))) == result
    whole = result._replace(error=None)
    assert result_from(json.loads(json.dumps(result_to_json(whole)))) == whole


def test_results_of_a_newer_version_are_read_as_far_as_they_are_known() -> None:
    data = result_to_json(StepResult("r1", "a", 1, "succeeded", 1.0, 2.0))
    assert result_from(data | {"weather": "fine"}).step == "a"


def test_no_failure_is_none() -> None:
    assert (failure_from(None), failure_to_json(None)) == (None, None)
    assert failure_from({"reason": "exit", "message": "no"}) == Failure("exit", "no")


def test_every_reason_is_a_sentence_and_every_event_of_a_run_or_a_step() -> None:
    assert all(text and not text.endswith(".") for text in REASONS.values())
    assert {name.partition("_")[0] for name in EVENTS} == {"run", "step"}


def test_a_result_that_is_done_is_an_event() -> None:
    result = StepResult("r1", "a", 2, "succeeded", 1.0, 3.5, metrics={"m": 1}, cache_key="k")
    data = {"outputs": {}, "cache_key": "k", "started": 1.0, "duration": 2.5, "metrics": {"m": 1}}
    assert done_event(result) == Event("step_succeeded", "r1", 3.5, "a", 2, data)
    cached = done_event(result._replace(status="cached", cached_from="r0"))
    assert cached == Event("step_cached", "r1", 3.5, "a", None, {"outputs": {}, "cache_key": "k", "cached_from": "r0"})

"""A run retold from what its attempts left."""

from __future__ import annotations

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.memory import MemoryArtifactStore
from runner.engine.derive import Left, beginning, derive, ending, left_in
from runner.plan.deployment import DeployedStep, Deployment, StepJob
from runner.records import Artifact, Failure, Run, StepResult, fold

VALUE = {"output": Artifact("artifacts/x", "json", 1, "x")}
RETRY = {"max_retries": 1, "delay": 1.0, "backoff": 1.0, "max_delay": 1.0}
STEPS = {
    "a": DeployedStep("a", "m:a"),
    "b": DeployedStep("b", "m:b", {"x": ("a", "output")}, retry=RETRY),
    "c": DeployedStep("c", "m:c"),
}
DEPLOYMENT = Deployment("r1", "p", "s", "engine", STEPS, {"flavor": "memory"}, "/p", created=1.0)


def result(step: str, attempt: int, status: str, ended: float = 3.0) -> StepResult:
    error = Failure("exception", "no") if status == "failed" else None
    return StepResult("r1", step, attempt, status, ended - 1, ended, outputs={} if error else VALUE, error=error)


def retold(left: Left, deployment: Deployment = DEPLOYMENT) -> Run:
    """The run, as its engine walks it."""
    events = [beginning(deployment)]
    events += derive(deployment, left, fold(events))
    return fold([*events, *ending(deployment, fold(events))], "r1")


def statuses(run: Run) -> dict[str, str]:
    return {"": run.status, **{name: step.status for name, step in run.steps.items()}}


def test_a_run_that_has_left_nothing_has_begun() -> None:
    assert statuses(retold({})) == {"": "running", "a": "pending", "b": "pending", "c": "pending"}
    assert retold({}).started == 1.0


def test_steps_succeed_run_and_are_tried_again() -> None:
    left: Left = {"a": {1: (0.0, result("a", 1, "succeeded"))}, "b": {1: (4.0, result("b", 1, "failed", 5.0))}}
    run = retold(left | {"c": {1: (6.0, None)}})
    assert statuses(run) == {"": "running", "a": "succeeded", "b": "retrying", "c": "running"}
    assert (run.steps["a"].outputs, run.steps["a"].ended, run.steps["c"].started) == (VALUE, 3.0, 6.0)


def test_a_run_succeeds_with_its_last_step() -> None:
    run = retold({name: {1: (0.0, result(name, 1, "succeeded", 9.0))} for name in STEPS})
    assert (run.status, run.ended) == ("succeeded", 9.0)


def test_a_failed_step_fails_the_run_and_skips_the_rest() -> None:
    left: Left = {"a": {1: (0.0, result("a", 1, "failed"))}}
    assert statuses(retold(left)) == {"": "failed", "a": "failed", "b": "skipped", "c": "skipped"}


def test_what_does_not_need_the_failed_step_goes_on_where_that_is_wanted() -> None:
    left: Left = {"a": {1: (0.0, result("a", 1, "failed"))}}
    going = DEPLOYMENT._replace(on_failure="continue")
    assert statuses(retold(left, going)) == {"": "running", "a": "failed", "b": "pending", "c": "pending"}
    left["c"] = {1: (0.0, result("c", 1, "succeeded"))}
    assert statuses(retold(left, going)) == {"": "failed", "a": "failed", "b": "skipped", "c": "succeeded"}


def test_a_cached_step_says_of_which_run() -> None:
    cached = result("a", 1, "cached")._replace(cached_from="r0")
    step = retold({"a": {1: (0.0, cached)}}).steps["a"]
    assert (step.status, step.cached_from, step.outputs) == ("cached", "r0", VALUE)


def test_only_what_was_not_told_yet_is_derived() -> None:
    first = derive(DEPLOYMENT, {"a": {1: (2.0, None)}}, fold([beginning(DEPLOYMENT)]))
    known = fold([beginning(DEPLOYMENT), *first])
    later = derive(DEPLOYMENT, {"a": {1: (2.0, result("a", 1, "succeeded"))}, "b": {1: (4.0, None)}}, known)
    assert [(event.event, event.step) for event in later] == [("step_succeeded", "a"), ("step_started", "b")]


def test_what_attempts_left_is_read_from_the_ledger() -> None:
    ledger = Ledger(MemoryArtifactStore())
    job = StepJob("r1", "a", 1, "m:a", {}, {}, (), {}, {}, "")
    ledger.write_started(job, 2.0, "host", 1)
    ledger.write_result(result("c", 2, "succeeded"))
    assert left_in(ledger, "r1", STEPS) == {"a": {1: (2.0, None)}, "c": {2: (0.0, result("c", 2, "succeeded"))}}


def test_a_step_that_saw_a_request_to_cancel_ends_the_run_as_cancelled() -> None:
    stopped = result("a", 1, "failed")._replace(error=Failure("cancelled", "the run was cancelled"))
    run = retold({"a": {1: (0.0, stopped)}})
    assert statuses(run) == {"": "cancelled", "a": "cancelled", "b": "skipped", "c": "skipped"}
    beside = {"a": {1: (0.0, stopped)}, "c": {1: (2.0, None)}}
    assert statuses(retold(beside)) == {"": "running", "a": "cancelled", "b": "pending", "c": "running"}

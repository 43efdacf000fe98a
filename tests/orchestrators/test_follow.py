"""A run followed by its ledger: what attempts leave there becomes events."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.materializers import save
from runner.artifact_store.stores import open_store
from runner.engine.stack import OpenStack
from runner.orchestrators.follow import Following, attempts_so_far, follow
from runner.plan.deployment import DeployedStep, Deployment, StepJob
from runner.records import Event, Failure, LogLines, StepResult, fold

RETRY = {"max_retries": 1, "delay": 1.0, "backoff": 1.0, "max_delay": 1.0}


class Engine:
    """Leaves in the ledger what attempts of an engine would."""

    def __init__(self, folder: Path, *steps: DeployedStep, **fields: Any) -> None:
        store = {"flavor": "local", "path": str(folder / "artifacts")}
        by_name = {step.name: step for step in steps}
        self.deployment = Deployment("r1", "p", "s", "own", by_name, store, str(folder), **fields)
        self.stack = OpenStack(Ledger(open_store(store)), folder)
        self.ledger = self.stack.ledger

    def begin(self, step: str, attempt: int = 1) -> None:
        job = StepJob("r1", step, attempt, "s:f", {}, {}, (), {}, self.deployment.artifact_store, "/")
        self.ledger.write_started(job, 10.0, "host", 1)

    def succeed(self, step: str, attempt: int = 1, **fields: Any) -> None:
        result = StepResult(
            "r1", step, attempt, "succeeded", 10.0, 12.5, outputs={"output": save(1, self.ledger.store)}
        )
        self.ledger.write_result(result._replace(**fields))

    def fail(self, step: str, attempt: int = 1, reason: str = "exception") -> None:
        error = Failure(reason, "no", "ValueError")
        self.ledger.write_result(StepResult("r1", step, attempt, "failed", 10.0, 11.0, error=error))

    def told(self, **options: Any) -> list[str]:
        """Every event as `event step`, to the end; `ended` unless it is said otherwise."""
        happened = follow(self.deployment, self.stack, tick=0.01, **{"ended": lambda: True, **options})
        self.events = [item for item in happened if isinstance(item, Event)]
        return [f"{event.event} {event.step or ''}".strip() for event in self.events]


A, B = DeployedStep("a", "s:f"), DeployedStep("b", "s:f", after=("a",))


def test_a_run_whose_steps_succeed_has_succeeded(tmp_path: Path) -> None:
    engine = Engine(tmp_path, A, B)
    for step in ("b", "a"):
        engine.begin(step)
        engine.succeed(step)
    steps = ["step_started a", "step_succeeded a", "step_started b", "step_succeeded b"]
    assert engine.told(ended=None) == ["run_started", *steps, "run_succeeded"]
    run = fold(engine.events)
    assert (run.steps["a"].started, run.steps["a"].ended, set(run.steps["a"].outputs)) == (10.0, 12.5, {"output"})


def test_it_goes_on_until_every_step_has_ended(tmp_path: Path) -> None:
    engine = Engine(tmp_path, A, B)
    todo = [lambda: engine.begin("a"), lambda: engine.succeed("a"), lambda: engine.succeed("b")]

    def not_yet() -> bool:
        if todo:
            todo.pop(0)()
        return False

    assert engine.told(ended=not_yet)[-1] == "run_succeeded" and not todo


def test_a_failure_is_told_with_its_error_and_ends_a_run_that_fails_fast(tmp_path: Path) -> None:
    engine = Engine(tmp_path, A, B, DeployedStep("c", "s:f"))
    engine.fail("a")
    assert engine.told(ended=None)[2:] == ["step_failed a", "step_skipped b", "step_skipped c", "run_failed"]
    assert engine.events[2].data["error"]["type"] == "ValueError"
    assert engine.events[-1].data == {"reason": "step 'a' failed", "failed": ["a"]}


def test_what_does_not_need_the_failed_step_is_waited_for_when_the_run_continues(tmp_path: Path) -> None:
    engine = Engine(tmp_path, A, B, DeployedStep("c", "s:f"), on_failure="continue")
    engine.fail("a")
    following = Following(engine.deployment, engine.stack, {})
    list(following.look())
    assert not following.is_over
    engine.succeed("c")
    list(following.look())
    assert following.is_over


def test_a_cached_step_says_where_its_outputs_are_from(tmp_path: Path) -> None:
    engine = Engine(tmp_path, A)
    engine.succeed("a", status="cached", cached_from="r0", cache_key="k")
    assert engine.told() == ["run_started", "step_cached a", "run_succeeded"]
    assert fold(engine.events).steps["a"].cached_from == "r0"


def test_attempts_that_the_engine_repeats_are_retries(tmp_path: Path) -> None:
    engine = Engine(tmp_path, A._replace(retry=RETRY))
    engine.fail("a", 1)
    engine.fail("a", 2)
    assert engine.told(ended=None) == [
        "run_started",
        *("step_started a", "step_retrying a"),
        *("step_started a", "step_failed a"),
        "run_failed",
    ]


def test_a_retry_that_never_came_is_a_failure(tmp_path: Path) -> None:
    engine = Engine(tmp_path, A._replace(retry=RETRY))
    engine.fail("a")
    assert engine.told()[-2:] == ["step_failed a", "run_failed"]
    assert engine.events[-2].data["error"]["message"] == "no"


def test_a_step_that_was_running_when_the_engine_was_through_is_lost(tmp_path: Path) -> None:
    engine = Engine(tmp_path, A)
    engine.begin("a")
    assert engine.told() == ["run_started", "step_started a", "step_failed a", "run_failed"]
    left = engine.ledger.result("r1", "a", 1)
    assert left is not None and left.error is not None and left.error.reason == "lost"


def test_an_attempt_that_another_one_followed_is_lost(tmp_path: Path) -> None:
    engine = Engine(tmp_path, A._replace(retry=RETRY))
    engine.begin("a", 1)
    engine.begin("a", 2)
    engine.succeed("a", 2)
    assert engine.told()[1:4] == ["step_started a", "step_retrying a", "step_started a"]


def test_a_cancelled_run_ends_as_cancelled(tmp_path: Path) -> None:
    engine = Engine(tmp_path, A, B)
    engine.begin("a")
    engine.fail("a", reason="cancelled")
    engine.ledger.request_cancel("r1")
    assert engine.told()[2:] == ["step_cancelled a", "step_skipped b", "run_cancelled"]


def test_a_step_that_was_never_run_fails_the_run(tmp_path: Path) -> None:
    engine = Engine(tmp_path, A)
    assert engine.told() == ["run_started", "step_skipped a", "run_failed"]
    assert engine.events[-1].data["reason"] == "step 'a' was not run"


def test_what_failed_before_a_resume_is_old_news(tmp_path: Path) -> None:
    engine = Engine(tmp_path, A)
    engine.fail("a", 1)
    known = attempts_so_far(engine.deployment, engine.stack)
    engine.begin("a", 2)
    engine.succeed("a", 2)
    assert known == {"a": 1}
    assert engine.told(known=known) == ["run_started", "step_started a", "step_succeeded a", "run_succeeded"]
    assert fold(engine.events).steps["a"].attempt == 2


def test_steps_that_are_done_are_not_told_again(tmp_path: Path) -> None:
    engine = Engine(tmp_path, A, B)
    engine.stack = engine.stack._replace(done={"a": {}})
    engine.succeed("b")
    assert engine.told() == ["run_started", "step_started b", "step_succeeded b", "run_succeeded"]
    assert engine.events[0].data["resumed"] is True


@pytest.mark.parametrize("has_files", [True, False])
def test_log_lines_are_passed_on_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_files: bool) -> None:
    engine = Engine(tmp_path, A)
    if not has_files:
        monkeypatch.setattr(engine.ledger, "log_path", lambda *_, make=True: None)
    following = Following(engine.deployment, engine.stack, {})
    engine.begin("a")
    texts = []
    for text, end in (("one\ntw", False), ("one\ntwo\nthr", False), ("one\ntwo\nthree", True)):
        engine.ledger.put_log("r1", "a", 1, text)
        if end:
            engine.succeed("a")
        texts += [item.text for item in following.look() if isinstance(item, LogLines)]
    assert texts == ["one\n", "two\n", "three"]

"""The conformance suite: what every orchestrator must do, as tests that its author runs against it.

    from runner.testing import OrchestratorConformance

    class TestMine(OrchestratorConformance):
        def orchestrator(self):
            return MyOrchestrator(MyOrchestrator.Settings(...))

and `pytest` finds the rest. Override `artifact_store` where the engine's steps cannot reach a local folder.
"""

from __future__ import annotations

import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.materializers import load
from runner.artifact_store.stores import open_store
from runner.engine.stack import OpenStack
from runner.orchestrators.base import BaseOrchestrator, Support
from runner.plan.deployment import DeployedStep, Deployment
from runner.records import EVENTS, Artifact, Event, LogLines, Run, fold

STEPS = '''
import os, pathlib, sys, time

def one():
    return 1

def add(x, y=1):
    return x + y

def pair():
    return {"low": 1, "high": 9}

def say(text):
    print(text, flush=True)
    print("to stderr", file=sys.stderr, flush=True)

def fail():
    raise ValueError("broken on purpose")

def crash():
    os._exit(7)

def sleep(seconds):
    time.sleep(seconds)

def count(file, fail_until=0):
    """Say in a file that it ran; fail for the first calls."""
    path = pathlib.Path(file)
    path.write_text(path.read_text() + "x" if path.exists() else "x")
    calls = len(path.read_text())
    if calls <= fail_until:
        raise RuntimeError(f"call {calls}")
    return calls
'''

Happened = list[Event | LogLines]


class OrchestratorConformance(ABC):
    """Subclass it in a test module under a name that starts with `Test`."""

    @abstractmethod
    def orchestrator(self) -> BaseOrchestrator:
        """A new orchestrator to be tested."""

    def artifact_store(self, folder: Path) -> dict[str, Any]:
        """Settings of a new, empty artifact store."""
        return {"flavor": "local", "path": str(folder / "artifacts")}

    # -- the whole of a run --------------------------------------------------------------------------------------------

    def test_values_are_handed_from_step_to_step(self, tmp_path: Path) -> None:
        steps = [_step("a", "one"), _step("b", "add", inputs={"x": ("a", "output")}, parameters={"y": 41})]
        run, _ = self._run(tmp_path, steps)
        assert run.status == "succeeded"
        assert self._value(tmp_path, run.steps["b"].outputs["output"]) == 42

    def test_several_outputs_have_their_names(self, tmp_path: Path) -> None:
        steps = [_step("a", "pair", outputs=("low", "high")), _step("b", "add", inputs={"x": ("a", "high")})]
        run, _ = self._run(tmp_path, steps)
        assert set(run.steps["a"].outputs) == {"low", "high"}
        assert self._value(tmp_path, run.steps["b"].outputs["output"]) == 10

    def test_a_step_starts_after_what_it_needs(self, tmp_path: Path) -> None:
        steps = [_step("late", "one", after=("early",)), _step("early", "one")]
        _, happened = self._run(tmp_path, steps)
        assert _order(happened, "early", "step_succeeded") < _order(happened, "late", "step_started")

    def test_events_are_of_the_known_kinds_and_framed_by_the_run(self, tmp_path: Path) -> None:
        _, happened = self._run(tmp_path, [_step("a", "one")])
        names = [event.event for event in _events(happened)]
        assert set(names) <= set(EVENTS)
        assert (names[0], names[-1]) == ("run_started", "run_succeeded")

    def test_what_is_compiled_is_plain_data(self, tmp_path: Path) -> None:
        bundle = self.orchestrator().compile(self._deployment(tmp_path, [_step("a", "one")]))
        assert bundle.documents and json.loads(json.dumps(bundle.documents)) is not None

    # -- failure -------------------------------------------------------------------------------------------------------

    def test_an_exception_is_told_with_its_type_its_message_and_the_users_line(self, tmp_path: Path) -> None:
        run, _ = self._run(tmp_path, [_step("a", "fail")])
        error = run.steps["a"].error
        assert (run.status, run.steps["a"].status) == ("failed", "failed")
        assert error is not None and (error.type, error.message) == ("ValueError", "broken on purpose")
        assert error.frames[-1].function == "fail"

    def test_a_crashed_process_is_a_failed_step(self, tmp_path: Path) -> None:
        run, _ = self._run(tmp_path, [_step("a", "crash")])
        assert run.steps["a"].status == "failed" and run.steps["a"].error is not None

    def test_fail_fast_skips_what_has_not_started(self, tmp_path: Path) -> None:
        steps = [_step("bad", "fail"), _step("below", "one", after=("bad",))]
        run, _ = self._run(tmp_path, steps)
        assert run.steps["below"].status == "skipped"

    def test_continue_runs_what_does_not_need_the_failed_step(self, tmp_path: Path) -> None:
        steps = [_step("bad", "fail"), _step("below", "one", after=("bad",)), _step("free", "one")]
        run, _ = self._run(tmp_path, steps, on_failure="continue")
        assert run.status == "failed"
        assert (run.steps["below"].status, run.steps["free"].status) == ("skipped", "succeeded")

    def test_a_failed_attempt_is_tried_again(self, tmp_path: Path) -> None:
        retry = {"max_retries": 2, "delay": 0.01, "backoff": 1.0, "max_delay": 1.0}
        calls = {"file": str(tmp_path / "calls"), "fail_until": 2}
        run, happened = self._run(tmp_path, [_step("a", "count", parameters=calls, retry=retry)])
        assert run.status == "succeeded" and run.steps["a"].attempt == 3
        assert [event.event for event in _events(happened)].count("step_retrying") == 2

    def test_retries_end(self, tmp_path: Path) -> None:
        retry = {"max_retries": 1, "delay": 0.01, "backoff": 1.0, "max_delay": 1.0}
        run, _ = self._run(tmp_path, [_step("a", "fail", retry=retry)])
        assert run.status == "failed" and run.steps["a"].attempt == 2

    def test_a_timeout_ends_the_attempt(self, tmp_path: Path) -> None:
        if self.orchestrator().capabilities.timeout is Support.NO:
            return
        began = time.monotonic()
        run, _ = self._run(tmp_path, [_step("a", "sleep", parameters={"seconds": 600}, timeout=0.5)])
        error = run.steps["a"].error
        assert error is not None and error.reason == "timeout"
        assert time.monotonic() - began < 300

    # -- logs ----------------------------------------------------------------------------------------------------------

    def test_logs_are_passed_on_and_kept(self, tmp_path: Path) -> None:
        stack, orchestrator = self._stack(tmp_path), self.orchestrator()
        deployment = self._deployment(tmp_path, [_step("a", "say", parameters={"text": "hello there"})])
        happened = self._collect(orchestrator.prepare_or_run_pipeline(self._told(deployment, stack), stack))
        live = "".join(item.text for item in happened if isinstance(item, LogLines))
        assert "hello there" in live and "to stderr" in live
        assert "hello there" in stack.ledger.log(deployment.run_id, "a", 1)

    # -- cache, resume, cancel -----------------------------------------------------------------------------------------

    def test_an_equal_step_is_answered_from_the_cache(self, tmp_path: Path) -> None:
        calls = {"file": str(tmp_path / "calls")}
        steps = [_step("a", "count", parameters=calls, fingerprint={"code": "1"})]
        self._run(tmp_path, steps, run_id="first")
        run, _ = self._run(tmp_path, steps, run_id="second")
        assert (run.steps["a"].status, run.steps["a"].cached_from) == ("cached", "first")
        assert (tmp_path / "calls").read_text() == "x"

    def test_a_finished_step_is_not_run_again_when_resumed(self, tmp_path: Path) -> None:
        calls = {"file": str(tmp_path / "calls")}
        steps = [
            _step("a", "count", parameters=calls, cache=False),
            _step("b", "add", inputs={"x": ("a", "output")}, cache=False),
        ]
        run, _ = self._run(tmp_path, steps)
        again, _ = self._run(tmp_path, steps, done={"a": run.steps["a"].outputs})
        assert again.status == "succeeded" and (tmp_path / "calls").read_text() == "x"

    def test_a_watch_that_was_broken_off_can_be_taken_up_again(self, tmp_path: Path) -> None:
        stack, orchestrator = self._stack(tmp_path), self.orchestrator()
        calls = {"file": str(tmp_path / "calls")}
        steps = [_step("a", "count", parameters=calls, cache=False), _step("b", "one", after=("a",), cache=False)]
        deployment = self._told(self._deployment(tmp_path, steps), stack)
        submission = orchestrator.submit(orchestrator.compile(deployment), stack)
        watch = iter(orchestrator.watch(submission, stack))
        for happened in watch:
            if isinstance(happened, Event) and happened.event == "step_succeeded":
                break
        watch.close()  # type: ignore[attr-defined]
        rest = self._collect(self.orchestrator().watch(submission, stack._replace(done={})))
        assert fold(_events(rest)).status == "succeeded"
        assert (tmp_path / "calls").read_text() == "x"

    def test_submitting_twice_starts_one_run(self, tmp_path: Path) -> None:
        stack, orchestrator = self._stack(tmp_path), self.orchestrator()
        calls = {"file": str(tmp_path / "calls")}
        steps = [_step("a", "count", parameters=calls, cache=False)]
        bundle = orchestrator.compile(self._told(self._deployment(tmp_path, steps), stack))
        orchestrator.submit(bundle, stack)
        self._collect(orchestrator.watch(orchestrator.submit(bundle, stack), stack))
        assert (tmp_path / "calls").read_text() == "x"

    def test_a_cancelled_run_stops(self, tmp_path: Path) -> None:
        stack = self._stack(tmp_path)
        steps = [_step("a", "sleep", parameters={"seconds": 600}), _step("b", "one", after=("a",))]
        deployment = self._told(self._deployment(tmp_path, steps), stack)
        timer = threading.Timer(1.0, lambda: stack.ledger.request_cancel(deployment.run_id))
        timer.start()
        happened = self._collect(self.orchestrator().prepare_or_run_pipeline(deployment, stack))
        run = fold(_events(happened))
        assert run.status == "cancelled"
        assert (run.steps["a"].status, run.steps["b"].status) == ("cancelled", "skipped")

    # -- how it is done ------------------------------------------------------------------------------------------------

    def _run(
        self,
        folder: Path,
        steps: Iterable[DeployedStep],
        *,
        run_id: str = "r1",
        on_failure: str = "fail_fast",
        done: Mapping[str, Mapping[str, Artifact]] | None = None,
    ) -> tuple[Run, Happened]:
        stack = self._stack(folder)._replace(done=done)
        deployment = self._deployment(folder, steps)._replace(run_id=run_id, on_failure=on_failure)
        happened = self._collect(self.orchestrator().prepare_or_run_pipeline(self._told(deployment, stack), stack))
        finished = {} if done is None else {name: {"outputs": outputs} for name, outputs in done.items()}
        assert not finished or finished.keys() <= {step.name for step in steps}
        return fold(_events(happened)), happened

    def _deployment(self, folder: Path, steps: Iterable[DeployedStep]) -> Deployment:
        (folder / "conformance_steps.py").write_text(STEPS)
        by_name = {step.name: step for step in steps}
        store = self.artifact_store(folder)
        return Deployment("r1", "conformance", "test", self.orchestrator().flavor, by_name, store, str(folder))

    def _stack(self, folder: Path) -> OpenStack:
        return OpenStack(Ledger(open_store(self.artifact_store(folder))), folder / "state")

    def _told(self, deployment: Deployment, stack: OpenStack) -> Deployment:
        stack.ledger.write_deployment(deployment)
        return deployment

    def _collect(self, happened: Iterator[Event | LogLines]) -> Happened:
        return list(happened)

    def _value(self, folder: Path, artifact: Artifact) -> Any:
        return load(artifact, open_store(self.artifact_store(folder)), folder)


def _step(name: str, function: str, **fields: Any) -> DeployedStep:
    # Each its own code, as far as the cache is concerned: two steps of a test are not meant to answer for each other.
    return DeployedStep(name, f"conformance_steps:{function}", **{"fingerprint": {"code": name}, **fields})


def _events(happened: Happened) -> list[Event]:
    return [item for item in happened if isinstance(item, Event)]


def _order(happened: Happened, step: str, event: str) -> int:
    return next(i for i, item in enumerate(_events(happened)) if (item.step, item.event) == (step, event))

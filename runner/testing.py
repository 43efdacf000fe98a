"""The conformance suite: what every orchestrator must do, as tests that its author runs against it.

    from runner.testing import OrchestratorConformance

    class TestMine(OrchestratorConformance):
        def orchestrator(self):
            return MyOrchestrator(MyOrchestrator.Settings(...))

and `pytest` finds the rest. What the orchestrator's `capabilities` declare is tried; what they do not declare must be
refused while planning. Override `folder` and `artifact_store` where the engine's steps cannot reach a temporary folder
of this machine, `deployed` where they need more than that, as an image.
"""

from __future__ import annotations

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.materializers import load
from runner.artifact_store.stores import open_store
from runner.engine.stack import OpenStack
from runner.errors import EngineError
from runner.orchestrators.base import BaseOrchestrator, Submission, Support
from runner.orchestrators.carry import carry_out
from runner.orchestrators.portability import CAPABILITY, cannot_honour, on_failure
from runner.plan.deployment import DeployedStep, Deployment, facts_of
from runner.records import EVENTS, Artifact, Event, LogLines, Run, fold

STEPS = '''
import os, pathlib, subprocess, sys, time

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

def spawn(file):
    """Start a process, write down its number and one's own, and go on for long."""
    child = subprocess.Popen(["sleep", "600"])
    pathlib.Path(file + ".new").write_text(f"{os.getpid()} {child.pid}")
    os.rename(file + ".new", file)
    time.sleep(600)

def meet(mine, other):
    """Wait until the other one runs too."""
    pathlib.Path(mine).touch()
    until = time.monotonic() + 120
    while not os.path.exists(other):
        if time.monotonic() > until:
            raise TimeoutError("the other step never ran beside this one")
        time.sleep(0.05)
'''
PATIENCE = 120.0  # seconds after which something that must come true never will
RESOURCES = {"cpu_count": 1, "memory": 1_000_000, "gpu_count": 1, "gpu_type": "x", "disk": 1_000_000, "shm": 1_000_000}

Happened = list[Event | LogLines]


class OrchestratorConformance(ABC):
    """Subclass it in a test module under a name that starts with `Test`.

    `at_a_time` is how many steps the orchestrator under test runs beside each other; `here` says that its steps run
    on this machine, so that the suite may look at their processes.
    """

    long_enough_to_begin: ClassVar[float] = 3.0
    """Seconds in which a step that is to be ended by its timeout has begun for sure, its engine's start included."""

    at_a_time: int = 1
    here: bool = True

    @abstractmethod
    def orchestrator(self) -> BaseOrchestrator:
        """A new orchestrator to be tested."""

    def folder(self, tmp_path: Path) -> Path:
        """A new, empty folder that steps reach under the same path: the project is written to it."""
        return tmp_path

    def artifact_store(self, folder: Path) -> dict[str, Any]:
        """Settings of an artifact store, a new one for each folder."""
        return {"flavor": "local", "path": str(folder / "artifacts")}

    def deployed(self, deployment: Deployment, ledger: Ledger) -> Deployment:
        """A deployment of the suite as the orchestrator under test can run it: with what its steps run in, say."""
        return deployment

    # -- the whole of a run --------------------------------------------------------------------------------------------

    def test_values_are_handed_from_step_to_step(self, tmp_path: Path) -> None:
        steps = [_step("a", "one"), _step("b", "add", inputs={"x": ("a", "output")}, parameters={"y": 41})]
        case = self._case(tmp_path, *steps)
        run = case.run()
        assert run.status == "succeeded"
        assert case.value(run.steps["b"].outputs["output"]) == 42

    def test_several_outputs_have_their_names(self, tmp_path: Path) -> None:
        steps = [_step("a", "pair", outputs=("low", "high")), _step("b", "add", inputs={"x": ("a", "high")})]
        case = self._case(tmp_path, *steps)
        run = case.run()
        assert set(run.steps["a"].outputs) == {"low", "high"}
        assert case.value(run.steps["b"].outputs["output"]) == 10

    def test_a_long_job_arrives_whole(self, tmp_path: Path) -> None:
        text = "x" * 200_000  # longer than one argument of a command line may be
        case = self._case(tmp_path, _step("a", "add", parameters={"x": text, "y": "y"}))
        assert case.value(case.run().steps["a"].outputs["output"]) == text + "y"

    def test_a_step_starts_after_what_it_needs(self, tmp_path: Path) -> None:
        happened = self._case(tmp_path, _step("early", "one"), _step("late", "one", after=("early",))).happened()
        assert _order(happened, "early", "step_succeeded") < _order(happened, "late", "step_started")

    def test_events_are_of_the_known_kinds_and_framed_by_the_run(self, tmp_path: Path) -> None:
        names = [event.event for event in _events(self._case(tmp_path, _step("a", "one")).happened())]
        assert set(names) <= set(EVENTS)
        assert (names[0], names[-1]) == ("run_started", "run_succeeded")

    def test_what_is_compiled_is_plain_data(self, tmp_path: Path) -> None:
        case = self._case(tmp_path, _step("a", "one"))
        bundle = self.orchestrator().compile(case.deployment)
        assert bundle.documents and json.loads(json.dumps(bundle.documents)) is not None

    def test_steps_run_beside_each_other(self, tmp_path: Path) -> None:
        if self.at_a_time < 2:
            assert self.at_a_time == 1
            return
        assert self.orchestrator().capabilities.parallel is not Support.NO
        names = [str(self.folder(tmp_path) / name) for name in ("left", "right")]
        left = _step("left", "meet", parameters={"mine": names[0], "other": names[1]})
        right = _step("right", "meet", parameters={"mine": names[1], "other": names[0]})
        assert self._case(tmp_path, left, right).run().status == "succeeded"

    # -- what is not declared ------------------------------------------------------------------------------------------

    def test_what_is_not_declared_is_refused_while_planning(self, tmp_path: Path) -> None:
        orchestrator = self.orchestrator()
        can = orchestrator.capabilities_of(orchestrator.settings)
        step = _step("a", "one", resources=RESOURCES, retry=_retry(1), timeout=1.0)
        refused = {refusal.path[2:] for refusal in cannot_honour(orchestrator, [step], str(tmp_path))}
        missing = {path for path, name in CAPABILITY.items() if getattr(can, name) is Support.NO}
        assert missing <= refused

    # -- failure -------------------------------------------------------------------------------------------------------

    def test_an_exception_is_told_with_its_type_its_message_and_the_users_line(self, tmp_path: Path) -> None:
        run = self._case(tmp_path, _step("a", "fail")).run()
        error = run.steps["a"].error
        assert (run.status, run.steps["a"].status) == ("failed", "failed")
        assert error is not None and (error.type, error.message) == ("ValueError", "broken on purpose")
        assert error.frames[-1].function == "fail"

    def test_a_crashed_process_is_a_failed_step(self, tmp_path: Path) -> None:
        run = self._case(tmp_path, _step("a", "crash")).run()
        assert run.steps["a"].status == "failed" and run.steps["a"].error is not None

    def test_fail_fast_skips_what_has_not_started(self, tmp_path: Path) -> None:
        run = self._case(tmp_path, _step("bad", "fail"), _step("below", "one", after=("bad",))).run()
        assert run.steps["below"].status == "skipped"

    def test_continue_runs_what_does_not_need_the_failed_step(self, tmp_path: Path) -> None:
        orchestrator = self.orchestrator()
        if "continue" not in orchestrator.on_failure:
            assert [refusal.path for refusal in on_failure(orchestrator, "continue")] == [("on_failure",)]
            return
        steps = [_step("bad", "fail"), _step("below", "one", after=("bad",)), _step("free", "one")]
        run = self._case(tmp_path, *steps, on_failure="continue").run()
        assert run.status == "failed"
        assert (run.steps["below"].status, run.steps["free"].status) == ("skipped", "succeeded")

    def test_a_failed_attempt_is_tried_again(self, tmp_path: Path) -> None:
        calls = {"file": str(self.folder(tmp_path) / "calls"), "fail_until": 2}
        case = self._case(tmp_path, _step("a", "count", parameters=calls, retry=_retry(2)))
        if case.refuses("retry"):
            return
        happened = case.happened()
        run = fold(_events(happened))
        assert run.status == "succeeded" and run.steps["a"].attempt == 3
        assert [event.event for event in _events(happened)].count("step_retrying") == 2

    def test_retries_end(self, tmp_path: Path) -> None:
        case = self._case(tmp_path, _step("a", "fail", retry=_retry(1)))
        if case.refuses("retry"):
            return
        run = case.run()
        assert run.status == "failed" and run.steps["a"].attempt == 2

    def test_a_timeout_ends_the_attempt_and_what_it_started(self, tmp_path: Path) -> None:
        file = self.folder(tmp_path) / "pids"
        case = self._case(
            tmp_path, _step("a", "spawn", parameters={"file": str(file)}, timeout=self.long_enough_to_begin)
        )
        if case.refuses("timeout"):
            return
        error = case.run().steps["a"].error
        assert error is not None and error.reason == "timeout", error
        self._assert_gone(file)

    # -- logs ----------------------------------------------------------------------------------------------------------

    def test_logs_are_kept(self, tmp_path: Path) -> None:
        case = self._case(tmp_path, _step("a", "say", parameters={"text": "hello there"}))
        case.happened()
        if case.can("logs"):
            log = case.stack.ledger.log("r1", "a", 1)
            assert "hello there" in log and "to stderr" in log
            lines = list(self.orchestrator().logs(Submission("r1", case.deployment.flavor), "a", case.stack))
            assert "hello there" in lines

    def test_logs_are_passed_on_live(self, tmp_path: Path) -> None:
        case = self._case(tmp_path, _step("a", "say", parameters={"text": "hello there"}))
        happened = case.happened()
        if case.can("logs"):
            live = "".join(item.text for item in happened if isinstance(item, LogLines))
            assert "hello there" in live and "to stderr" in live

    # -- cache and resume ----------------------------------------------------------------------------------------------

    def test_an_equal_step_is_answered_from_the_cache(self, tmp_path: Path) -> None:
        calls = self.folder(tmp_path) / "calls"
        case = self._case(tmp_path, _step("a", "count", parameters={"file": str(calls)}))
        case.run()
        run = case.as_run("second").run()
        assert (run.steps["a"].status, run.steps["a"].cached_from) == ("cached", "r1")
        assert calls.read_text() == "x"

    def test_what_stands_below_a_cached_step_finds_its_outputs(self, tmp_path: Path) -> None:
        below = _step("b", "add", inputs={"x": ("a", "output")}, cache=False)
        case = self._case(tmp_path, _step("a", "one"), below)
        case.run()
        run = case.as_run("second").run()
        assert (run.steps["a"].status, run.steps["b"].status) == ("cached", "succeeded")
        assert case.value(run.steps["b"].outputs["output"]) == 2

    def test_without_the_cache_nothing_is_looked_up(self, tmp_path: Path) -> None:
        calls = self.folder(tmp_path) / "calls"
        case = self._case(tmp_path, _step("a", "count", parameters={"file": str(calls)}))
        case.run()
        again = case.as_run("second")
        assert again._replace(deployment=again.deployment._replace(use_cache=False)).run().status == "succeeded"
        assert calls.read_text() == "xx"

    def test_a_finished_step_is_not_run_again_when_resumed(self, tmp_path: Path) -> None:
        calls = self.folder(tmp_path) / "calls"
        steps = [
            _step("a", "count", parameters={"file": str(calls)}, cache=False),
            _step("b", "add", inputs={"x": ("a", "output")}, cache=False),
        ]
        case = self._case(tmp_path, *steps)
        run = case.run()
        assert case.resumed({"a": run.steps["a"].outputs}).run().status == "succeeded"
        assert calls.read_text() == "x"

    def test_a_failed_step_is_run_again_when_resumed(self, tmp_path: Path) -> None:
        calls = self.folder(tmp_path) / "calls"
        case = self._case(tmp_path, _step("a", "count", parameters={"file": str(calls), "fail_until": 1}))
        assert case.run().status == "failed"
        happened = case.resumed({}).happened()
        run = fold(_events(happened))
        assert (run.status, run.steps["a"].attempt) == ("succeeded", 2)
        assert "step_failed" not in [event.event for event in _events(happened)]  # that is old news

    # -- submit, watch, cancel -----------------------------------------------------------------------------------------

    def test_a_watch_that_was_broken_off_can_be_taken_up_again(self, tmp_path: Path) -> None:
        calls = self.folder(tmp_path) / "calls"
        first = _step("a", "count", parameters={"file": str(calls)}, cache=False)
        case = self._case(tmp_path, first, _step("b", "one", after=("a",), cache=False))
        if (submission := case.submission()) is None:
            return
        watch = iter(self.orchestrator().watch(submission, case.stack))
        for happened in watch:
            if isinstance(happened, Event) and happened.event == "step_succeeded":
                break
        watch.close()  # type: ignore[attr-defined]
        rest = list(self.orchestrator().watch(submission, case.stack._replace(done={})))
        assert fold(_events(rest)).status == "succeeded"
        assert calls.read_text() == "x"

    def test_a_submission_can_be_stored(self, tmp_path: Path) -> None:
        case = self._case(tmp_path, _step("a", "one"))
        if (submission := case.submission()) is not None:
            stored = Submission(**json.loads(json.dumps(submission._asdict())))
            assert stored == submission
            assert fold(_events(list(self.orchestrator().watch(stored, case.stack)))).status == "succeeded"

    def test_submitting_twice_starts_one_run(self, tmp_path: Path) -> None:
        calls = self.folder(tmp_path) / "calls"
        case = self._case(tmp_path, _step("a", "count", parameters={"file": str(calls)}, cache=False))
        if case.submission() is None:
            return
        again = case.submission()
        assert again is not None
        assert fold(_events(list(self.orchestrator().watch(again, case.stack)))).status == "succeeded"
        assert calls.read_text() == "x"

    def test_a_cancelled_run_stops_with_all_that_it_started(self, tmp_path: Path) -> None:
        file = self.folder(tmp_path) / "pids"
        steps = [_step("a", "spawn", parameters={"file": str(file)}), _step("b", "one", after=("a",))]
        case = self._case(tmp_path, *steps)
        if not case.can("cancel"):
            return
        happened: Happened = []
        for item in case.events():
            happened.append(item)
            if isinstance(item, Event) and item.event == "step_started":
                _until(file.exists)
                case.stack.ledger.request_cancel("r1")
        run = fold(_events(happened))
        assert (run.status, run.steps["a"].status, run.steps["b"].status) == ("cancelled", "cancelled", "skipped")
        self._assert_gone(file)

    def test_what_is_left_of_a_run_can_be_cancelled(self, tmp_path: Path) -> None:
        case = self._case(tmp_path, _step("a", "one"))
        case.run()
        if case.can("cancel"):  # nothing is left: it says nothing about that
            self.orchestrator().cancel(Submission("r1", case.deployment.flavor), case.stack)

    # -- how it is done ------------------------------------------------------------------------------------------------

    def _case(self, tmp_path: Path, *steps: DeployedStep, on_failure: str = "fail_fast") -> Case:
        folder = self.folder(tmp_path)
        (folder / "conformance_steps.py").write_text(STEPS)
        store = self.artifact_store(folder)
        orchestrator = self.orchestrator()
        flavor = orchestrator.flavor or type(orchestrator).__name__
        by_name = {step.name: step for step in steps}
        deployment = Deployment("r1", "conformance", "test", flavor, by_name, store, str(folder), on_failure=on_failure)
        fields = {"flavor": flavor, **orchestrator.settings.model_dump(mode="json", exclude_unset=True)}
        ledger = Ledger(open_store(store))
        deployment = self.deployed(deployment._replace(orchestrator=fields), ledger)
        return Case(self, deployment, OpenStack(ledger, tmp_path / "state"))

    def _assert_gone(self, file: Path) -> None:
        """The processes whose numbers are in the file end, or have ended."""
        if self.here:
            for pid in file.read_text().split():
                _until(lambda pid=pid: not _is_alive(pid))


class Case(NamedTuple):
    """A deployment of the suite, and the stack that it runs on."""

    suite: OrchestratorConformance
    deployment: Deployment
    stack: OpenStack

    def as_run(self, run_id: str) -> Case:
        """The same as another run."""
        return self._replace(deployment=self.deployment._replace(run_id=run_id))

    def resumed(self, done: Mapping[str, Mapping[str, Artifact]]) -> Case:
        return self._replace(stack=self.stack._replace(done=done))

    def events(self) -> Iterator[Event | LogLines]:
        """Run it; all that happens, as it happens."""
        self._put_on_record()
        return carry_out(self.suite.orchestrator(), self.deployment, self.stack)

    def happened(self) -> Happened:
        return list(self.events())

    def run(self) -> Run:
        return fold(_events(self.events()))

    def submission(self) -> Submission | None:
        """Submit it; None for an orchestrator that has no `submit`, which then says so."""
        self._put_on_record()
        orchestrator = self.suite.orchestrator()
        try:
            submission = orchestrator.submit(orchestrator.compile(self.deployment), self.stack)
        except EngineError:
            assert type(orchestrator).submit is BaseOrchestrator.submit
            return None
        return submission

    def can(self, capability: str) -> bool:
        """Whether the orchestrator declares it."""
        orchestrator = self.suite.orchestrator()
        return getattr(orchestrator.capabilities_of(orchestrator.settings), capability) is not Support.NO

    def refuses(self, capability: str) -> bool:
        """Whether the steps are refused for want of this capability, as they must be when it is not declared."""
        found = cannot_honour(self.suite.orchestrator(), self.deployment.steps.values(), self.deployment.project)
        refused = any(refusal.path[-1] == capability for refusal in found)
        assert refused != self.can(capability)
        return refused

    def _put_on_record(self) -> None:
        """What the ledger has when a run is submitted: the deployment; where the engine carries it without us, also the
        first event, once for each time that it is begun or gone on with."""
        ledger, run_id = self.stack.ledger, self.deployment.run_id
        ledger.write_deployment(self.deployment)
        before = ledger.events(run_id) or []
        if self.suite.orchestrator().detaches and (not before or self.stack.done is not None):
            data = facts_of(self.deployment) | {"detached": True}
            ledger.write_events(run_id, [*before, Event("run_started", run_id, time.time(), data=data)])

    def value(self, artifact: Artifact) -> Any:
        return load(artifact, self.stack.ledger.store, self.stack.folder)


def _step(name: str, function: str, **fields: Any) -> DeployedStep:
    # Each its own code, as far as the cache is concerned: two steps of a test are not meant to answer for each other.
    return DeployedStep(name, f"conformance_steps:{function}", **{"fingerprint": {"code": name}, **fields})


def _retry(times: int) -> dict[str, Any]:
    return {"max_retries": times, "delay": 0.01, "backoff": 1.0, "max_delay": 1.0}


def _events(happened: Iterable[Event | LogLines]) -> list[Event]:
    return [item for item in happened if isinstance(item, Event)]


def _order(happened: Happened, step: str, event: str) -> int:
    return next(i for i, item in enumerate(_events(happened)) if (item.step, item.event) == (step, event))


def _until(condition: Any) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.02)


def _is_alive(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

"""The walk over a launcher that only plays: order, room, retries, timeouts, failure, cancel."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.materializers import save
from runner.orchestrators.base import Adopted, AttemptBegan, AttemptEnded, AttemptWaits, Launcher, LogLines
from runner.orchestrators.walk import walk
from runner.plan.deployment import DeployedStep, Deployment, StepJob
from runner.records import Event, Failure, Run, StepResult, fold


class Play(Launcher):
    """Every attempt ends at the next poll: as `script` says for its step, else with success.

    `ok`, `wait`, `vanish`, `began`, `cancelled`, what it waits for as in `? room`, the engine's own reason as in
    `= node-lost`, or what is raised.
    """

    def __init__(self, ledger: Ledger, script: dict[str, list[str]] | None = None, room: int = 100) -> None:
        self.ledger = ledger
        self.script = {name: deque(ends) for name, ends in (script or {}).items()}
        self.room = room
        self.jobs: dict[tuple[str, int], StepJob] = {}
        self.most = 0
        self.stopped: list[tuple[str, int, str]] = []
        self.dying: list[AttemptEnded] = []
        self.closed = False
        self.on_poll: Any = None

    def fits(self, step: DeployedStep) -> bool:
        return len(self.jobs) < self.room

    def start(self, step: DeployedStep, job: StepJob) -> None:
        self.jobs[job.step, job.attempt] = job
        self.most = max(self.most, len(self.jobs))

    def poll(self, timeout: float | None) -> list[AttemptEnded | AttemptBegan | AttemptWaits | LogLines]:
        if self.on_poll:
            self.on_poll(self)
        ended: list[AttemptEnded | AttemptBegan | AttemptWaits | LogLines] = [*self.dying]
        self.dying.clear()
        for attempt, job in list(self.jobs.items()):
            script = self.script.get(job.step)
            end = script.popleft() if script else "ok"
            if end == "wait":
                continue
            if end == "began":
                ended.append(AttemptBegan(*attempt, time.time()))
                continue
            if end.startswith("? "):
                ended.append(AttemptWaits(*attempt, end[2:]))
                continue
            del self.jobs[attempt]
            if end.startswith("= "):
                ended.append(AttemptEnded(*attempt, 1, end[2:]))
                continue
            if end != "vanish":
                self._leave(job, end)
            ended.append(AttemptEnded(*attempt, 0 if end == "ok" else -9 if end == "vanish" else 1))
        return ended

    def stop(self, step: str, attempt: int, reason: str) -> None:
        if self.jobs.pop((step, attempt), None):
            self.stopped.append((step, attempt, reason))
            self.dying.append(AttemptEnded(step, attempt, -9, reason))

    def close(self) -> None:
        self.closed = True

    def _leave(self, job: StepJob, end: str) -> None:
        if end == "ok":
            outputs = {name: save(job.step, self.ledger.store) for name in job.outputs or ("output",)}
            result = StepResult(job.run_id, job.step, job.attempt, "succeeded", 1.0, 2.0, outputs=outputs)
        else:
            error = Failure("cancelled", end) if end == "cancelled" else Failure("exception", end, "ValueError")
            result = StepResult(job.run_id, job.step, job.attempt, "failed", 1.0, 2.0, error=error)
        self.ledger.write_result(result)
        if job.cache_key and end == "ok":
            self.ledger.write_cache(job.cache_key, result)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(LocalArtifactStore(tmp_path))


def step(name: str, *after: str, **fields: Any) -> DeployedStep:
    return DeployedStep(name, "m:f", after=after, **{"fingerprint": {"code": name}, **fields})


def play(
    ledger: Ledger, launcher: Play, *steps: DeployedStep, max_parallel: int = 1, **fields: Any
) -> tuple[Run, list[Event]]:
    done = fields.pop("done", None)
    by_name = {each.name: each for each in steps}
    deployment = Deployment("r1", "p", "s", "play", by_name, ledger.settings, "/", **fields)
    events = [
        e for e in walk(deployment, ledger, launcher, max_parallel=max_parallel, done=done) if isinstance(e, Event)
    ]
    return fold(events), events


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the engine lost is started again at once."""
    monkeypatch.setattr("runner.orchestrators.walk.RESTART_DELAY", 0.0)


RETRY = {"max_retries": 2, "delay": 0.0, "backoff": 2.0, "max_delay": 1.0}


def test_one_after_another_is_the_rule(ledger: Ledger) -> None:
    launcher = Play(ledger)
    run, _ = play(ledger, launcher, step("a"), step("b"), step("c"))
    assert (run.status, launcher.most, launcher.closed) == ("succeeded", 1, True)


def test_max_parallel_is_used_and_kept(ledger: Ledger) -> None:
    launcher = Play(ledger)
    play(ledger, launcher, *(step(f"s{i}") for i in range(10)), max_parallel=4)
    assert launcher.most == 4


def test_a_step_that_does_not_fit_lets_others_pass(ledger: Ledger) -> None:
    launcher = Play(ledger, room=2)
    run, _ = play(ledger, launcher, *(step(f"s{i}") for i in range(5)), max_parallel=10)
    assert (run.status, launcher.most) == ("succeeded", 2)


def test_a_retried_step_succeeds_with_its_last_attempt(ledger: Ledger) -> None:
    run, events = play(ledger, Play(ledger, {"a": ["bad", "bad", "ok"]}), step("a", retry=RETRY))
    assert (run.status, run.steps["a"].attempt) == ("succeeded", 3)
    assert [e.data["delay"] for e in events if e.event == "step_retrying"] == [0.0, 0.0]


def test_what_the_engine_lost_is_started_again_without_a_retry(ledger: Ledger, quick: None) -> None:
    run, events = play(ledger, Play(ledger, {"a": ["= node-lost", "= deleted", "ok"]}), step("a"))
    assert (run.status, run.steps["a"].attempt) == ("succeeded", 3)
    told = [event.data["error"]["reason"] for event in events if event.event == "step_retrying"]
    assert told == ["node-lost", "deleted"]


def test_retries_are_for_the_steps_own_failures(ledger: Ledger, quick: None) -> None:
    script = ["bad", "= node-lost", "bad", "= node-lost", "ok"]
    run, _ = play(ledger, Play(ledger, {"a": script}), step("a", retry=RETRY))
    assert (run.status, run.steps["a"].attempt) == ("succeeded", 5)


def test_an_engine_that_loses_each_attempt_is_not_asked_for_ever(ledger: Ledger, quick: None) -> None:
    run, _ = play(ledger, Play(ledger, {"a": ["= node-lost"] * 100}), step("a"))
    error = run.steps["a"].error
    assert error is not None and (run.status, run.steps["a"].attempt, error.reason) == ("failed", 6, "node-lost")


@pytest.mark.parametrize("reason", ["config", "forbidden"])
def test_what_would_fail_again_is_not_tried_again(reason: str, ledger: Ledger) -> None:
    run, _ = play(ledger, Play(ledger, {"a": [f"= {reason}"]}), step("a", retry=RETRY))
    assert (run.status, run.steps["a"].attempt) == ("failed", 1)


def test_the_time_of_an_attempt_that_waits_for_its_turn_does_not_run(ledger: Ledger) -> None:
    launcher = Play(ledger, {"a": ["wait"] * 1000 + ["ok"]})
    launcher.begins_later = True
    run, _ = play(ledger, launcher, step("a", timeout=0.000001))
    assert run.status == "succeeded"


def test_its_time_runs_from_its_beginning(ledger: Ledger) -> None:
    launcher = Play(ledger, {"a": ["began"] + ["wait"] * 1_000_000})
    launcher.begins_later = True
    run, _ = play(ledger, launcher, step("a", timeout=0.02))
    error = run.steps["a"].error
    assert error is not None and (error.reason, launcher.stopped[0][2]) == ("timeout", "timeout")


def test_waits_grow_and_are_capped(ledger: Ledger) -> None:
    retry = {"max_retries": 3, "delay": 0.001, "backoff": 3.0, "max_delay": 0.002}
    _, events = play(ledger, Play(ledger, {"a": ["bad", "bad", "bad", "ok"]}), step("a", retry=retry))
    assert [e.data["delay"] for e in events if e.event == "step_retrying"] == [0.001, 0.002, 0.002]


def test_a_waiting_retry_holds_no_slot(ledger: Ledger) -> None:
    retry = {**RETRY, "delay": 0.05}
    _, events = play(ledger, Play(ledger, {"a": ["bad", "ok"]}), step("a", retry=retry), step("b"))
    order = [(e.event, e.step) for e in events if e.step]
    assert order.index(("step_succeeded", "b")) < order.index(("step_succeeded", "a"))


def test_a_process_that_vanished_leaves_a_result_all_the_same(ledger: Ledger) -> None:
    run, _ = play(ledger, Play(ledger, {"a": ["vanish"]}), step("a"))
    written = ledger.result("r1", "a", 1)
    assert run.steps["a"].error is not None and run.steps["a"].error.reason == "signal"
    assert written is not None and written.error == run.steps["a"].error


def test_fail_fast_stops_what_runs_and_skips_the_rest(ledger: Ledger) -> None:
    launcher = Play(ledger, {"bad": ["broken"], "slow": ["wait"] * 3})
    run, _ = play(ledger, launcher, step("slow"), step("bad"), step("next", "bad"), max_parallel=2)
    assert {name: s.status for name, s in run.steps.items()} == {
        "slow": "cancelled",
        "bad": "failed",
        "next": "skipped",
    }
    assert launcher.stopped == [("slow", 1, "cancelled")]


def test_fail_fast_starts_nothing_after_a_late_success(ledger: Ledger) -> None:
    run, _ = play(
        ledger, Play(ledger, {"bad": ["broken"]}), step("bad"), step("late"), step("below", "late"), max_parallel=2
    )
    assert run.steps["below"].status == "skipped" and run.status == "failed"


def test_continue_goes_round_the_failed_step(ledger: Ledger) -> None:
    launcher = Play(ledger, {"bad": ["broken"]})
    run, _ = play(ledger, launcher, step("bad"), step("below", "bad"), step("free"), on_failure="continue")
    assert {name: s.status for name, s in run.steps.items()} == {
        "bad": "failed",
        "below": "skipped",
        "free": "succeeded",
    }
    assert run.steps["below"].reason == "it needs 'bad', which did not succeed"


def test_an_overdue_attempt_is_stopped_and_told_as_timeout(ledger: Ledger) -> None:
    launcher = Play(ledger, {"a": ["wait"] * 1_000_000})
    run, _ = play(ledger, launcher, step("a", timeout=0.02))
    error = run.steps["a"].error
    assert error is not None and (error.reason, launcher.stopped[0][2]) == ("timeout", "timeout")


def test_a_request_to_cancel_ends_the_run(ledger: Ledger) -> None:
    launcher = Play(ledger, {"a": ["wait"] * 100_000})
    launcher.on_poll = lambda self: ledger.request_cancel("r1")
    run, events = play(ledger, launcher, step("a"), step("b", "a"))
    assert run.status == "cancelled" and events[-1].event == "run_cancelled"
    assert {name: s.status for name, s in run.steps.items()} == {"a": "cancelled", "b": "skipped"}


def test_a_worker_may_see_the_request_to_cancel_before_the_walk_does(ledger: Ledger) -> None:
    launcher = Play(ledger, {"a": ["cancelled"], "b": ["wait"] * 100})
    run, _ = play(ledger, launcher, step("a"), step("b"), step("c", "a"), max_parallel=2)
    told = {name: found.status for name, found in run.steps.items()}
    assert (run.status, told) == ("cancelled", {"a": "cancelled", "b": "cancelled", "c": "skipped"})


def test_a_cancelled_run_ends_though_its_last_step_still_succeeds(ledger: Ledger) -> None:
    launcher = Play(ledger)
    launcher.on_poll = lambda self: ledger.request_cancel("r1")
    run, _ = play(ledger, launcher, step("a"), step("b", "a"))
    assert run.status in ("cancelled", "succeeded")


def test_equal_steps_are_answered_from_the_cache(ledger: Ledger) -> None:
    play(ledger, Play(ledger), step("a"), step("b", "a"))
    launcher = Play(ledger)
    run, _ = play(ledger, launcher, step("a"), step("b", "a"))
    assert {s.status for s in run.steps.values()} == {"cached"} and launcher.most == 0


@pytest.mark.parametrize("fields", [{"use_cache": False}, {}])
def test_without_cache_everything_runs(ledger: Ledger, fields: dict[str, bool]) -> None:
    again = step("a", cache=bool(fields))
    play(ledger, Play(ledger), again)
    run, _ = play(ledger, Play(ledger), again, **fields)
    assert run.steps["a"].status == "succeeded"


def test_a_resumed_run_takes_results_from_the_ledger(ledger: Ledger) -> None:
    off = {"cache": False}
    play(ledger, Play(ledger, {"b": ["broken"]}), step("a", **off), step("b", "a", **off))
    launcher = Play(ledger)
    run, events = play(ledger, launcher, step("a", **off), step("b", "a", **off), done={})
    assert run.status == "succeeded" and events[0].data["resumed"] is True
    assert [e.attempt for e in events if e.event == "step_started"] == [2]


def test_thousands_of_ready_steps_all_run(ledger: Ledger) -> None:
    names = [f"s{i}" for i in range(2000)]
    launcher = Play(ledger)
    launcher._leave = lambda job, end: ledger.write_result(StepResult("r1", job.step, 1, "succeeded", 1.0, 2.0))  # type: ignore
    run, _ = play(ledger, launcher, *(step(name, cache=False) for name in names), max_parallel=1)
    assert sum(s.status == "succeeded" for s in run.steps.values()) == 2000


def test_a_step_that_waits_to_be_tried_again_is_cancelled_when_another_fails(ledger: Ledger) -> None:
    launcher = Play(ledger, {"again": ["bad"], "bad": ["wait", "broken"]})
    retry = {**RETRY, "delay": 60.0, "max_delay": 60.0}
    run, _ = play(ledger, launcher, step("again", retry=retry), step("bad"), max_parallel=2)
    assert {name: s.status for name, s in run.steps.items()} == {"again": "cancelled", "bad": "failed"}
    assert run.steps["again"].reason == "stopped because step 'bad' failed"


def test_a_result_whose_artifact_is_gone_is_no_answer(ledger: Ledger) -> None:
    run, _ = play(ledger, Play(ledger), step("a", cache=False))
    ledger.store.delete(run.steps["a"].outputs["output"].uri)
    _, events = play(ledger, Play(ledger), step("a", cache=False), done={})
    assert [e.attempt for e in events if e.event == "step_started"] == [2]


class Adopting(Play):
    """It finds attempts of an earlier walk."""

    found: tuple[tuple[str, int], ...] = ()
    dropped: tuple[tuple[str, int], ...] = ()

    def adopt(self, wanted: Callable[[str, int], bool]) -> list[Adopted]:
        kept = [each for each in self.found if wanted(*each)]
        self.dropped = tuple(each for each in self.found if each not in kept)
        for name, attempt in kept:
            self.jobs[name, attempt] = StepJob("r1", name, attempt, "m:f", {}, {}, (), {}, {}, "")
        return [Adopted(name, attempt, 50.0) for name, attempt in kept]


def adopting(ledger: Ledger, *found: tuple[str, int], **script: list[str]) -> Adopting:
    launcher = Adopting(ledger, script)
    launcher.found = found
    return launcher


def test_a_resumed_walk_goes_on_with_attempts_that_are_going(ledger: Ledger) -> None:
    launcher = adopting(ledger, ("a", 2))
    run, events = play(ledger, launcher, step("a"), step("b", "a"), done={})
    started = [(event.step, event.attempt, event.time) for event in events if event.event == "step_started"]
    assert run.status == "succeeded" and started[0] == ("a", 2, 50.0)
    assert [each[:2] for each in started] == [("a", 2), ("b", 1)]


def test_an_adopted_attempt_is_told_as_one_and_took_as_long_as_it_ran(ledger: Ledger) -> None:
    launcher = adopting(ledger, ("a", 2))
    _, events = play(ledger, launcher, step("a"), step("b", "a"), done={})
    told = {event.step: event.data for event in events if event.event == "step_started"}
    assert told["a"]["adopted"] and told["a"]["running_for"] > 0 and "adopted" not in told["b"]
    assert next(event.data["duration"] for event in events if event.event == "step_succeeded") == 0.0  # it ended before


def test_what_is_not_adopted_is_what_is_done_or_cannot_start_yet(ledger: Ledger) -> None:
    launcher = adopting(ledger, ("a", 1), ("c", 1))
    play(ledger, launcher, step("a"), step("b"), step("c", "b"), done={"a": {}})
    assert launcher.dropped == (("a", 1), ("c", 1))


def test_a_new_run_adopts_nothing(ledger: Ledger) -> None:
    launcher = adopting(ledger, ("a", 7))
    run, _ = play(ledger, launcher, step("a"))
    assert run.steps["a"].attempt == 1


def test_an_adopted_attempt_that_fails_is_tried_again_as_the_next(ledger: Ledger) -> None:
    launcher = adopting(ledger, ("a", 3), a=["broken"])
    run, _ = play(ledger, launcher, step("a", retry=RETRY), done={})
    assert (run.status, run.steps["a"].attempt) == ("succeeded", 4)


def test_an_adopted_attempt_has_the_rest_of_its_time(ledger: Ledger) -> None:
    launcher = adopting(ledger, ("a", 1), a=["wait"] * 10_000)
    run, _ = play(ledger, launcher, step("a", timeout=60.0), done={})
    assert run.steps["a"].error is not None and run.steps["a"].error.reason == "timeout"


class Ahead(Play):
    """Writes down what it is told to get ready for, and what had started by then."""

    foresees = True

    def __init__(self, ledger: Ledger, script: dict[str, list[str]] | None = None) -> None:
        super().__init__(ledger, script)
        self.told: list[tuple[StepJob, set[str]]] = []

    def foresee(self, step: DeployedStep, job: StepJob) -> None:
        self.told.append((job, {name for name, _ in self.jobs}))


def test_a_step_that_waits_for_what_runs_only_is_foreseen(ledger: Ledger) -> None:
    launcher = Ahead(ledger)
    late = step("c", inputs={"x": ("b", "output"), "y": ("a", "output")})
    run, _ = play(ledger, launcher, step("a"), step("b", inputs={"x": ("a", "output")}), late)
    assert run.status == "succeeded"
    assert [(job.step, job.attempt, running) for job, running in launcher.told] == [("b", 1, {"a"}), ("c", 1, {"b"})]
    foreseen = launcher.told[1][0]
    assert foreseen.inputs["x"] == ("b", "output")  # for the worker to look up
    assert foreseen.inputs["y"] == run.steps["a"].outputs["output"]
    assert (foreseen.fingerprint, foreseen.use_cache) == ({"code": "c"}, False)


def test_no_more_is_foreseen_than_may_run_at_a_time(ledger: Ledger) -> None:
    launcher = Ahead(ledger)
    play(ledger, launcher, step("a"), *(step(f"s{i}", "a") for i in range(9)), max_parallel=2)
    assert [job.step for job, running in launcher.told if "a" in running] == ["s0", "s1"]


def test_nothing_is_foreseen_where_an_attempt_has_been_before(ledger: Ledger) -> None:
    launcher = Ahead(ledger)
    play(ledger, launcher, step("a"), step("b", "a"), done={})
    assert launcher.told == []


def test_what_an_attempt_waits_for_is_an_event(ledger: Ledger) -> None:
    run, events = play(ledger, Play(ledger, {"a": ["? no room", "? no image", "began", "ok"]}), step("a"))
    waits = [(each.step, each.attempt, each.data) for each in events if each.event == "step_waiting"]
    assert waits == [("a", 1, {"reason": "no room"}), ("a", 1, {"reason": "no image"})]
    assert (run.status, run.steps["a"].reason) == ("succeeded", "")

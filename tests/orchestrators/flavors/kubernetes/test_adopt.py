"""A launcher that is dropped in the middle of a run, and the next one that takes its pods over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from kube import until
from pod_bench import Pods, step

from runner.orchestrators.container import ATTEMPT, STEP
from runner.orchestrators.flavors.kubernetes.launcher import PodLauncher
from runner.orchestrators.flavors.kubernetes.pods import pod_of
from runner.orchestrators.flavors.kubernetes.status import is_leaving, is_over, state
from runner.plan.deployment import DeployedStep, StepJob
from runner.records import Event, Run, fold

pytestmark = pytest.mark.engine("kubernetes")


class Dropped:
    """Attempts that a launcher has started, which nobody listens to any more."""

    def __init__(self, pods: Pods, *steps: DeployedStep) -> None:
        self.pods = pods
        self.steps = steps
        self.deployment = pods.deployment(*steps)
        pods.ledger.write_deployment(self.deployment)
        self.launcher = pods.launcher(self.deployment)

    def start(self, name: str, attempt: int = 1) -> None:
        self.launcher.start(self.deployment.steps[name], self.job(name, attempt))
        until(lambda: self.pod(name, attempt))

    def body(self, name: str) -> dict[str, Any]:
        """The pod of its first attempt, which nobody makes."""
        step, mark = self.deployment.steps[name], self.launcher.mark
        return pod_of(self.deployment, step, self.job(name, 1), self.pods.settings, mark, self.pods.owner)

    def job(self, name: str, attempt: int) -> StepJob:
        step = self.deployment.steps[name]
        job = StepJob(self.pods.run_id, name, attempt, step.entrypoint, {}, step.parameters, (), {}, {}, "/nowhere")
        return job._replace(artifact_store=self.pods.store, secret_store=self.deployment.secret_store)

    def pod(self, name: str, attempt: int = 1) -> dict[str, Any] | None:
        wanted = {STEP: name, ATTEMPT: str(attempt)}
        return next((each for each in self.pods.pods() if wanted.items() <= each["metadata"]["labels"].items()), None)

    def resumed(self, done: Any = None) -> Run:
        events = self.pods.events(*self.steps, done=done or {})
        return fold(event for event in events if isinstance(event, Event))


@pytest.fixture
def dropped(pods: Pods) -> Iterator[Dropped]:
    steps = (step("a", "stay", parameters={"seconds": 5}), step("b", "value", after=("a",), parameters={"x": 1}))
    found = Dropped(pods, *steps)
    yield found
    found.launcher.close()


def test_a_pod_that_still_runs_is_gone_on_with(dropped: Dropped) -> None:
    dropped.start("a")
    run = dropped.resumed()
    assert (run.status, run.steps["a"].attempt, run.steps["b"].attempt) == ("succeeded", 1, 1)


def test_a_pod_that_has_finished_meanwhile_counts(dropped: Dropped) -> None:
    dropped.start("a")
    until(lambda: is_over(dropped.pod("a") or {}))
    run = dropped.resumed()
    assert (run.status, run.steps["a"].attempt) == ("succeeded", 1)


def test_one_that_was_deleted_meanwhile_is_run_again(dropped: Dropped) -> None:
    dropped.start("a")
    until(lambda: dropped.pods.ledger.started(dropped.pods.run_id, "a", 1))
    dropped.pods.cluster.delete("pods", dropped.launcher.going["a", 1].name, grace=0)
    run = dropped.resumed()
    assert (run.status, run.steps["a"].attempt) == ("succeeded", 2)


def test_one_whose_failure_nobody_told_is_told_of(pods: Pods) -> None:
    failed = Dropped(pods, step("a", "value", container={"image": "python:3.11-slim"}, parameters={"x": 1}))
    failed.start("a")
    until(lambda: is_over(failed.pod("a") or {}))
    run = failed.resumed()
    failed.launcher.close()
    error = run.steps["a"].error
    assert error is not None and (run.steps["a"].attempt, error.reason) == (1, "image")


def test_a_pod_of_a_step_that_is_done_is_gone_before_anything_starts(dropped: Dropped) -> None:
    dropped.start("a")
    until(lambda: state(dropped.pod("a") or {}, "running"))
    next_one: PodLauncher = dropped.pods.launcher(dropped.deployment)
    assert next_one.adopt(lambda step, attempt: False) == []
    next_one.close()
    left = dropped.pod("a")
    assert left is None or is_over(left) or is_leaving(left)


def test_of_two_attempts_the_newest_counts(dropped: Dropped) -> None:
    dropped.start("a", 1)
    dropped.start("a", 2)
    next_one: PodLauncher = dropped.pods.launcher(dropped.deployment)
    (adopted,) = next_one.adopt(lambda step, attempt: step == "a")
    next_one.close()
    assert (adopted.step, adopted.attempt) == ("a", 2)


def test_a_pod_that_was_made_already_is_gone_on_with(dropped: Dropped) -> None:
    """An earlier request whose answer was lost looks the same."""
    dropped.start("a")
    events = dropped.pods.events(*dropped.steps)  # a walk that knows of nothing
    run = fold(event for event in events if isinstance(event, Event))
    assert (run.status, run.steps["a"].attempt, len(dropped.pods.pods())) == ("succeeded", 1, 2)


def test_a_pod_of_the_same_name_that_is_leaving_is_waited_for(dropped: Dropped) -> None:
    body = dropped.body("a")
    body["spec"]["containers"][0]["command"] = ["sleep", "600"]  # it writes nothing down, and does not hear SIGTERM
    before = dropped.pods.cluster.create("pods", body)["metadata"]
    until(lambda: state(dropped.pod("a") or {}, "running"))
    dropped.pods.cluster.delete("pods", before["name"], grace=6)
    run = fold(event for event in dropped.pods.events(*dropped.steps) if isinstance(event, Event))
    after = (dropped.pod("a") or {})["metadata"]
    assert (run.status, after["name"], after["uid"] != before["uid"]) == ("succeeded", before["name"], True)

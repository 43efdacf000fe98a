"""Why an attempt ended, from what a real cluster said of its pod (`seen/`) and what it left in the ledger."""

from __future__ import annotations

from typing import Any

import pytest
from pod_bench import seen

from runner.orchestrators.base import AttemptEnded
from runner.orchestrators.flavors.kubernetes.endings import told
from runner.plan.deployment import DeployedStep
from runner.records import REASONS, Failure, StepResult

MB = 1024 * 1024


def result(status: str = "failed", reason: str = "exception", type: str = "") -> StepResult:
    error = None if status == "succeeded" else Failure(reason, "words", type)
    return StepResult("r1", "a", 1, status, 1.0, 2.0, error=error)


def ending(pod: dict[str, Any], left: StepResult | None = None, gone: bool = False, **resources: Any) -> AttemptEnded:
    found = told(DeployedStep("a", "m:f", resources=resources), 1, pod, left, gone=gone)
    assert not found.reason or found.reason in REASONS
    return found


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("oom", "out-of-memory", "it took more than its memory of 96Mi, and the kernel killed it"),
        ("exit", "exit", "its container ended with exit code 1 and left no result: error: the process ended with exit"),
        ("no-python", "image", "its image has no 'python', which the step is started with"),
        ("no-runner", "image", "its image has no runner"),
        ("init", "container", "its init container 'first' ended with exit code 1"),
        ("deadline", "deadline", "Pod was active on the node longer than the specified deadline"),
        ("evicted", "evicted", "Pod ephemeral local storage usage exceeds the total limit of containers 10Mi."),
        ("deleted", "deleted", "its pod was deleted from outside"),
    ],
)
def test_reasons(name: str, reason: str, words: str) -> None:
    found = ending(seen(name))
    assert found.reason == reason and words in found.message


def test_memory_is_told_as_the_step_wrote_it() -> None:
    assert "its memory of 96MiB, and" in ending(seen("oom"), memory=96 * MB).message
    found = ending(seen("oom-shm"), memory=96 * MB, shm=8 * MB)
    assert (
        found.message == "it took more than its memory of 96MiB, and the 8MiB of its /dev/shm, and the kernel killed it"
    )


def test_a_step_whose_worker_outlived_it_had_too_little_memory_all_the_same() -> None:
    assert ending(seen("exit"), result(reason="out-of-memory"), memory=96 * MB).reason == "out-of-memory"


def test_a_failure_of_the_steps_own_code_stays_what_it_is() -> None:
    left = result(type="ValueError")
    found = ending(seen("exit"), left)
    assert (found.reason, found.result) == ("", left)


@pytest.mark.parametrize("name", ["oom", "deleted", "deadline", "exit"])
def test_a_success_is_a_success_however_its_pod_ended(name: str) -> None:
    left = result("succeeded")
    found = ending(seen(name), left)
    assert (found.reason, found.result) == ("", left)


def test_what_a_step_makes_of_its_pods_deletion_does_not_count() -> None:
    assert ending(seen("deleted"), result(type="KeyboardInterrupt")).reason == "deleted"


def test_an_attempt_that_had_begun_elsewhere_is_the_clusters_fault() -> None:
    found = ending(seen("exit"), result(reason="lost"))
    assert (found.reason, found.message) == ("node-lost", "words")


def test_a_pod_that_has_vanished_was_deleted() -> None:
    assert ending(seen("running"), gone=True).reason == "deleted"


def test_a_pod_that_ended_before_it_was_deleted_ended_by_itself() -> None:
    assert ending(seen("exit"), gone=True).reason == "exit"


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod"),
        ("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"),
        ("EvictionByEvictionAPI", "Eviction API: evicting"),
    ],
)
def test_what_newer_clusters_say_of_disruptions(reason: str, message: str) -> None:
    """Conditions as Kubernetes 1.26 and later write them; the cluster of these tests is older."""
    pod = seen("deleted")
    pod["status"]["conditions"].append(
        {"type": "DisruptionTarget", "status": "True", "reason": reason, "message": message}
    )
    found = ending(pod, result(reason="signal"))
    assert found.reason == "node-lost" and found.message.endswith(message)


@pytest.mark.parametrize(
    ("word", "message", "reason"),
    [
        ("Evicted", "The node was low on resource: memory.", "evicted"),
        ("NodeLost", "Node runner-test which was running pod is unresponsive", "node-lost"),
        ("Terminated", "Pod was terminated in response to imminent node shutdown.", "node-lost"),
        ("OutOfcpu", "Pod Node didn't have enough resource: cpu", "node-lost"),
        ("UnexpectedAdmissionError", "Allocate failed due to device plugin", "node-lost"),
    ],
)
def test_what_nodes_say_themselves(word: str, message: str, reason: str) -> None:
    """Words of the kubelet's and the controllers' own source; the node of these tests is in good health."""
    pod = seen("running")
    pod["status"] |= {"phase": "Failed", "reason": word, "message": message, "containerStatuses": []}
    found = ending(pod)
    assert found.reason == reason and message in found.message


def test_what_runner_asked_for_is_its_own_reason() -> None:
    found = told(DeployedStep("a", "m:f"), 1, seen("deleted"), None, asked=("timeout", ""))
    assert found.reason == "timeout"


@pytest.mark.parametrize(("code", "reason"), [(74, "store"), (137, "killed")])
def test_exit_codes(code: int, reason: str) -> None:
    pod = seen("exit")
    pod["status"]["containerStatuses"][0]["state"]["terminated"] |= {"exitCode": code, "message": "a\nlast words\n"}
    found = ending(pod)
    assert found.reason == reason and (reason != "store" or found.message == "last words")

"""The pod of one attempt."""

from __future__ import annotations

from typing import Any

from runner.orchestrators.container import mark_of
from runner.orchestrators.flavors.kubernetes.pods import deadline, filled, pod_of, resources_of
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings
from runner.plan.deployment import DeployedStep, Deployment, StepJob

SETTINGS = KubernetesSettings(kubernetes_context="c")
STORE = {"flavor": "s3", "path": "s3://b/p"}


def pod(step: DeployedStep, **deployed: Any) -> dict[str, Any]:
    deployment = Deployment("r1", "p", "s", "kubernetes", {step.name: step}, STORE, "/p", **deployed)
    job = StepJob("r1", step.name, 3, step.entrypoint, {}, {}, (), {}, STORE, "/p")
    return pod_of(deployment, step, job, SETTINGS, mark_of("r1", STORE), {"kind": "Job", "uid": "u"})


def test_each_attempt_is_a_pod_of_its_own() -> None:
    metadata = pod(DeployedStep("fit", "m:f"))["metadata"]
    assert metadata["name"].startswith("runner-r1-fit-3-") and metadata["labels"]["runner/attempt"] == "3"
    assert metadata["ownerReferences"] == [{"kind": "Job", "uid": "u"}]


def test_nothing_is_limited_that_nobody_asked_for() -> None:
    (container,) = pod(DeployedStep("fit", "m:f"))["spec"]["containers"]
    assert "requests" not in container.get("resources", {})
    assert "activeDeadlineSeconds" not in pod(DeployedStep("fit", "m:f"))["spec"]


def test_shared_memory_is_added_to_the_steps_own() -> None:
    made = pod(DeployedStep("fit", "m:f", resources={"memory": 2**30, "shm": 2**20}))["spec"]
    assert made["containers"][0]["resources"]["limits"]["memory"] == "1025Mi"
    assert made["volumes"] == [{"name": "runner-shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}]


def test_no_accelerator_is_asked_for_by_zero() -> None:
    assert resources_of({"gpu_count": 0}, "nvidia.com/gpu") == {}


def test_the_deadline_leaves_time_to_start() -> None:
    assert deadline(DeployedStep("a", "m:f", timeout=60.5), SETTINGS) == 661
    assert deadline(DeployedStep("a", "m:f", timeout=1.0, settings={"startup_timeout": 30.0}), SETTINGS) == 31


def test_a_steps_pod_has_no_token_unless_it_says_so() -> None:
    assert pod(DeployedStep("a", "m:f"))["spec"]["automountServiceAccountToken"] is False
    asked = DeployedStep("a", "m:f", settings={"pod": {"automountServiceAccountToken": True}})
    assert pod(asked)["spec"]["automountServiceAccountToken"] is True


def test_secrets_of_other_stores_are_left_to_the_worker() -> None:
    made = pod(DeployedStep("a", "m:f", environment={"A": "${secrets.B}"}), secret_store={"flavor": "aws"})
    assert not [each for each in made["spec"]["containers"][0]["env"] if each["name"] in ("A", "RUNNER_SECRET_B")]


def test_a_runs_id_is_filled_in_and_its_escape_taken_away() -> None:
    assert filled({"a": ["x-${run.id}", "$${run.id}", 3]}, "r1") == {"a": ["x-r1", "${run.id}", 3]}

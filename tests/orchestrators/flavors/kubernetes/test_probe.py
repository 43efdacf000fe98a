"""The pod that opens a stack's artifact store from inside of the cluster."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

from runner.orchestrators.flavors.kubernetes.probe import _Stuck, _waits, inside, job_of
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings

SETTINGS = KubernetesSettings(kubernetes_context="c", kubernetes_namespace="ml", image_pull_secrets=("registry",))
COMPONENTS = {
    "artifact_store": {"flavor": "s3", "path": "s3://bucket/$(HOME)", "access_key_id": "${secrets.STORE_ID}"},
    "secret_store": {"flavor": "kubernetes", "secret": "ml-secrets"},
}


@pytest.fixture
def job() -> dict[str, Any]:
    return job_of(SETTINGS, COMPONENTS, "registry.example.com/step:1", 60.0, "runner-controller")


def test_an_image_that_nobody_knows_is_not_tried_and_no_cluster_is_asked() -> None:
    (check,) = inside(SETTINGS, COMPONENTS, None)
    assert check.ok and check.told.startswith("not tried") and "runner build" in check.told


@pytest.mark.parametrize("version", ["1.25", kubernetes_validate.latest_version()])
def test_kubernetes_takes_it(job: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(job, version, strict=True)


def test_it_is_like_a_controllers_pod(job: dict[str, Any]) -> None:
    spec = job["spec"]["template"]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] and spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert spec["serviceAccountName"] == "runner-controller"


def test_secrets_are_references_and_text_is_handed_over_as_it_is(job: dict[str, Any]) -> None:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    secret = {"name": "ml-secrets", "key": "STORE_ID", "optional": True}
    assert {"name": "RUNNER_SECRET_STORE_ID", "valueFrom": {"secretKeyRef": secret}} in container["env"]
    assert container["command"][:3] == ["python", "-m", "runner.worker.probe"]
    assert "s3://bucket/$$(HOME)" in container["command"][3]


def test_whatever_becomes_of_us_it_ends_and_is_tried_once(job: dict[str, Any]) -> None:
    assert (job["spec"]["backoffLimit"], job["spec"]["activeDeadlineSeconds"]) == (0, 120)
    assert job["spec"]["ttlSecondsAfterFinished"] == 60


def test_without_an_account_there_is_no_token_in_it() -> None:
    spec = job_of(SETTINGS, COMPONENTS, "i", 60.0, None)["spec"]["template"]["spec"]
    assert "serviceAccountName" not in spec and spec["automountServiceAccountToken"] is False


def pod(reason: str, message: str) -> dict[str, Any]:
    status = {"name": "step", "image": "i:1", "state": {"waiting": {"reason": reason, "message": message}}}
    return {"spec": {"nodeName": "n"}, "status": {"phase": "Pending", "containerStatuses": [status]}}


def test_an_image_that_cannot_be_pulled_is_not_waited_for() -> None:
    with pytest.raises(_Stuck) as caught:
        _waits(pod("ErrImagePull", "manifest for i:1 not found"))
    assert "manifest for i:1 not found" in caught.value.told and "runner build" in (caught.value.help or "")


def test_a_container_that_is_being_made_is_waited_for() -> None:
    assert _waits(pod("ContainerCreating", "")).reason == "container"


def test_a_node_is_waited_for_and_the_scheduler_is_quoted() -> None:
    condition = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    wait = _waits({"spec": {}, "status": {"phase": "Pending", "conditions": [condition]}})
    assert wait.reason == "unschedulable" and "0/3 nodes are available" in wait.message

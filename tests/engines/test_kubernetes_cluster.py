"""The cluster that `make engines` starts does what pods of tests need of one."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from kube import Kube, until

from runner.orchestrators.cluster_api import Cluster

pytestmark = pytest.mark.engine("kubernetes")

ASK_THE_API = """
import os, ssl, urllib.request
account = "/var/run/secrets/kubernetes.io/serviceaccount"
host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
asked = urllib.request.Request(f"https://{host}:{port}/version")
asked.add_header("Authorization", "Bearer " + open(f"{account}/token").read())
print(urllib.request.urlopen(asked, context=ssl.create_default_context(cafile=f"{account}/ca.crt")).status)
"""


@pytest.fixture(autouse=True)
def _base_image(python_image: str) -> None:
    """What all pods here are of."""


def pod(image: str, script: str, **limits: str) -> dict[str, Any]:
    """A pod's specification: this script of Python, once."""
    container = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "resources": {"limits": limits}}
    container["command"] = ["python3", "-c", script]
    return {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container]}


def ended(cluster: Cluster, spec: dict[str, Any]) -> dict[str, Any]:
    """A pod of this specification that has come to its end."""
    name = f"p{uuid.uuid4().hex[:8]}"
    cluster.create("pods", {"metadata": {"name": name}, "spec": spec})
    found: dict[str, Any] = until(lambda: _over(cluster.get("pods", name)))
    return found


def _over(found: Any) -> Any:
    return found if found["status"].get("phase") in ("Succeeded", "Failed") else None


def log(cluster: Cluster, found: dict[str, Any]) -> str:
    text: str = cluster.log(found["metadata"]["name"]).read().decode()
    return text


def test_a_job_runs_to_completion_and_its_log_comes_back(in_cluster: Cluster, plain_image: str) -> None:
    body = {"metadata": {"name": "greets"}, "spec": {"template": {"spec": pod(plain_image, "print('hello')")}}}
    in_cluster.create("jobs", body)
    until(lambda: in_cluster.get("jobs", "greets")["status"].get("succeeded"))
    (greeted,) = in_cluster.list("pods", "job-name=greets")[0]
    assert log(in_cluster, greeted) == "hello\n"


def test_a_finished_job_goes_when_its_time_is_over(in_cluster: Cluster, plain_image: str) -> None:
    spec = {"template": {"spec": pod(plain_image, "pass")}, "ttlSecondsAfterFinished": 1}
    in_cluster.create("jobs", {"metadata": {"name": "goes"}, "spec": spec})
    until(lambda: in_cluster.get("jobs", "goes") is None)
    until(lambda: in_cluster.list("pods", "job-name=goes")[0] == [])


def test_a_pod_over_its_memory_is_killed_and_says_so(in_cluster: Cluster, plain_image: str) -> None:
    found = ended(in_cluster, pod(plain_image, "bytearray(300 << 20)", memory="64Mi"))
    state = found["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (state["reason"], state["exitCode"]) == ("OOMKilled", 137)


def test_a_pod_over_its_disk_is_evicted(in_cluster: Cluster, plain_image: str) -> None:
    spec = pod(plain_image, "open('/full/file', 'wb').write(bytes(60 << 20)); import time; time.sleep(600)")
    spec["volumes"] = [{"name": "full", "emptyDir": {"sizeLimit": "20Mi"}}]
    spec["containers"][0]["volumeMounts"] = [{"name": "full", "mountPath": "/full"}]
    assert ended(in_cluster, spec)["status"]["reason"] == "Evicted"


def test_a_pod_and_this_machine_reach_one_s3(in_cluster: Cluster, plain_image: str, kube_s3_endpoint: str) -> None:
    script = f"import urllib.request as u; print(u.urlopen('{kube_s3_endpoint}/bucket').status)"
    assert log(in_cluster, ended(in_cluster, pod(plain_image, script))) == "200\n"


def test_the_account_of_a_pod_reaches_the_api(in_cluster: Cluster, plain_image: str) -> None:
    assert log(in_cluster, ended(in_cluster, pod(plain_image, ASK_THE_API))) == "200\n"


@pytest.mark.engine("registry")
def test_a_pod_of_an_image_in_the_registry(in_cluster: Cluster, kube_image: str) -> None:
    found = ended(in_cluster, pod(kube_image, "import runner.worker; print('it works')"))
    assert log(in_cluster, found) == "it works\n"
    assert "@sha256:" in kube_image


def test_a_command_finds_the_cluster_by_its_context(kube: Kube, kubeconfig: str) -> None:
    from kubernetes import config

    assert kube.context in [each["name"] for each in config.list_kube_config_contexts()[0]]

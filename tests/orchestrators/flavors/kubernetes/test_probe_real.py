"""From inside of a real cluster: an image that is there, one that is not, a store that answers, one that does not."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import io
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from kube import Kube, until
from packaging.requirements import Requirement

from runner.checks import Check
from runner.orchestrators.cluster_api import Cluster
from runner.orchestrators.flavors.kubernetes.names import CONTROLLER
from runner.orchestrators.flavors.kubernetes.probe import _ended, _Stuck, inside, job_of
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings

pytestmark = [pytest.mark.engine("kubernetes"), pytest.mark.engine("docker")]
SECRETS = {"flavor": "kubernetes", "secret": "of-the-store"}
PATIENT = 240.0  # seconds: this machine may be busy with other tests


@pytest.fixture(scope="module")
def s3_image(worker_image: str, python_image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tag of an image that has runner, and what it needs for S3."""
    needs = list(needed("obstore"))
    versions = " ".join(sorted(f"{each.name}=={each.version}" for each in needs))
    with open(tmp_path_factory.getbasetemp().parent / "s3-image.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other processes of these tests want it too
        files = dict(file for each in needs for file in files_of(each))
        base = built(f"FROM {python_image}\nCOPY packages /opt/packages\n", versions, files)
        return built(
            f"FROM {base}\nENV PYTHONPATH=/opt/packages\nCOPY --from={worker_image} /opt/packages /opt/packages\n"
        )


def built(text: str, content: str = "", files: Mapping[str, Path] | None = None) -> str:
    """The tag of what a Dockerfile makes; `content` tells what `files`, name → path, are."""
    text += "LABEL runner/test-image=s3\n"
    tag = f"localhost/runner-test/s3:{hashlib.sha256((text + content).encode()).hexdigest()[:16]}"
    if subprocess.run(["docker", "image", "inspect", tag], capture_output=True).returncode == 0:
        return tag
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        about = tarfile.TarInfo("Dockerfile")
        about.size = len(text)
        tar.addfile(about, io.BytesIO(text.encode()))
        for name, path in (files or {}).items():
            tar.add(path, f"packages/{name}", filter=readable)
    environ = {**os.environ, "DOCKER_BUILDKIT": "0"}
    subprocess.run(["docker", "build", "-q", "-t", tag, "-"], input=made.getvalue(), check=True, env=environ)
    return tag


def readable(about: tarfile.TarInfo) -> tarfile.TarInfo:
    about.mode |= 0o444
    return about


def needed(name: str, seen: set[str] | None = None) -> Iterator[importlib.metadata.Distribution]:
    """A distribution that is installed here, and all that it needs."""
    seen = set() if seen is None else seen
    if name.lower() in seen:
        return
    seen.add(name.lower())
    found = importlib.metadata.distribution(name)
    yield found
    for line in found.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield from needed(requirement.name, seen)


def files_of(found: importlib.metadata.Distribution) -> Iterator[tuple[str, Path]]:
    for file in found.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            yield str(file), Path(str(found.locate_file(file)))


@pytest.fixture
def settings(kube: Kube, kube_namespace: str, kubeconfig: str, in_cluster: Cluster) -> KubernetesSettings:
    """Of a stack in the namespace of these tests, where the login of the store is a Secret and no run has been yet."""
    in_cluster.delete("serviceaccounts", CONTROLLER)  # other tests leave it in the namespace
    values = {"STORE_ID": "an-id", "STORE_KEY": "a-long-key"}
    in_cluster.delete("secrets", SECRETS["secret"])
    in_cluster.create("secrets", {"metadata": {"name": SECRETS["secret"]}, "stringData": values})
    return KubernetesSettings(kubernetes_context=kube.context, kubernetes_namespace=kube_namespace)


def store(endpoint: str) -> dict[str, dict[str, Any]]:
    login = {"access_key_id": "${secrets.STORE_ID}", "secret_access_key": "${secrets.STORE_KEY}"}
    place = {"flavor": "s3", "path": "s3://bucket/doctor", "endpoint_url": endpoint, "region": "us-east-1"}
    return {"artifact_store": place | login, "secret_store": SECRETS}


def nothing_left(cluster: Cluster) -> bool:
    """Whether nothing of the trials is in the namespace any more, once what is deleted is gone."""
    selector = "app.kubernetes.io/component=doctor"
    return bool(until(lambda: not any(cluster.list(plural, selector)[0] for plural in ("jobs", "pods"))))


def tried(settings: KubernetesSettings, endpoint: str, image: str | None) -> list[Check]:
    return list(inside(settings, store(endpoint), image, PATIENT))


def test_a_store_that_answers(
    settings: KubernetesSettings, kube_s3_endpoint: str, s3_image: str, in_cluster: Cluster
) -> None:
    pod, opened = tried(settings, kube_s3_endpoint, s3_image)
    assert pod.ok and f"'{s3_image}' as service account 'default'" in pod.told
    assert opened.ok and opened.told.startswith("s3://bucket/doctor: wrote, read and deleted an object")
    assert nothing_left(in_cluster)


def test_the_account_of_controllers_is_tried_once_it_is_there(
    settings: KubernetesSettings, s3_image: str, in_cluster: Cluster
) -> None:
    in_cluster.create("serviceaccounts", {"metadata": {"name": CONTROLLER}})
    pod, _ = tried(settings, "http://127.0.0.1:1", s3_image)
    assert pod.ok and f"as service account '{CONTROLLER}'" in pod.told


def test_a_store_that_pods_do_not_reach(settings: KubernetesSettings, s3_image: str, in_cluster: Cluster) -> None:
    pod, opened = tried(settings, "http://127.0.0.1:1", s3_image)  # which in a pod is the pod
    assert pod.ok and not opened.ok and "http://127.0.0.1:1 cannot be reached" in opened.told
    assert (opened.help or "").startswith("from inside of the cluster: ") and nothing_left(in_cluster)


def test_a_secret_that_the_store_needs_and_pods_do_not_have(
    settings: KubernetesSettings, kube_s3_endpoint: str, s3_image: str, in_cluster: Cluster
) -> None:
    in_cluster.delete("secrets", SECRETS["secret"])
    _, opened = tried(settings, kube_s3_endpoint, s3_image)
    assert not opened.ok and "STORE_ID" in opened.told


def test_an_image_that_is_not_there(settings: KubernetesSettings, registry: str, in_cluster: Cluster) -> None:
    (pod,) = tried(settings, "http://127.0.0.1:1", f"{registry}/runner-test/no-such-image:1")
    assert not pod.ok and "no-such-image:1' cannot be pulled: " in pod.told and "runner build" in (pod.help or "")
    assert nothing_left(in_cluster)


def test_an_image_without_runner(settings: KubernetesSettings, plain_image: str, python_image: str) -> None:
    (pod,) = tried(settings, "http://127.0.0.1:1", plain_image)
    assert not pod.ok and "No module named 'runner'" in pod.told and pod.help


def test_a_namespace_that_lets_no_such_pod_in(
    settings: KubernetesSettings, plain_image: str, in_cluster: Cluster
) -> None:
    named = settings.model_copy(update={"service_account_name": "nobody-made-it"})
    (pod,) = inside(named, store("http://127.0.0.1:1"), plain_image, PATIENT)
    assert not pod.ok and "nobody-made-it" in pod.told and nothing_left(in_cluster)


def test_the_scheduler_is_quoted_when_time_is_up(settings: KubernetesSettings, in_cluster: Cluster) -> None:
    job = job_of(settings, store("http://127.0.0.1:1"), "i", 5.0, None)
    job["spec"]["template"]["spec"]["nodeSelector"] = {"no-such-label": "1"}
    in_cluster.create("jobs", job)
    try:
        with pytest.raises(_Stuck, match="nodes are available") as caught:
            until(lambda: in_cluster.list("pods", f"job-name={job['metadata']['name']}")[0])
            _ended(in_cluster, job, 5.0)
    finally:
        in_cluster.delete("jobs", job["metadata"]["name"], propagation="Background")
    assert "kubectl get nodes" in (caught.value.help or "")

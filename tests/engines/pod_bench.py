"""A run whose attempts are pods of a real cluster, walked from the process of the tests."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import importlib.metadata
import io
import json
import os
import re
import subprocess
import tarfile
import tomllib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kube import Kube
from object_stores import SECRETS

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.materializers import load
from runner.artifact_store.stores import open_store
from runner.engine.images import made_images
from runner.orchestrators.cluster_api import Cluster
from runner.orchestrators.container import MARK, mark_of
from runner.orchestrators.flavors.kubernetes.launcher import PodLauncher
from runner.orchestrators.flavors.kubernetes.orchestrator import KubernetesOrchestrator
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings
from runner.orchestrators.walk import walk
from runner.plan.deployment import DeployedStep, Deployment
from runner.records import Artifact, Event, LogLines, Run, fold

SEEN = Path(__file__).parent.parent / "orchestrators/flavors/kubernetes/seen"
PYPROJECT = Path(__file__).parent.parent.parent / "pyproject.toml"
STEPS = """
import os, sys, time

def value(x): return x
def exits(code): os._exit(code)
def fails(): raise ValueError("on purpose")
def say(line): print(line)
def eat(size):
    print("so hungry", flush=True)
    block = bytearray(size)
    for i in range(0, size, 4096):
        block[i] = 1
    time.sleep(600)
def who():
    home = os.path.expanduser("~")
    return [os.getuid(), os.getgid(), os.access(home, os.W_OK), os.getcwd() == sys.path[0]]
def room(path): return os.statvfs(path).f_blocks * os.statvfs(path).f_frsize
def environment(names): return [os.environ.get(name, "") for name in names]
def stay(seconds):
    print("I stay", flush=True)
    time.sleep(seconds)
    return seconds
def fill(path, size):
    with open(path, "wb") as file:
        file.write(b"x" * size)
    time.sleep(600)
def stubborn():
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
"""


def step(name: str, function: str, **fields: Any) -> DeployedStep:
    return DeployedStep(name, f"pod_steps:{function}", **{"cache": False, **fields})


class Pods:
    """Runs deployments in a namespace; each has a run id of its own."""

    def __init__(self, connect: Callable[[], Cluster], image: str, store: dict[str, Any], **settings: Any) -> None:
        self.connect = connect
        self.cluster = connect()
        self.image = image
        self.store = store
        self.ledger = Ledger(open_store(store))
        self.run_id = f"r{uuid.uuid4().hex[:12]}"
        self.settings = KubernetesSettings(
            kubernetes_context="c", kubernetes_namespace=self.cluster.namespace, **settings
        )
        self.cluster.create("secrets", {"metadata": {"name": self.run_id}, "stringData": SECRETS})
        self.address = ""  # at which pods reach this process, when they shall
        self.code = archived(self.ledger, "pod_steps.py", STEPS)
        self.owner = self._owner()

    def deployment(self, *steps: DeployedStep, **fields: Any) -> Deployment:
        named = {one.name: self._in_image(one) for one in steps}
        secrets = {"flavor": "kubernetes", "secret": self.run_id}
        fields = {"on_failure": "continue", "secret_store": secrets} | fields
        return Deployment(self.run_id, "p", "s", "kubernetes", named, self.store, "/nowhere", **fields)

    def launcher(self, deployment: Deployment, cluster: Cluster | None = None) -> PodLauncher:
        return PodLauncher(cluster or self.connect(), deployment, self.ledger, self.settings, self.owner, self.address)

    def events(
        self, *steps: DeployedStep, done: Any = None, cluster: Cluster | None = None, **fields: Any
    ) -> Iterator[Event | LogLines]:
        deployment = self.deployment(*steps, **fields)
        self.ledger.write_deployment(deployment)
        launcher = self.launcher(deployment, cluster)
        return walk(deployment, self.ledger, launcher, max_parallel=self.settings.max_parallel, done=done)

    def run(self, *steps: DeployedStep, **fields: Any) -> Run:
        return fold(event for event in self.events(*steps, **fields) if isinstance(event, Event))

    def value(self, artifact: Artifact) -> Any:
        return load(artifact, self.ledger.store, Path("/nowhere"))

    def output(self, *steps: DeployedStep, **fields: Any) -> Any:
        """What the last of these steps returned."""
        found = self.run(*steps, **fields).steps[steps[-1].name]
        assert found.status == "succeeded", found
        return self.value(found.outputs["output"])

    def error(self, *steps: DeployedStep, **fields: Any) -> tuple[str, str]:
        """Reason and message of the last of these steps."""
        found = self.run(*steps, **fields).steps[steps[-1].name]
        assert found.error is not None, found
        return found.error.reason, found.error.message

    def log(self, name: str, attempt: int = 1) -> str:
        return self.ledger.log(self.run_id, name, attempt)

    def with_settings(self, **settings: Any) -> Pods:
        self.settings = KubernetesSettings(**{**self.settings.model_dump(exclude_unset=True), **settings})
        return self

    def pods(self) -> list[dict[str, Any]]:
        """Those of this run, whatever has become of them."""
        return self.cluster.list("pods", f"{MARK}={mark_of(self.run_id, self.store)}")[0]

    def patch_status(self, pod: str, patch: dict[str, Any]) -> None:
        """Say something of a pod, as the parts of a cluster do."""
        path = f"/api/v1/namespaces/{self.cluster.namespace}/pods/{pod}/status"
        self.cluster._json("patch", "pods", "PATCH", path, patch, "application/strategic-merge-patch+json")

    def remove(self) -> None:
        """Delete everything of it."""
        self.cluster.delete("secrets", self.run_id)
        self.cluster.delete("jobs", self.owner["name"], propagation="Background")
        for pod in self.pods():
            self.cluster.delete("pods", pod["metadata"]["name"], grace=0)
        self.cluster.close()

    def _in_image(self, one: DeployedStep) -> DeployedStep:
        return one if one.container else one._replace(container={"image": self.image, "code": self.code})

    def _owner(self) -> dict[str, Any]:
        """A Job that starts nothing: what owns the pods."""
        container = {"name": "none", "image": "none", "command": ["none"]}
        spec = {"parallelism": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
        body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": self.run_id}, "spec": spec}
        made = self.cluster.create("jobs", body)
        return {"apiVersion": "batch/v1", "kind": "Job", "name": self.run_id, "uid": made["metadata"]["uid"]}


def archived(ledger: Ledger, name: str, text: str) -> dict[str, str]:
    """The code of a project that is this one file, in the artifact store, as a step's container names it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        _add(tar, name, text)
    digest = hashlib.sha256(made.getvalue()).hexdigest()
    ledger.store.put(f"code/{digest}", gzip.compress(made.getvalue()))
    return {"key": f"code/{digest}", "digest": digest}


@pytest.fixture(scope="session")
def controller_image(python_image: str, registry: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image for controllers, as runner makes it, in the registry; with all that steps need, too."""
    orchestrator = KubernetesOrchestrator(KubernetesSettings(kubernetes_context="c"))
    store = {"flavor": "s3", "path": "s3://b/p"}
    where = {"flavor": "generic", "uri": f"{registry}/runner-test"}
    deployment = Deployment("r", "p", "s", "kubernetes", {}, store, "/", container_registry=where)
    with open(tmp_path_factory.getbasetemp().parent / "controller-image.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other processes of these tests want it too
        (image,) = made_images(deployment, orchestrator, tmp_path_factory.mktemp("images"), lambda progress: None)
    return image.reference


@pytest.fixture(scope="session")
def pod_image(worker_image: str, registry: str) -> str:
    """The reference of an image that has `runner` and what S3 takes, in a registry that the cluster pulls from."""
    context = _context(worker_image)
    tag = f"{registry}/runner-test/pod:{hashlib.sha256(context).hexdigest()[:16]}"
    if subprocess.run(["docker", "image", "inspect", tag], capture_output=True).returncode != 0:
        build = ["docker", "build", "-q", "-t", tag, "-"]
        done = subprocess.run(build, input=context, capture_output=True, env={**os.environ, "DOCKER_BUILDKIT": "0"})
        assert done.returncode == 0, done.stderr.decode()
    subprocess.run(["docker", "push", "-q", tag], check=True, capture_output=True)
    return tag


@pytest.fixture
def pods(kube: Kube, kube_namespace: str, pod_image: str, kube_s3_settings: dict[str, Any]) -> Iterator[Pods]:
    """Runs in the namespace of these tests."""
    bench = Pods(lambda: kube.connect(kube_namespace), pod_image, kube_s3_settings)
    yield bench
    bench.remove()


def seen(name: str) -> dict[str, Any]:
    """A pod, as a real cluster told of it; less of what no test asks for."""
    found: dict[str, Any] = json.loads((SEEN / f"{name}.json").read_text())
    return found


def _context(base: str) -> bytes:
    """A tar of a Dockerfile and of the packages that S3 takes: the same bytes for the same content."""
    found: dict[str, importlib.metadata.Distribution] = {}
    for text in tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]["s3"]:
        _needed(_name(text), found)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        _add(
            tar, "Dockerfile", f"FROM {base}\nCOPY packages /opt/packages\nRUN python -m compileall -q /opt/packages\n"
        )
        for name in sorted(found):
            for file in sorted(found[name].files or (), key=str):
                path = Path(str(found[name].locate_file(file)))
                if not _LEFT_OUT.search(str(file)) and path.is_file():
                    _add(tar, f"packages/{file}", path.read_bytes())
    return made.getvalue()


# Of botocore's data a worker reads that of S3, and what is of no service in particular.
_LEFT_OUT = re.compile(r"^\.\.|__pycache__|^botocore/data/(?!s3/|[^/]+$)")


def _needed(name: str, found: dict[str, importlib.metadata.Distribution]) -> None:
    name = re.sub(r"[-_.]+", "-", name).lower()
    if name in found:
        return
    try:
        found[name] = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:  # not for this interpreter
        return
    for text in found[name].requires or ():
        if "extra ==" not in text:
            _needed(_name(text), found)


def _name(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", requirement)[0]


def _add(tar: tarfile.TarFile, name: str, data: bytes | str) -> None:
    data = data.encode() if isinstance(data, str) else data
    about = tarfile.TarInfo(name)
    about.size, about.mode = len(data), 0o644
    tar.addfile(about, io.BytesIO(data))

"""Fixtures: a real cluster of Kubernetes, and what pods of tests need: a namespace, an image, an S3 both sides see.

`make engines` starts one on this machine. RUNNER_TEST_KUBECONFIG names another one's kubeconfig, whose current context
is taken; its pods reach this machine by RUNNER_TEST_HOST, and a registry that both reach is RUNNER_TEST_REGISTRY.
"""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from object_stores import in_s3, serve
from ruamel.yaml import YAML

from runner.docker_engine import address, ask
from runner.orchestrators.cluster_api import Cluster

STATE = os.environ.get("RUNNER_TEST_KUBERNETES_STATE", "/var/lib/runner-test-kubernetes")
KUBECONFIG = os.environ.get("RUNNER_TEST_KUBECONFIG") or f"{STATE}/kubeconfig"
LABEL = "runner/test-session"


class Kube(NamedTuple):
    """A cluster of tests. `host` is this machine, as its pods and this machine itself reach it."""

    kubeconfig: str
    context: str
    host: str

    def connect(self, namespace: str = "default") -> Cluster:
        from kubernetes.config import new_client_from_config

        return Cluster(new_client_from_config(self.kubeconfig, self.context), namespace)


def answers() -> bool:
    """Whether a cluster is up where the kubeconfig says; one that wants to know who asks is, too."""
    try:
        _, server = _current()
        unchecked = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
        with urllib.request.build_opener(unchecked).open(f"{server}/readyz", timeout=3):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code in (401, 403)
    except (OSError, LookupError, TypeError):
        return False


def until(condition: Callable[[], Any], seconds: float = 180) -> Any:
    """What `condition` says as soon as it says something."""
    give_up = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < give_up, "it did not come true in time"
        time.sleep(0.1)
    return found


def the_cluster() -> Kube:
    """The one that the kubeconfig leads to."""
    return Kube(KUBECONFIG, _current()[0], os.environ.get("RUNNER_TEST_HOST") or _bridge())


@pytest.fixture(scope="session")
def kube() -> Kube:
    """The cluster."""
    return the_cluster()


@pytest.fixture
def kubeconfig(kube: Kube, monkeypatch: pytest.MonkeyPatch) -> str:
    """Its kubeconfig, which is everybody's in this test: this process's, and that of those it starts."""
    import kubernetes.config.kube_config as sdk

    monkeypatch.setenv("KUBECONFIG", kube.kubeconfig)
    monkeypatch.setattr(sdk, "KUBE_CONFIG_DEFAULT_LOCATION", kube.kubeconfig)  # it has read the variable at import
    return kube.kubeconfig


@pytest.fixture(scope="session")
def kube_namespace(kube: Kube) -> Iterator[str]:
    """The name of a new namespace, deleted in the end with all that is in it."""
    name = f"runner-test-{uuid.uuid4().hex[:8]}"
    with closing(kube.connect(name)) as cluster:
        cluster.create("namespaces", {"metadata": {"name": name, "labels": {LABEL: "1"}}})
        until(lambda: cluster.get("serviceaccounts", "default"))  # no pod is taken before
        yield name
        cluster.delete("namespaces", name)


@pytest.fixture
def in_cluster(kube: Kube, kube_namespace: str) -> Iterator[Cluster]:
    """That namespace's objects."""
    with closing(kube.connect(kube_namespace)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kube_s3_endpoint(kube: Kube) -> Iterator[str]:
    """The address, for pods and for this machine, of an S3 with a bucket named `bucket`."""
    for port in serve("s3", kube.host):
        endpoint = f"http://{kube.host}:{port}"
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/bucket", method="PUT"))
        yield endpoint


@pytest.fixture
def kube_s3_settings(kube_s3_endpoint: str, login: None) -> dict[str, Any]:
    """Settings of a new, empty store in it, with its login in the environment's secrets."""
    return in_s3(kube_s3_endpoint)


@pytest.fixture(scope="session")
def kube_image(worker_image: str, registry: str) -> str:
    """An image with `runner` and nothing of a project, in a registry, by its digest."""
    pushed = f"{registry}/runner-test/{worker_image.rpartition('/')[2]}"
    subprocess.run(["docker", "tag", worker_image, pushed], check=True)
    told = subprocess.run(["docker", "push", pushed], check=True, capture_output=True, text=True).stdout
    digest = re.search(r"digest: (sha256:\w+)", told)
    assert digest is not None, told
    return f"{pushed.rpartition(':')[0]}@{digest[1]}"


def _current() -> tuple[str, str]:
    """The kubeconfig's current context, and where its cluster's API server is."""
    config = YAML(typ="safe").load(Path(KUBECONFIG))
    context = config["current-context"]
    named = {each["name"]: each["context"]["cluster"] for each in config["contexts"]}
    return context, {each["name"]: each["cluster"]["server"] for each in config["clusters"]}[named[context]]


def _bridge() -> str:
    """The address of this machine on Docker's bridge."""
    (config, *_) = ask(address(None, os.environ), "/networks/bridge", os.environ)["IPAM"]["Config"]
    # A Docker Engine that has just made its bridge tells no gateway until it is started again: it took the first one.
    return str(config.get("Gateway") or next(ip_network(config["Subnet"]).hosts()))

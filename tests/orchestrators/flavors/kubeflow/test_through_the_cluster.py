"""A double of Kubeflow behind the API of a real cluster, as `kubernetes_context` leads to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from kube import Kube, until
from kubeflow_service import KubeflowService, serve

from runner.orchestrators.base import Silent
from runner.orchestrators.cluster_api import Cluster
from runner.orchestrators.flavors.kubeflow.doctor import checks
from runner.orchestrators.flavors.kubeflow.service import connect
from runner.orchestrators.flavors.kubeflow.settings import KubeflowSettings

pytestmark = [pytest.mark.engine("kubernetes"), pytest.mark.engine("docker")]


@pytest.fixture
def behind(kube: Kube, kubeconfig: str, in_cluster: Cluster, plain_image: str) -> Iterator[KubeflowService]:
    """The double as the Service `ml-pipeline` of a namespace. A cluster passes requests on to pods alone: this one has
    its node's network, where the double listens."""
    from kubernetes import client
    from kubernetes.config import new_client_from_config

    core = client.CoreV1Api(new_client_from_config(kube.kubeconfig, kube.context))
    meta = {"name": "ml-pipeline", "labels": {"app": "ml-pipeline"}}
    idle = {"name": "idle", "image": plain_image, "command": ["sleep", "600"]}
    in_cluster.create("pods", {"metadata": meta, "spec": {"hostNetwork": True, "containers": [idle]}})
    try:
        for double in serve(kube.host):
            ports = [{"name": "http", "port": 8888, "targetPort": urlsplit(double.url).port}]
            spec = {"selector": {"app": "ml-pipeline"}, "ports": ports}
            core.create_namespaced_service(in_cluster.namespace, {"metadata": meta, "spec": spec})
            until(partial(is_ready, core, in_cluster.namespace))
            yield double
    finally:  # what is left would be in the way of other tests of the namespace
        in_cluster.delete("pods", "ml-pipeline", grace=0)
        # By its path: what the SDK makes of the answer is not what this version of Kubernetes answers.
        with suppress(client.ApiException):
            core.delete_namespaced_service("ml-pipeline", in_cluster.namespace, _preload_content=False)


def is_ready(core: Any, namespace: str) -> bool:
    found = core.list_namespaced_endpoints(namespace, field_selector="metadata.name=ml-pipeline").items
    return any(subset.addresses for each in found for subset in each.subsets or ())


@pytest.fixture
def settings(kube: Kube, kube_namespace: str) -> KubeflowSettings:
    return KubeflowSettings(kubernetes_context=kube.context, kubeflow_namespace=kube_namespace)


def test_requests_go_through_the_clusters_api(behind: KubeflowService, settings: KubeflowSettings) -> None:
    service = connect(settings, str)
    made = service.experiment("digits")
    assert service.experiment("digits") == made
    assert "POST /apis/v2beta1/experiments" in behind.requests()


def test_what_is_tried_before_all_else(behind: KubeflowService, settings: KubeflowSettings) -> None:
    found = {check.name: check for check in checks(settings, str)}
    assert all(check.ok for check in found.values()), found
    assert list(found) == ["SDK", "cluster", "namespace", "Kubeflow", "runs"]


def test_a_cluster_without_kubeflow_says_so(kubeconfig: str, kube: Kube, settings: KubeflowSettings) -> None:
    elsewhere = settings.model_copy(update={"kubeflow_namespace": "default"})
    *_, last = checks(elsewhere, str)
    assert not last.ok and "ml-pipeline" in last.told
    with pytest.raises(Exception, match="ml-pipeline") as caught:
        connect(elsewhere, str).health()
    assert not isinstance(caught.value, Silent)

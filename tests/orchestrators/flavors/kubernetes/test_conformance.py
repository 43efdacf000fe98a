"""The kubernetes flavor passes the public conformance suite, each run carried by a controller in a real cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kube import Kube, until
from object_stores import SECRETS
from pod_bench import archived

from runner.artifact_store.ledger import Ledger
from runner.orchestrators.cluster_api import Cluster
from runner.orchestrators.container import MARK, STEP, mark_of
from runner.orchestrators.flavors.kubernetes.orchestrator import KubernetesOrchestrator
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings
from runner.orchestrators.flavors.kubernetes.status import is_over
from runner.plan.deployment import Deployment
from runner.testing import STEPS, OrchestratorConformance

pytestmark = [pytest.mark.engine("kubernetes"), pytest.mark.engine("docker"), pytest.mark.engine("registry")]


class TestKubernetes(OrchestratorConformance):
    """Its steps say what they did in files of the test's folder, which is one of their node: this machine."""

    at_a_time = 2
    long_enough_to_begin = 10.0

    @pytest.fixture(autouse=True)
    def _cluster(
        self,
        kube: Kube,
        kubeconfig: str,
        in_cluster: Cluster,
        controller_image: str,
        kube_s3_settings: dict[str, Any],
        tmp_path: Path,
    ) -> Any:
        self.context, self.cluster, self.image, self.store = (
            kube.context,
            in_cluster,
            controller_image,
            kube_s3_settings,
        )
        if in_cluster.get("secrets", "stores") is None:
            in_cluster.create("secrets", {"metadata": {"name": "stores"}, "stringData": SECRETS})
        tmp_path.chmod(0o777)  # pods have a user of their own
        self.tmp_path = tmp_path
        yield
        for job in in_cluster.list("jobs")[0]:
            in_cluster.delete("jobs", job["metadata"]["name"], propagation="Background")

    def orchestrator(self) -> KubernetesOrchestrator:
        place = {"kubernetes_context": self.context, "kubernetes_namespace": self.cluster.namespace}
        return KubernetesOrchestrator(KubernetesSettings(**place, controller_image=self.image, max_parallel=2))

    def artifact_store(self, folder: Path) -> dict[str, Any]:
        return self.store

    def deployed(self, deployment: Deployment, ledger: Ledger) -> Deployment:
        container = {"image": self.image, "code": archived(ledger, "conformance_steps.py", STEPS)}
        folder = str(self.tmp_path)
        pod = {
            "volumes": [{"name": "folder", "hostPath": {"path": folder}}],
            "containers": [{"volumeMounts": [{"name": "folder", "mountPath": folder}]}],
        }
        steps = {
            name: step._replace(container=container, settings={"pod": pod}) for name, step in deployment.steps.items()
        }
        return deployment._replace(steps=steps, secret_store={"flavor": "kubernetes", "secret": "stores"})

    def _assert_gone(self, file: Path) -> None:
        """Numbers of processes mean nothing here: all that a step starts ends with its pod, which is over."""
        selector = f"{MARK}={mark_of('r1', self.store)},{STEP}"
        until(lambda: all(map(is_over, self.cluster.list("pods", selector)[0])))

"""The kubeflow flavor passes the public conformance suite, on a double of Kubeflow that runs its own local runner."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from kubeflow_service import KubeflowService

from runner.artifact_store.ledger import Ledger
from runner.orchestrators.flavors.kubeflow.orchestrator import KubeflowOrchestrator
from runner.orchestrators.flavors.kubeflow.settings import KubeflowSettings
from runner.plan.deployment import Deployment
from runner.testing import OrchestratorConformance

pytestmark = pytest.mark.engine("docker")


class TestKubeflow(OrchestratorConformance):
    """Its steps say what they did in files of the test's folder, which their containers have mounted. The local runner
    carries one step after another."""

    at_a_time = 1
    long_enough_to_begin = 15.0

    @pytest.fixture(autouse=True)
    def _service(self, kubeflow_service: KubeflowService, worker_image: str, tmp_path: Path) -> None:
        self.service, self.image = kubeflow_service, worker_image
        docker = {"working_dir": str(tmp_path), "user": f"{os.getuid()}:{os.getgid()}"}
        kubeflow_service.configure(root=str(tmp_path), docker=docker)

    def orchestrator(self) -> KubeflowOrchestrator:
        return KubeflowOrchestrator(KubeflowSettings(kubeflow_hostname=self.service.url))

    def deployed(self, deployment: Deployment, ledger: Ledger) -> Deployment:
        container = {"image": self.image, "code": None}
        steps = {name: step._replace(container=container) for name, step in deployment.steps.items()}
        return deployment._replace(steps=steps)

    def _assert_gone(self, file: Path) -> None:
        """Numbers of processes mean nothing here: all that a step starts ends with its container, which is gone."""
        for run in self.service.runs():
            self.service.wait(run["run_id"])
        listed = subprocess.run(
            ["docker", "ps", "-q", "--filter", f"volume={file.parent}"], capture_output=True, text=True, check=True
        )
        assert listed.stdout == ""

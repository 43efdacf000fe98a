"""The local_docker flavor passes the public conformance suite, on a real engine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.artifact_store.ledger import Ledger
from runner.docker_engine import address, ask
from runner.orchestrators.container import MARK, mark_of
from runner.orchestrators.flavors.local_docker.orchestrator import LocalDockerOrchestrator
from runner.orchestrators.flavors.local_docker.settings import LocalDockerSettings
from runner.plan.deployment import Deployment
from runner.testing import OrchestratorConformance

pytestmark = pytest.mark.engine("docker")


class TestLocalDocker(OrchestratorConformance):
    """Its steps say what they did in files of the test's folder, which containers have mounted."""

    at_a_time = 2
    long_enough_to_begin = 15.0

    @pytest.fixture(autouse=True)
    def _image(self, worker_image: str, tmp_path: Path) -> None:
        self.image, self.tmp_path = worker_image, tmp_path

    def orchestrator(self) -> LocalDockerOrchestrator:
        volumes = {str(self.tmp_path): {"bind": str(self.tmp_path), "mode": "rw"}}
        run_args = {"volumes": volumes, "working_dir": str(self.tmp_path)}
        return LocalDockerOrchestrator(LocalDockerSettings(max_parallel=2, run_args=run_args))

    def deployed(self, deployment: Deployment, ledger: Ledger) -> Deployment:
        steps = {name: step._replace(container={"image": self.image}) for name, step in deployment.steps.items()}
        return deployment._replace(steps=steps)

    def _assert_gone(self, file: Path) -> None:
        """Numbers of processes mean nothing here: all that a step starts ends with its container, which is gone."""
        mark = mark_of("r1", {"flavor": "local", "path": str(file.parent / "artifacts")})
        listed = ask(address(None, os.environ), "/containers/json?all=1", os.environ)
        assert [each for each in listed if each["Labels"].get(MARK) == mark] == []

"""The vertex flavor passes the public conformance suite on a double of Vertex AI, which runs its tasks on Docker."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import docker
import pytest
from vertex_server import VertexServer
from vertex_walk import JOB_LABEL

from runner.artifact_store.ledger import Ledger
from runner.orchestrators.flavors.vertex.orchestrator import VertexOrchestrator
from runner.orchestrators.flavors.vertex.settings import VertexSettings
from runner.plan.deployment import Deployment
from runner.testing import OrchestratorConformance

pytestmark = pytest.mark.engine("docker")


class TestVertexDoubleOnDocker(OrchestratorConformance):
    """The service is a double made of Google's own types; documents, client, containers and workers are the real ones.

    Steps say what they did in files of the test's folder, which all containers have mounted.
    """

    at_a_time = 2
    here = False
    long_enough_to_begin = 15.0

    @pytest.fixture(autouse=True)
    def _service(self, vertex_service: VertexServer, worker_image: str, tmp_path: Path) -> None:
        self.service, self.image = vertex_service, worker_image
        volumes = {str(tmp_path): {"bind": str(tmp_path), "mode": "rw"}}
        user = f"{os.getuid()}:{os.getgid()}"
        vertex_service.run_args = {"volumes": volumes, "working_dir": str(tmp_path), "user": user}

    def orchestrator(self) -> VertexOrchestrator:
        place = {"project": "my-project-123", "location": "europe-west4", "endpoint_url": self.service.url}
        return VertexOrchestrator(VertexSettings(**place, pipeline_root="gs://bucket/vertex"))

    def deployed(self, deployment: Deployment, ledger: Ledger) -> Deployment:
        steps = {name: step._replace(container={"image": self.image}) for name, step in deployment.steps.items()}
        return deployment._replace(steps=steps)

    def _assert_gone(self, file: Path) -> None:
        """Numbers of processes mean nothing here: all that a step starts ends with its container, which is gone."""
        (walk,) = self.service.walks.values()
        walk.thread.join(120)
        with closing(docker.from_env()) as engine:
            assert (
                engine.containers.list(all=True, filters={"label": f"{JOB_LABEL}={walk.uuid}"}, ignore_removed=True)
                == []
            )

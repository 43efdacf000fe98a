"""Steps that end over their own heads, in real containers of a double of Kubeflow: each is told by its cause."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubeflow_service import KubeflowService

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.stores import open_store
from runner.engine.stack import OpenStack
from runner.orchestrators.flavors.kubeflow.orchestrator import KubeflowOrchestrator
from runner.orchestrators.flavors.kubeflow.settings import KubeflowSettings
from runner.plan.deployment import DeployedStep, Deployment
from runner.records import Event, LogLines, Run, fold

pytestmark = pytest.mark.engine("docker")
STEPS = """
def eat(size):
    block = bytearray(size)
    for i in range(0, size, 4096):
        block[i] = 1
"""


class Kubeflow:
    """Runs single steps, whose code and artifacts are in a folder that containers have mounted."""

    def __init__(self, service: KubeflowService, folder: Path, image: str) -> None:
        (folder / "eats.py").write_text(STEPS)
        service.configure(root=str(folder), docker={"working_dir": str(folder), "user": f"{os.getuid()}:{os.getgid()}"})
        self.service, self.folder, self.image = service, folder, image
        self.orchestrator = KubeflowOrchestrator(KubeflowSettings(kubeflow_hostname=service.url))
        self.store = {"flavor": "local", "path": str(folder / "artifacts")}
        self.ledger = Ledger(open_store(self.store))

    def happens(self, step: DeployedStep, image: str = "", **fields: Any) -> Iterator[Event | LogLines]:
        step = step._replace(container={"image": image or self.image, "code": None})
        made = Deployment("r1", "p", "s", "kubeflow", {"a": step}, self.store, "/p")._replace(**fields)
        self.ledger.write_deployment(made)
        return self.orchestrator.prepare_or_run_pipeline(made, OpenStack(self.ledger, self.folder))  # type: ignore

    def run(self, step: DeployedStep, **fields: Any) -> Run:
        return fold(item for item in self.happens(step, **fields) if isinstance(item, Event))


@pytest.fixture
def kubeflow(kubeflow_service: KubeflowService, tmp_path: Path, worker_image: str) -> Kubeflow:
    return Kubeflow(kubeflow_service, tmp_path, worker_image)


def test_memory_that_ran_out_is_told_with_the_limit(kubeflow: Kubeflow) -> None:
    resources = {"memory": 64_000_000}
    error = (
        kubeflow.run(DeployedStep("a", "eats:eat", parameters={"size": 2**30}, resources=resources)).steps["a"].error
    )
    assert error is not None and (error.reason, "64MB" in error.message) == ("out-of-memory", True)


def test_an_image_that_is_nowhere_is_waited_for_until_the_run_is_cancelled(kubeflow: Kubeflow) -> None:
    events = []
    for item in kubeflow.happens(DeployedStep("a", "eats:eat"), "localhost/runner-test/no-such-image:1"):
        events.append(item)
        if isinstance(item, Event) and item.event == "step_waiting":
            kubeflow.ledger.request_cancel("r1")
    reasons = [each.data["reason"] for each in events if isinstance(each, Event) and each.event == "step_waiting"]
    assert "ImagePullBackOff" in reasons[0]
    assert fold(each for each in events if isinstance(each, Event)).status == "cancelled"


def test_a_store_that_lets_nobody_in_is_told_with_where_to_look(kubeflow: Kubeflow) -> None:
    nowhere = {"flavor": "local", "path": "/proc/nowhere"}
    error = kubeflow.run(DeployedStep("a", "eats:eat"), artifact_store=nowhere).steps["a"].error
    assert error is not None and error.reason == "store", error
    assert "(Error (exit code 74))" in error.message
    assert f"kubectl logs -n kubeflow -c main -l pipeline/runid={kubeflow.service.runs()[0]['run_id']}" in error.message


def test_an_image_without_runner_is_asked_for_one(kubeflow: Kubeflow, plain_image: str) -> None:
    error = kubeflow.run(DeployedStep("a", "eats:eat"), image=plain_image).steps["a"].error
    assert error is not None and "has its image `python` and `runner`?" in error.message

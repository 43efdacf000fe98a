"""A connection to the double of Kubeflow, and what is given to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from kubeflow_service import KubeflowService

from runner.orchestrators.flavors.kubeflow import service as module
from runner.orchestrators.flavors.kubeflow.orchestrator import KubeflowOrchestrator
from runner.orchestrators.flavors.kubeflow.service import Service, connect
from runner.orchestrators.flavors.kubeflow.settings import KubeflowSettings
from runner.plan.deployment import DeployedStep, Deployment

SECRETS = {"PASSWORD": "correct horse", "TOKEN": "a-token", "WRONG": "battery staple"}
Connect = Callable[..., Service]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITS", (0.01, 0.01))


@pytest.fixture
def to(kubeflow_service: KubeflowService) -> Connect:
    """Connect to the double with these settings beside its address."""

    def to(**settings: Any) -> Service:
        return connect(KubeflowSettings(kubeflow_hostname=kubeflow_service.url, **settings), SECRETS.__getitem__)

    return to


@pytest.fixture
def service(to: Connect) -> Service:
    return to()


@pytest.fixture
def deployment() -> Deployment:
    """Of a step in an image that is nowhere."""
    step = DeployedStep("a", "s:f", container={"image": "localhost/runner-test/no-such-image:1", "code": None})
    return Deployment("20270131-094500-3f9a1c", "train", "prod", "kubeflow", {"a": step}, {"flavor": "memory"}, "/p")


@pytest.fixture
def documents(deployment: Deployment) -> dict[str, Any]:
    settings = KubeflowSettings(kubeflow_hostname="https://kubeflow.example.com")
    return KubeflowOrchestrator(settings).compile(deployment).documents

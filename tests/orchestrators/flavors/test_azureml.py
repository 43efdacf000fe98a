"""The azureml flavor's declarations: what it can do depends on its compute."""

from __future__ import annotations

from typing import Any

from runner.orchestrators.base import Support
from runner.orchestrators.flavors.azureml import AzureMLOrchestrator, AzureMLSettings
from runner.plan.deployment import DeployedStep

WHERE = {"subscription_id": "12345678-90ab-cdef-1234-567890abcdef", "resource_group": "g", "workspace": "ml-team"}


def refused(step: DeployedStep, **fields: Any) -> list[tuple[str, str]]:
    orchestrator = AzureMLOrchestrator(AzureMLSettings.model_validate(WHERE | fields))
    return [(refusal.path[-1], refusal.code) for refusal in orchestrator.refusals([step], "/")]


def test_a_clusters_machines_are_what_they_are() -> None:
    cluster = AzureMLOrchestrator.capabilities_of(AzureMLSettings.model_validate(WHERE | {"compute": "cpu-cluster"}))
    serverless = AzureMLOrchestrator.capabilities_of(AzureMLSettings.model_validate(WHERE))
    assert (cluster.memory, serverless.memory) == (Support.NO, Support.NATIVE)


def test_a_steps_own_cluster_takes_no_resources() -> None:
    step = DeployedStep("a", "s:f", resources={"memory": 1}, settings={"compute": "gpu-cluster"})
    assert refused(step) == [("memory", "said-twice")]


def test_a_size_is_for_serverless_machines() -> None:
    step = DeployedStep("a", "s:f", settings={"instance_type": "Standard_DS3_v2"})
    assert refused(step) == []
    assert refused(step, compute="cpu-cluster") == [("instance_type", "cannot-honour")]


def test_a_tier_is_for_serverless_machines(told) -> None:
    where = "\n".join(f"{key}: {value}" for key, value in WHERE.items())
    ((line, code, message, _),) = told(AzureMLSettings, f"{where}\ncompute: cpu-cluster\ntier: spot")
    assert (line, code) == (5, "cannot-combine")
    assert "'cpu-cluster'" in message


def test_machines_come_whole() -> None:
    assert refused(DeployedStep("a", "s:f", resources={"cpu_count": 1.5})) == [("cpu_count", "cannot-honour")]

"""The sagemaker flavor's declarations."""

from __future__ import annotations

from typing import Any

import pytest

from runner.orchestrators.flavors.sagemaker import SageMakerOrchestrator, SageMakerSettings
from runner.plan.deployment import DeployedStep

SETTINGS = SageMakerSettings(execution_role="arn:aws:iam::123456789012:role/a")


def refused(**fields: Any) -> list[tuple[str, str]]:
    step = DeployedStep("a", "s:f", **fields)
    return [(refusal.path[-1], refusal.code) for refusal in SageMakerOrchestrator(SETTINGS).refusals([step], "/")]


def test_machines_come_whole() -> None:
    assert refused(resources={"cpu_count": 0.5}) == [("cpu_count", "cannot-honour")]
    assert refused(resources={"cpu_count": 2.0}) == []


def test_a_named_machine_has_what_it_has() -> None:
    settings = {"instance_type": "ml.g5.xlarge"}
    assert refused(resources={"gpu_count": 1}, settings=settings) == [("gpu_count", "said-twice")]


def test_spot_machines_are_for_training() -> None:
    assert refused(settings={"use_spot_instances": True, "job": "processing"}) == [
        ("use_spot_instances", "cannot-honour")
    ]
    assert refused(settings={"use_spot_instances": True, "job": "training"}) == []


@pytest.mark.parametrize("role", ["sagemaker", "arn:aws:iam::1:role/a", "arn:aws:s3:::bucket"])
def test_the_role_is_named_in_full(told, role: str) -> None:
    ((_, code, _, help),) = told(SageMakerSettings, f"execution_role: '{role}'")
    assert code == "bad-value" and "arn:aws:iam::123456789012:role/sagemaker" in help

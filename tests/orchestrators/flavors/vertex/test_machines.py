"""Machines that Vertex does not have."""

from __future__ import annotations

from typing import Any

from google.cloud.aiplatform_v1 import AcceleratorType

from runner.orchestrators.flavors.vertex.machines import ACCELERATORS, refusals
from runner.plan.deployment import DeployedStep


def refused(**resources: Any) -> list[tuple[str, str]]:
    step = DeployedStep("a", "s:f", resources=resources)
    return [(refusal.path[-1], refusal.code) for refusal in refusals([step])]


def test_accelerators_are_asked_for_by_type_and_number() -> None:
    assert refused(gpu_count=1) == [("gpu_count", "missing-gpu-type")]
    assert refused(gpu_type="NVIDIA_L4") == [("gpu_type", "missing-gpu-count")]
    assert refused(gpu_count=1, gpu_type="NVIDIA_L4") == []
    assert refused(gpu_count=1, gpu_type="NVIDIA_OF_NEXT_YEAR") == []


def test_an_accelerator_of_another_world_is_guessed_at() -> None:
    step = DeployedStep("a", "s:f", resources={"gpu_count": 1, "gpu_type": "nvidia-tesla-t4"})
    (refusal,) = refusals([step])
    assert (refusal.code, refusal.help) == ("bad-gpu-type", "did you mean 'NVIDIA_TESLA_T4'?")


def test_the_accelerators_are_those_of_the_api_but_for_what_is_gone() -> None:
    gone = {"ACCELERATOR_TYPE_UNSPECIFIED", "NVIDIA_TESLA_K80"}
    assert set(ACCELERATORS) == set(AcceleratorType.__members__) - gone


def test_no_task_has_more_than_the_largest_machine() -> None:
    assert refused(cpu_count=96, memory=624 * 10**9) == []
    assert refused(cpu_count=96.5) == [("cpu_count", "cannot-honour")]
    assert refused(memory=624 * 10**9 + 1) == [("memory", "cannot-honour")]


def test_an_accelerator_is_known_by_its_last_part() -> None:
    (refusal,) = refusals([DeployedStep("a", "s:f", resources={"gpu_count": 1, "gpu_type": "t4"})])
    assert refusal.help == "did you mean 'NVIDIA_TESLA_T4'?"

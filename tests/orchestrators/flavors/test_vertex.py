"""The vertex flavor's declarations."""

from __future__ import annotations

from runner.orchestrators.flavors.vertex import VertexOrchestrator, VertexSettings
from runner.plan.deployment import DeployedStep

SETTINGS = VertexSettings(project="my-project-123", location="europe-west4")


def refused(step: DeployedStep) -> list[tuple[str, str]]:
    return [(refusal.path[-1], refusal.code) for refusal in VertexOrchestrator(SETTINGS).refusals([step], "/")]


def test_accelerators_are_asked_for_by_type() -> None:
    assert refused(DeployedStep("a", "s:f", resources={"gpu_count": 1})) == [("gpu_count", "missing-gpu-type")]
    assert refused(DeployedStep("a", "s:f", resources={"gpu_count": 1, "gpu_type": "NVIDIA_L4"})) == []


def test_a_named_machine_has_what_it_has() -> None:
    step = DeployedStep("a", "s:f", resources={"memory": 1}, settings={"machine_type": "n1-standard-4"})
    assert refused(step) == [("memory", "said-twice")]


def test_what_is_wrong_is_told_with_an_example(told) -> None:
    found = told(VertexSettings, "project: P\nlocation: europe\npipeline_root: s3://b/c")
    assert [(line, code) for line, code, *_ in found] == [(1, "bad-value"), (2, "bad-value"), (3, "bad-value")]
    assert "as in europe-west4" in found[1][3]

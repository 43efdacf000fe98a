"""The vertex flavor: its declarations, what it refuses, and the job beside its document."""

from __future__ import annotations

from typing import Any

import pytest

from runner.orchestrators.flavors.vertex import VertexOrchestrator, VertexSettings, pipeline_job
from runner.plan.deployment import DeployedStep, Deployment

SETTINGS = VertexSettings(project="my-project-123", location="europe-west4")
GCS = {"flavor": "gcs", "path": "gs://b/p"}
SECRET = DeployedStep("a", "s:f", environment={"A": "${secrets.B}"})


def refused(**resources: Any) -> list[tuple[str, str]]:
    step = DeployedStep("a", "s:f", resources=resources)
    return [(refusal.path[-1], refusal.code) for refusal in VertexOrchestrator(SETTINGS).refusals([step], "/")]


def beside(*steps: DeployedStep, settings: VertexSettings = SETTINGS, **components: Any) -> list[tuple[str, str]]:
    found = VertexOrchestrator(settings).beside(steps, {"artifact_store": GCS, **components})
    return [(".".join(refusal.path), refusal.code) for refusal in found]


def test_accelerators_are_asked_for_by_type_and_number() -> None:
    assert refused(gpu_count=1) == [("gpu_count", "missing-gpu-type")]
    assert refused(gpu_type="NVIDIA_L4") == [("gpu_type", "missing-gpu-count")]
    assert refused(gpu_count=1, gpu_type="NVIDIA_L4") == []
    assert refused(gpu_count=1, gpu_type="NVIDIA_OF_NEXT_YEAR") == []


def test_an_accelerator_of_another_world_is_guessed_at() -> None:
    step = DeployedStep("a", "s:f", resources={"gpu_count": 1, "gpu_type": "nvidia-tesla-t4"})
    (refusal,) = VertexOrchestrator(SETTINGS).refusals([step], "/")
    assert (refusal.code, refusal.help) == ("bad-gpu-type", "did you mean 'NVIDIA_TESLA_T4'?")


def test_no_task_has_more_than_the_largest_machine() -> None:
    assert refused(cpu_count=96, memory=624 * 10**9) == []
    assert refused(cpu_count=96.5) == [("cpu_count", "cannot-honour")]
    assert refused(memory=624 * 10**9 + 1) == [("memory", "cannot-honour")]


def test_secrets_come_from_where_googles_machines_reach_them() -> None:
    assert beside(SECRET, secret_store={"flavor": "gcp", "project": "p"}) == []
    assert beside(SECRET) == [("steps.a.environment.A", "unreachable-secret")]
    assert beside(secret_store={"flavor": "kubernetes", "secret": "s"}) == [
        ("secret_store.flavor", "unreachable-secret")
    ]


def test_vertex_needs_a_place_for_its_own_records() -> None:
    s3 = {"flavor": "s3", "path": "s3://b/p"}
    assert beside(artifact_store=s3) == [("orchestrator.pipeline_root", "missing-key")]
    rooted = SETTINGS.model_copy(update={"pipeline_root": "gs://b/r"})
    assert beside(artifact_store=s3, settings=rooted) == []


@pytest.mark.parametrize(("on_failure", "policy"), [("fail_fast", "FAIL_FAST"), ("continue", "FAIL_SLOW")])
def test_what_happens_after_a_failure_is_said_in_the_job(on_failure: str, policy: str) -> None:
    deployment = Deployment("r", "p", "s", "vertex", {}, GCS, "/p", on_failure=on_failure)
    assert pipeline_job(deployment, SETTINGS) == {
        "displayName": "p",
        "runtimeConfig": {"gcsOutputDirectory": "gs://b/p", "failurePolicy": f"PIPELINE_FAILURE_POLICY_{policy}"},
    }


def test_what_is_wrong_is_told_with_an_example(told) -> None:
    found = told(VertexSettings, "project: P\nlocation: europe\npipeline_root: s3://b/c")
    assert [(line, code) for line, code, *_ in found] == [(1, "bad-value"), (2, "bad-value"), (3, "bad-value")]
    assert "as in europe-west4" in found[1][3]

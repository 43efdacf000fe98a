"""What Google's PipelineJob says of a run."""

from __future__ import annotations

from typing import Any

import pytest
from google.cloud.aiplatform_v1 import PipelineJob, PipelineState, PipelineTaskDetail
from google.rpc import status_pb2

from runner.orchestrators.base import Seen, StepSeen
from runner.orchestrators.flavors.vertex.reading import JOBS, TASKS, has_ended, seen, steps_of

FAILED = "The DAG failed because some tasks failed. The failed tasks are: [fit]."
REPEATED = (
    f"{FAILED}; Job (project_id = p, job_id = 1) is failed due to the above error.; Failed to handle the job: {{}}"
)


def job(*details: dict[str, Any], state: str = "RUNNING", error: str = "", **tasks: str) -> PipelineJob:
    """A job whose tasks are `fit`, or those given: task → step."""
    document = {task: {"taskInfo": {"name": step}} for task, step in (tasks or {"fit": "fit"}).items()}
    return PipelineJob(
        state=f"PIPELINE_STATE_{state}",
        pipeline_spec={"root": {"dag": {"tasks": document}}},
        job_detail={"task_details": details},
        error=status_pb2.Status(message=error),
    )


def detail(name: str, state: str = "RUNNING", id: int = 2, parent: int = 1, at: int = 0, **more: Any) -> dict[str, Any]:
    times = {"create_time": {"seconds": at}}
    return {"task_name": name, "state": state, "task_id": id, "parent_task_id": parent, **times, **more}


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("QUEUED", "running"),
        ("PENDING", "running"),
        ("RUNNING", "running"),
        ("CANCELLING", "running"),
        ("SUCCEEDED", "succeeded"),
        ("FAILED", "failed"),
        ("CANCELLED", "cancelled"),
        ("PAUSED", "running"),
    ],
)
def test_a_jobs_state_is_a_runs_status(state: str, status: str) -> None:
    assert seen(job(state=state)).status == status
    assert has_ended(f"PIPELINE_STATE_{state}") is (status != "running")


def test_every_state_that_google_has_is_known() -> None:
    assert set(JOBS) <= set(PipelineState.__members__)
    assert set(TASKS) == set(PipelineTaskDetail.State.__members__) - {"STATE_UNSPECIFIED"}


def test_steps_are_told_of_by_their_own_names() -> None:
    made = job(detail("fit-it", "SUCCEEDED"), detail("b", "PENDING", id=3), **{"fit-it": "Fit_it", "b": "b", "c": "c"})
    assert steps_of(made) == {"fit-it": "Fit_it", "b": "b", "c": "c"}
    assert seen(made).steps == {"Fit_it": StepSeen("succeeded"), "b": StepSeen("pending")}


def test_the_entry_of_the_whole_pipeline_is_no_step_although_it_has_a_steps_name() -> None:
    whole = detail("fit", id=1, parent=0)
    assert seen(job(whole), ("fit",)).steps == {}
    assert seen(job(whole, detail("fit", "FAILED")), ("fit",)).steps == {"fit": StepSeen("failed")}


def test_entries_at_the_root_may_have_no_parent() -> None:
    assert seen(job(detail("fit", "SUCCEEDED", parent=0)), ("train",)).steps == {"fit": StepSeen("succeeded")}


def test_of_several_entries_the_last_one_counts() -> None:
    made = job(detail("fit", "RUNNING", id=3, at=9), detail("fit", "FAILED", id=2, at=5))
    assert seen(made).steps == {"fit": StepSeen("running")}


def test_a_failure_is_told_in_vertex_own_words_once() -> None:
    error = status_pb2.Status(message="The replica workerpool0-0 exited\nwith a non-zero status of 1.")
    found = seen(job(detail("fit", "FAILED", error=error), state="FAILED", error=REPEATED))
    assert (found.status, found.message) == ("failed", FAILED)
    assert found.steps["fit"] == StepSeen("failed", "The replica workerpool0-0 exited with a non-zero status of 1.")


def test_what_a_step_waits_for_is_told() -> None:
    error = status_pb2.Status(message="quota metrics exceed quota limits: custom_model_training_cpus")
    made = job(detail("fit", "PENDING", pipeline_task_status=[{"state": "PENDING"}, {"error": error}]))
    assert seen(made).steps["fit"] == StepSeen("pending", error.message)


def test_what_went_wrong_on_the_way_to_success_is_nobodys_business() -> None:
    status = [{"error": status_pb2.Status(message="stockout")}]
    assert seen(job(detail("fit", "SUCCEEDED", pipeline_task_status=status))).steps["fit"] == StepSeen("succeeded")


def test_who_cancelled_it_elsewhere_is_said() -> None:
    assert seen(job(state="CANCELLED")) == Seen("cancelled", "it was cancelled in Vertex AI")


def test_a_job_without_a_document_tells_of_no_steps() -> None:
    assert seen(PipelineJob(state="PIPELINE_STATE_QUEUED")) == Seen("running")

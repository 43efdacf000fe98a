"""What Kubeflow says of a run, read."""

from __future__ import annotations

from typing import Any

import pytest

from runner.orchestrators.base import Seen, StepSeen
from runner.orchestrators.flavors.kubeflow.reading import GONE, is_over, seen

TASKS = {"fit-it": "fit_it", "load": "load"}


def run(state: str | None, *details: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"run_id": "abc", "state": state, "run_details": {"task_details": list(details)}, **fields}


def detail(name: str, state: str, **fields: Any) -> dict[str, Any]:
    return {"display_name": name, "state": state, **fields}


@pytest.mark.parametrize(
    ("state", "status", "over"),
    [
        (None, "running", False),
        ("PENDING", "running", False),
        ("RUNNING", "running", False),
        ("CANCELING", "running", False),
        ("SOMETHING_NEW", "running", False),
        ("SUCCEEDED", "succeeded", True),
        ("FAILED", "failed", True),
        ("CANCELED", "cancelled", True),
    ],
)
def test_states_are_statuses(state: str | None, status: str, over: bool) -> None:
    assert (seen(run(state), TASKS).status, is_over(run(state))) == (status, over)


def test_tasks_are_steps_and_all_else_is_passed_over() -> None:
    details = [detail("root", "RUNNING"), detail("fit-it-driver", "SUCCEEDED"), detail("fit-it", "RUNNING")]
    assert seen(run("RUNNING", *details), TASKS).steps == {"fit_it": StepSeen("running")}


def test_why_a_step_failed_stands_where_its_pod_is() -> None:
    task = detail("fit-it", "FAILED", task_id="1", child_tasks=[{"task_id": "2"}, {"pod_name": "p"}])
    driver = detail("fit-it-driver", "SUCCEEDED", task_id="2")
    pod = detail("executor", "FAILED", pod_name="p", error={"code": 2, "message": "OOMKilled (exit code 137)"})
    found = seen(run("RUNNING", task, driver, pod), TASKS)
    assert found.steps["fit_it"] == StepSeen("failed", "OOMKilled (exit code 137)")


def test_why_a_step_waits_is_told() -> None:
    history = [{"state": "PENDING", "error": {"message": "ImagePullBackOff"}}]
    found = seen(run("RUNNING", detail("load", "PENDING", state_history=history)), TASKS)
    assert found.steps == {"load": StepSeen("pending", "ImagePullBackOff")}


def test_entries_that_lead_in_a_circle_are_read_once() -> None:
    entry = detail("load", "FAILED", task_id="1", child_tasks=[{"task_id": "1"}], error={"message": "no"})
    assert seen(run("FAILED", entry), TASKS).steps["load"].message == "no"


def test_why_a_run_failed_is_told() -> None:
    assert seen(run("FAILED", error={"code": 13, "message": "no quota"}), TASKS) == Seen("failed", "no quota")


def test_a_run_that_is_not_there_has_failed() -> None:
    assert seen(None, TASKS) is GONE

"""What Kubeflow says of a run, read."""

from __future__ import annotations

from typing import Any

import pytest

from runner.orchestrators.base import Seen, StepSeen
from runner.orchestrators.flavors.kubeflow.reading import is_over, seen, tasks_of, wants_words, words_of

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


def node(path: str, phase: str, message: str = "", at: str = "") -> dict[str, Any]:
    return {"name": f"wf.root.{path}", "phase": phase, "message": message, "startedAt": at}


def workflow(*nodes: dict[str, Any], message: str = "") -> dict[str, Any]:
    return {"status": {"message": message, "nodes": {str(number): each for number, each in enumerate(nodes)}}}


def test_why_a_step_failed_stands_at_its_last_pod() -> None:
    words = words_of(
        workflow(
            node("fit-it.executor(1)", "Failed", "OOMKilled (exit code 137)", "02"),
            node("fit-it.executor(0)", "Failed", "Error (exit code 1)", "01"),
            node("fit-it", "Failed"),
        )
    )
    assert words.failed == {"fit-it": "OOMKilled (exit code 137)"}
    found = seen(run("RUNNING", detail("fit-it", "FAILED")), TASKS, words)
    assert found.steps["fit_it"] == StepSeen("failed", "OOMKilled (exit code 137)")


def test_a_driver_that_failed_is_its_tasks_failure() -> None:
    words = words_of(workflow(node("fit-it-driver", "Error", "no such secret")))
    found = seen(run("FAILED", detail("fit-it-driver", "FAILED")), TASKS, words)
    assert found.steps["fit_it"] == StepSeen("failed", "no such secret")


def test_why_a_step_waits_is_told() -> None:
    words = words_of(workflow(node("load.executor", "Pending", "ImagePullBackOff")))
    found = seen(run("RUNNING", detail("load", "RUNNING"), detail("executor", "PENDING")), TASKS, words)
    assert found.steps == {"load": StepSeen("running", "ImagePullBackOff")}


def test_words_are_wanted_for_what_failed_or_waits_alone() -> None:
    going = run("RUNNING", detail("load", "SUCCEEDED"), detail("fit-it", "RUNNING"), detail("executor", "RUNNING"))
    assert wants_words(going, TASKS) == ()
    bad = run("RUNNING", detail("fit-it", "FAILED"), detail("executor", "FAILED"), detail("executor", "PENDING"))
    assert wants_words(bad, TASKS) == ("fit-it", "waits")
    assert wants_words(run("FAILED", detail("load-driver", "FAILED")), TASKS) == ("load-driver", "run")


def test_a_run_that_somebody_ended_is_cancelled_though_kubeflow_says_failed() -> None:
    history = [{"state": "RUNNING"}, {"state": "CANCELING"}, {"state": "FAILED"}]
    assert seen(run("FAILED", state_history=history), TASKS).status == "cancelled"


def test_a_task_that_is_left_out_has_no_state() -> None:
    assert seen(run("FAILED", {"display_name": "load"}), TASKS).steps == {"load": StepSeen("pending")}


def test_why_a_run_failed_is_told() -> None:
    assert seen(run("FAILED", error={"code": 13, "message": "no quota"}), TASKS) == Seen("failed", "no quota")
    words = words_of(workflow(message="child 'x' failed"))
    assert seen(run("FAILED"), TASKS, words).message == "child 'x' failed"


def test_which_step_a_task_is_the_runs_own_document_says() -> None:
    spec = {"root": {"dag": {"tasks": {"fit-it": {"taskInfo": {"name": "fit_it"}}}}}}
    assert tasks_of({"pipeline_spec": spec}) == {"fit-it": "fit_it"}
    assert tasks_of({"pipeline_spec": {"pipeline_spec": spec, "platform_spec": {}}}) == {"fit-it": "fit_it"}
    assert tasks_of({}) == {}

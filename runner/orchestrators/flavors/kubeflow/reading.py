"""What Kubeflow says of a run, read: from its API's run, as plain data, to what `oversee` understands. Pure.

The run is a V2beta1Run of https://www.kubeflow.org/docs/components/pipelines/reference/api/kubeflow-pipeline-api-spec.
Its task details are made from the nodes of an Argo workflow: beside one for each task there are drivers, executors and
the root. Why something failed or waits they do not tell, the workflow itself does: names of its nodes are paths, as in
`train-x7k2p.root.fit.executor(0)`, and each may have a message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from runner.orchestrators.base import Seen, StepSeen
from runner.records import CANCELLED, FAILED, PENDING, RUNNING, SKIPPED, SUCCEEDED

STATES = {
    "PENDING": PENDING,
    "RUNNING": RUNNING,
    "SUCCEEDED": SUCCEEDED,
    "FAILED": FAILED,
    "SKIPPED": SKIPPED,
    "CANCELING": RUNNING,
    "CANCELED": CANCELLED,
    "PAUSED": PENDING,
}
"""V2beta1RuntimeState → status. One that is not here, of a version to come, counts as running."""
ENDS = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
GONE = Seen(FAILED, "Kubeflow has no such run any more: it was deleted there")
DRIVER, EXECUTOR = "-driver", "executor"
"""What the nodes of a task are called, beside its own."""


class Words(NamedTuple):
    """What a workflow says: of the whole, and of tasks that have failed or wait, by their names."""

    run: str = ""
    failed: Mapping[str, str] = {}
    waits: Mapping[str, str] = {}


SILENCE = Words()


def seen(run: Mapping[str, Any], tasks: Mapping[str, str], words: Words = SILENCE) -> Seen:
    """What this run says; `tasks` are the steps' names by those of their tasks."""
    steps = {}
    for detail in _details(run):
        if step := tasks.get(str(detail.get("display_name"))):
            steps[step] = _step(detail, words)
    for task, message in words.failed.items():  # of one whose driver failed there may be no entry of its own
        if task in tasks and steps.get(tasks[task], StepSeen(PENDING)).status == PENDING and _state(run) == FAILED:
            steps[tasks[task]] = StepSeen(FAILED, message)
    status = _state(run)
    if status == FAILED and any(each.get("state") == "CANCELING" for each in run.get("state_history") or ()):
        status = CANCELLED  # a run that somebody ended has failed, says Kubeflow
    return Seen(RUNNING if status == PENDING else status, _message(run) or words.run, steps)


def tasks_of(run: Mapping[str, Any]) -> dict[str, str]:
    """Task → step, as the run's own document says it: a run that is gone on with has fewer, under other names maybe."""
    spec = run.get("pipeline_spec") or {}
    spec = spec.get("pipeline_spec") or spec  # beside a platform's, where there is one
    tasks = spec["root"]["dag"]["tasks"] if "root" in spec else {}
    return {task: str(about["taskInfo"]["name"]) for task, about in tasks.items()}


def is_over(run: Mapping[str, Any]) -> bool:
    """Whether a run goes on no more, and is not about to."""
    return run.get("state") in ENDS


def wants_words(run: Mapping[str, Any], tasks: Iterable[str]) -> tuple[str, ...]:
    """What of a run only its workflow explains: tasks that have failed, and that something waits to begin. Empty for
    nothing; the same as before where nothing new is to be explained."""
    details, tasks = _details(run), set(tasks)
    failed = [each["display_name"] for each in details if each.get("state") == "FAILED"]
    found = {name for name in failed if name in tasks or name.removesuffix(DRIVER) in tasks}
    found |= {"run"} if run.get("state") == "FAILED" else set()
    pods = (each for each in details if str(each.get("display_name")).startswith(EXECUTOR))
    return (*sorted(found), *(["waits"] if any(each.get("state") == "PENDING" for each in pods) else []))


def words_of(workflow: Mapping[str, Any]) -> Words:
    """What an Argo workflow says."""
    status = workflow.get("status") or {}
    failed: dict[str, str] = {}
    waits: dict[str, str] = {}
    nodes = (status.get("nodes") or {}).values()
    for node in sorted(nodes, key=lambda node: (str(node.get("startedAt") or ""), str(node.get("name")))):
        message, phase = node.get("message") or "", node.get("phase")
        _, _, path = str(node.get("name")).partition(".root.")
        if message and path:
            said = {"Failed": failed, "Error": failed, "Pending": waits}.get(str(phase), {})
            said[path.partition(".")[0].removesuffix(DRIVER)] = message
    return Words(status.get("message") or "", failed, waits)


def _step(detail: Mapping[str, Any], words: Words) -> StepSeen:
    status, task = _state(detail), str(detail.get("display_name"))
    if status == FAILED:
        return StepSeen(status, _message(detail) or words.failed.get(task, ""))
    if status in (PENDING, RUNNING):
        return StepSeen(status, words.waits.get(task, ""))
    return StepSeen(status)


def _state(entry: Mapping[str, Any]) -> str:
    return STATES.get(entry.get("state") or "PENDING", RUNNING)


def _details(run: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return (run.get("run_details") or {}).get("task_details") or []


def _message(entry: Mapping[str, Any]) -> str:
    """Why, where a version of Kubeflow tells it."""
    return str((entry.get("error") or {}).get("message") or "")

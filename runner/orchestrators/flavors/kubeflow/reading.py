"""What Kubeflow says of a run, read: from its API's run, as plain data, to what `oversee` understands. Pure.

The run is a V2beta1Run of https://www.kubeflow.org/docs/components/pipelines/reference/api/kubeflow-pipeline-api-spec.
Its task details are made from Argo's nodes: beside one for each task there are drivers, executors and the root.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

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
GONE = Seen(FAILED, "Kubeflow has no such run any more: it was deleted there")
_Detail = Mapping[str, Any]


def seen(run: Mapping[str, Any] | None, tasks: Mapping[str, str]) -> Seen:
    """What this run says; `tasks` are the steps' names by those of their tasks. None is a run that is not there."""
    if run is None:
        return GONE
    details = (run.get("run_details") or {}).get("task_details") or []
    steps = {tasks[name]: _step(each, details) for each in details if (name := each.get("display_name")) in tasks}
    status = STATES.get(run.get("state") or "PENDING", RUNNING)
    return Seen(RUNNING if status == PENDING else status, _message(run), steps)


def is_over(run: Mapping[str, Any]) -> bool:
    """Whether a run goes on no more, and is not about to."""
    return run.get("state") in ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")


def _step(detail: _Detail, details: list[_Detail]) -> StepSeen:
    status = STATES.get(detail.get("state") or "PENDING", RUNNING)
    if status not in (PENDING, RUNNING, FAILED):
        return StepSeen(status)
    words = [message for each in _beneath(detail, details) if (message := _message(each))]
    return StepSeen(status, words[-1] if words else "")


def _beneath(detail: _Detail, details: list[_Detail], seen: frozenset[str] = frozenset()) -> Iterator[_Detail]:
    """A task's own entry, and then those of its pods: what went wrong stands where it did."""
    yield detail
    names = {each.get("task_id") or each.get("pod_name") for each in detail.get("child_tasks") or ()} - {None, *seen}
    for each in details:
        if each.get("task_id") in names or each.get("pod_name") in names:
            yield from _beneath(each, details, seen | names)


def _message(entry: Mapping[str, Any]) -> str:
    """Why, in Kubeflow's words: of the entry itself, or of the last state that it came to."""
    if text := (entry.get("error") or {}).get("message"):
        return str(text)
    history: list[Mapping[str, Any]] = entry.get("state_history") or [{}]
    return str((history[-1].get("error") or {}).get("message") or "")

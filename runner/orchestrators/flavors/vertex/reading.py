"""What a PipelineJob says of a run and its steps: from Google's message to ours. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runner.orchestrators.base import Seen, StepSeen
from runner.records import CANCELLED, FAILED, PENDING, RUNNING, SKIPPED, SUCCEEDED

JOBS: Mapping[str, str] = {
    "PIPELINE_STATE_SUCCEEDED": SUCCEEDED,
    "PIPELINE_STATE_FAILED": FAILED,
    "PIPELINE_STATE_CANCELLED": CANCELLED,
}
"""The states that a job stays in; in all others it is going on."""
TASKS: Mapping[str, str] = {
    "PENDING": PENDING,
    "RUNNING": RUNNING,
    "SUCCEEDED": SUCCEEDED,
    "CANCEL_PENDING": RUNNING,
    "CANCELLING": RUNNING,
    "CANCELLED": CANCELLED,
    "FAILED": FAILED,
    "SKIPPED": SUCCEEDED,  # answered from Vertex' own cache, which our documents never ask for
    "NOT_TRIGGERED": SKIPPED,
}
_IN_WORDS = {
    "PIPELINE_STATE_PAUSED": "somebody paused it",
    "PIPELINE_STATE_CANCELLED": "it was cancelled in Vertex AI",
}
_LONGEST = 400
_REPEATED = re.compile(r"Job \(project_id = |Failed to handle the (job|pipeline task)")
"""Where Vertex begins to say the same again, for its own operators."""


def seen(job: Any, root: Iterable[str] = ()) -> Seen:
    """What a PipelineJob says; `root` is what the entry that stands for the whole pipeline may be called."""
    state, steps = job.state.name, steps_of(job)
    by_task = _by_task(job.job_detail.task_details, set(steps), set(root))
    told = {steps[task]: _of_step(detail) for task, detail in by_task.items()}
    message = _words(job.error.message) or _IN_WORDS.get(state, "")
    return Seen(JOBS.get(state, RUNNING), message, told)


def steps_of(job: Any) -> dict[str, str]:
    """Task → step, as the job's own document says it: a run that is gone on with has fewer, under other names maybe."""
    document = job.pipeline_spec or {}
    tasks = document["root"]["dag"]["tasks"] if "root" in document else {}
    return {task: str(about["taskInfo"]["name"]) for task, about in tasks.items()}


def has_ended(state: str) -> bool:
    """Whether a job in this PipelineState goes on no more."""
    return state in JOBS


def _by_task(details: Iterable[Any], tasks: set[str], root: set[str]) -> dict[str, Any]:
    """Task → its entry. The whole pipeline is an entry, too, the parent of all others, and may have a step's name."""
    details = list(details)
    parents = {each.parent_task_id for each in details if each.parent_task_id}
    found: dict[str, Any] = {}
    for each in sorted(details, key=_when):
        is_whole = each.task_id in parents or (each.task_name in root and not each.parent_task_id)
        if each.task_name in tasks and not is_whole:
            found[each.task_name] = each
    return found


def _when(detail: Any) -> float:
    """When an entry was made, in seconds: of several, the last one counts."""
    return float(detail.create_time.timestamp()) if detail.create_time else 0.0


def _of_step(detail: Any) -> StepSeen:
    status = TASKS.get(detail.state.name, PENDING)
    message = _words(detail.error.message) or next(_errors(detail), "")
    if status in (SUCCEEDED, SKIPPED):
        message = ""
    return StepSeen(status, message)


def _errors(detail: Any) -> Iterator[str]:
    """What Vertex has met on the way and tries again, the last first: a quota, a region without such a machine."""
    for each in reversed(detail.pipeline_task_status):
        if words := _words(each.error.message):
            yield words


def _words(message: str) -> str:
    """Vertex' own words on one line, each thing said once."""
    line = " ".join(message.split())
    if found := _REPEATED.search(line, 1):
        line = line[: found.start()].rstrip("; ")
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"

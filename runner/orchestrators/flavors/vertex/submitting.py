"""A run's jobs in Vertex: the first one, the next one of a run that is gone on with, and the end of those that run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from runner.errors import EngineError
from runner.orchestrators.container import mark_of
from runner.orchestrators.flavors.vertex.job import MARK_LABEL, job_id, number_of
from runner.orchestrators.flavors.vertex.reading import has_ended
from runner.orchestrators.flavors.vertex.service import Listed, Service
from runner.plan.deployment import Deployment

WINDS_DOWN = 90.0
"""Seconds that are waited for an earlier job to end: for the ledger a last step has ended before it has for Vertex."""
_LOOK = 1.0  # seconds between two looks at it
_RACES = 5  # numbers that are tried: a list may not have the newest jobs yet


def submit(service: Service, job: Mapping[str, Any], deployment: Deployment, *, again: bool) -> str:
    """Start a run's job, unless it is there; its full resource name. `again` for a run that is gone on with: that is a
    job of its own, and none before it may still be going. Raises EngineError."""
    first = _last(service, deployment) + 1 if again else 1
    for number in range(first, first + (_RACES if again else 1)):
        if name := service.create(job, id_of(deployment, number)):
            return name
        there = _ours(service, service.name_of(id_of(deployment, number)), deployment)
        if not again or not has_ended(there.state.name):  # made just now: an answer was lost, or somebody was quicker
            return str(there.name)
    raise EngineError(f"no next job can be made for the run '{deployment.run_id}'", "try again in a minute")


def id_of(deployment: Deployment, number: int = 1) -> str:
    """The id of a run's first job, or of its `number`th."""
    mark = mark_of(deployment.run_id, deployment.artifact_store)
    return job_id(deployment.pipeline, deployment.run_id, mark, number)


def jobs_of(service: Service, deployment: Deployment) -> dict[int, Listed]:
    """The jobs of a run, by their numbers, the first one first."""
    first = id_of(deployment)
    found = service.of_run(mark_of(deployment.run_id, deployment.artifact_store))
    numbered = {number_of(each.name, first): each for each in found}
    return {number: numbered[number] for number in sorted(numbered) if number}


def cancel(service: Service, deployment: Deployment, name: str | None) -> None:
    """End a run's job of this name, where that is known, and all others of the run that are still going."""
    if name:
        service.cancel(name)
    for each in jobs_of(service, deployment).values():
        if not has_ended(each.state) and each.name != name:
            service.cancel(each.name)


def _last(service: Service, deployment: Deployment) -> int:
    """The number of the run's last job, once all of them have ended."""
    give_up = time.monotonic() + WINDS_DOWN
    while True:
        jobs = jobs_of(service, deployment)
        going = [each.name.rpartition("/")[2] for each in jobs.values() if not has_ended(each.state)]
        if not going:
            return max(jobs, default=1)
        if time.monotonic() > give_up:
            help = f"wait for its end, or end it first: runner runs cancel {deployment.run_id}"
            raise EngineError(f"the run '{deployment.run_id}' is still going in Vertex AI, as '{going[0]}'", help)
        time.sleep(_LOOK)


def _ours(service: Service, name: str, deployment: Deployment) -> Any:
    """The job whose name is taken, if it is of this very run."""
    job = service.get(name)
    mark = mark_of(deployment.run_id, deployment.artifact_store)
    if job is None or job.labels.get(MARK_LABEL) != mark:
        message = f"there is a job '{name.rpartition('/')[2]}' in Vertex AI already, and it is not of this run"
        raise EngineError(message, f"start the run anew, or delete that job; its name in full: {name}")
    return job

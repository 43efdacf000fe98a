"""A run given to Kubeflow once, whoever asks how often; found there again; ended."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from runner.errors import EngineError
from runner.orchestrators.base import Silent
from runner.orchestrators.container import mark_of
from runner.orchestrators.flavors.kubeflow.reading import is_over
from runner.orchestrators.flavors.kubeflow.service import Run, Service
from runner.orchestrators.flavors.kubeflow.settings import KubeflowSettings
from runner.plan.deployment import RUN_ID, Deployment

LONGEST = 100  # characters of the pipeline in a run's name
TRIES, WAIT = 4, 2.0  # to start a run, and seconds between them
WINDS_DOWN, LOOK = 90.0, 1.0  # seconds that a run may take to end when its steps have, and between two looks at it


def body(deployment: Deployment, documents: Mapping[str, Any], settings: KubeflowSettings, number: int) -> Run:
    """The run as Kubeflow's API takes it, but for its experiment; `number` is 2 when it is gone on with for the first
    time. Pure."""
    spec = documents["pipeline.yaml"]
    if isinstance(spec, tuple):
        spec = dict(zip(("pipeline_spec", "platform_spec"), spec, strict=True))
    found = {
        "display_name": _name(deployment.pipeline, deployment.run_id) + (f" ({number})" if number > 1 else ""),
        "description": description(deployment),
        "pipeline_spec": spec,
        "runtime_config": {"parameters": {RUN_ID: deployment.run_id}},
        "service_account": settings.service_account_name,
    }
    return {name: value for name, value in found.items() if value}


def description(deployment: Deployment) -> str:
    """What people read beside the run's name, and it is known by: ids of runs are unique in an artifact store only."""
    mark = mark_of(deployment.run_id, deployment.artifact_store)
    return f"run {deployment.run_id} of runner, stack {deployment.stack}, mark {mark}"


def runs_of(service: Service, deployment: Deployment) -> list[Run]:
    """The runs in Kubeflow that carry a run of ours, the oldest first."""
    known = description(deployment)
    return [run for run in service.runs(deployment.run_id) if run.get("description") == known]


def submit(
    service: Service, deployment: Deployment, documents: Mapping[str, Any], settings: KubeflowSettings, *, again: bool
) -> str:
    """Start a run, unless it is there; the id that Kubeflow knows it by. `again` for one that is to go on: then what is
    there of it must have ended. Raises EngineError."""
    experiment = service.experiment(settings.experiment or deployment.pipeline)
    before = runs_of(service, deployment)
    if again:
        _until_all_are_over(service, before, deployment.run_id)
    elif before:
        return str(before[0]["run_id"])
    made = body(deployment, documents, settings, len(before) + 1) | {"experiment_id": experiment}
    mine = _created(service, deployment, made, len(before))
    rivals = runs_of(service, deployment)[len(before) :]
    if rivals and rivals[0]["run_id"] != mine:  # two asked at the same moment, and the other one was first
        service.terminate(mine)
        return str(rivals[0]["run_id"])
    return mine


def _created(service: Service, deployment: Deployment, made: Run, known: int) -> str:
    """Ask until it is there: when an answer is lost, what was asked for may have been done."""
    for left in reversed(range(TRIES)):
        try:
            return str(service.create(made)["run_id"])
        except Silent:
            found = runs_of(service, deployment)[known:]
            if found:
                return str(found[0]["run_id"])
            if not left:
                raise
            time.sleep(WAIT)
    raise AssertionError("unreachable")


def _until_all_are_over(service: Service, runs: list[Run], run_id: str) -> None:
    """The last step of a run tells its end before Kubeflow does."""
    give_up = time.monotonic() + WINDS_DOWN
    for run in runs:
        now: Run | None = run
        while now is not None and not is_over(now) and time.monotonic() < give_up:
            time.sleep(LOOK)
            now = service.run(str(run["run_id"]))
        if now is not None and not is_over(now):
            raise EngineError(
                f"run '{run_id}' is still going in Kubeflow, as '{run['display_name']}'",
                f"stop it first: runner runs cancel {run_id}",
            )


def cancel(service: Service, deployment: Deployment, kubeflows_id: str) -> None:
    """End it, by the id it is known to have or whichever it has."""
    if kubeflows_id:
        service.terminate(kubeflows_id)
        return
    for run in runs_of(service, deployment):
        if not is_over(run):
            service.terminate(str(run["run_id"]))


def _name(pipeline: str, run_id: str) -> str:
    return f"{pipeline[:LONGEST]} {run_id}"

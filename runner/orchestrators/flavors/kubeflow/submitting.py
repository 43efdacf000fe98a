"""A run given to Kubeflow once, whoever asks how often; found there again; ended.

Kubeflow gives its runs ids of its own and takes as many of one name as it is asked for. So whoever has started one says
so in the artifact store, where of two that do only one is first: the other one ends what it has started.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from runner.errors import EngineError
from runner.orchestrators.base import LedgerLike, Silent
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
        "display_name": name_of(deployment, number),
        "description": description(deployment),
        "pipeline_spec": spec,
        "runtime_config": {"parameters": {RUN_ID: deployment.run_id}},
        "service_account": settings.service_account_name,
    }
    return {name: value for name, value in found.items() if value}


def name_of(deployment: Deployment, number: int) -> str:
    """What people see of a run."""
    return f"{deployment.pipeline[:LONGEST]} {deployment.run_id}" + (f" ({number})" if number > 1 else "")


def description(deployment: Deployment) -> str:
    """What people read beside the run's name, and it is known by: ids of runs are unique in an artifact store only."""
    mark = mark_of(deployment.run_id, deployment.artifact_store)
    return f"run {deployment.run_id} of runner, stack {deployment.stack}, mark {mark}"


def submit(
    service: Service,
    ledger: LedgerLike,
    deployment: Deployment,
    documents: Mapping[str, Any],
    settings: KubeflowSettings,
    *,
    again: bool,
) -> str:
    """Start a run, unless it is there; the id that Kubeflow knows it by. `again` for one that is to go on: then what is
    there of it must have ended. Raises EngineError."""
    run_id, claims = deployment.run_id, ledger.claims(deployment.run_id)
    if claims and not again:
        return str(claims[0]["run"])
    for each in claims:
        _until_it_is_over(service, str(each["run"]), run_id)
    number = len(claims) + 1
    found = _of_this_number(service, deployment, number)
    if found:
        mine = str(found[0]["run_id"])  # of somebody who came no further than to start it
    else:
        experiment = service.experiment(settings.experiment or deployment.pipeline)
        made = body(deployment, documents, settings, number) | {"experiment_id": experiment}
        mine = _created(service, deployment, made, number)
    carries = str(ledger.claim(run_id, number, {"run": mine})["run"])
    if carries != mine:
        service.terminate(mine)
    return carries


def last_of(service: Service, ledger: LedgerLike, deployment: Deployment) -> str:
    """The id of what carries a run, or did last, where nobody kept it; empty where nothing does."""
    claims = ledger.claims(deployment.run_id)
    if claims:
        return str(claims[-1]["run"])
    found = _of_this_number(service, deployment, 1)
    return str(found[0]["run_id"]) if found else ""


def _of_this_number(service: Service, deployment: Deployment, number: int) -> list[Run]:
    name, known = name_of(deployment, number), description(deployment)
    found = service.runs(deployment.run_id)
    return [run for run in found if run.get("display_name") == name and run.get("description") == known]


def _created(service: Service, deployment: Deployment, made: Run, number: int) -> str:
    """Ask until it is there: when an answer is lost, what was asked for may have been done."""
    for left in reversed(range(TRIES)):
        try:
            return str(service.create(made)["run_id"])
        except Silent:
            if found := _of_this_number(service, deployment, number):
                return str(found[0]["run_id"])
            if not left:
                raise
            time.sleep(WAIT)
    raise AssertionError("unreachable")


def _until_it_is_over(service: Service, kubeflows_id: str, run_id: str) -> None:
    """The last step of a run tells its end before Kubeflow does."""
    give_up = time.monotonic() + WINDS_DOWN
    while (run := service.run(kubeflows_id)) is not None and not is_over(run):
        if time.monotonic() > give_up:
            raise EngineError(
                f"run '{run_id}' is still going in Kubeflow, as '{run['display_name']}'",
                f"stop it first: runner runs cancel {run_id}",
            )
        time.sleep(LOOK)

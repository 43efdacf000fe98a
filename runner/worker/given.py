"""What an engine fills in when it starts a run of a document that serves many: which run it is, values of parameters.

It comes as the executor input of Kubeflow's documents, which both of their engines put in place of `{{$}}`:

    {"inputs": {"parameterValues": {"run_id": "", "engine_run_id": "5c1f…", "trees": 300}}}
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Mapping
from typing import Any

from runner.artifact_store.ledger import Ledger
from runner.plan.deployment import ENGINE_RUN_ID, RUN_ID, Deployment, StepJob
from runner.plan.fingerprint import part
from runner.plan.secrets import REFERENCE
from runner.worker.settle import whole

_ID = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def given(job: StepJob, text: str) -> StepJob:
    """The job of one run: its id, and values by parameter. Raises ValueError, KeyError, TypeError, AttributeError."""
    values = json.loads(text)["inputs"]["parameterValues"]
    run_id = str(values.get(RUN_ID) or values[ENGINE_RUN_ID])
    if not _ID.fullmatch(run_id):
        raise ValueError(f"'{run_id[:60]}' cannot be the id of a run")
    typed = {name: _typed(values[name], kind) for name, kind in job.given["types"].items() if name in values}
    return job._replace(run_id=run_id, given={**job.given, "values": typed})


def begun(job: StepJob, ledger: Ledger) -> StepJob:
    """The job with its parameters as they are in this run; the ledger knows the run from then on.

    Raises StoreError; StateError when what was too long for the command line is nowhere.
    """
    values = job.given["values"]
    if not ledger.has_run(job.run_id):
        blueprint = ledger.blueprint(job.given["deployment"])
        if blueprint is not None:
            ledger.begin_run(_of_run(blueprint, job.run_id, values))
        else:  # the step itself can do without
            print(
                f"note: there is no deployments/{job.given['deployment']}.json in the artifact store", file=sys.stderr
            )
    job = whole(job, ledger)
    parameters = {
        argument: _filled(value, values, job.given["arguments"].get(argument))
        for argument, value in job.parameters.items()
    }
    if parameters == job.parameters or job.fingerprint is None:
        return job._replace(parameters=parameters)
    return job._replace(parameters=parameters, fingerprint={**job.fingerprint, "parameters": part(parameters)})


def _of_run(blueprint: Deployment, run_id: str, values: Mapping[str, Any]) -> Deployment:
    steps = dict(blueprint.steps)
    for name, about in blueprint.runtime.items():
        for step, argument in about["arguments"] if name in values else ():
            if step in steps:
                parameters = steps[step].parameters
                filled = {**parameters, argument: _filled(parameters.get(argument), values, name)}
                steps[step] = steps[step]._replace(parameters=filled)
    parameters = {**blueprint.parameters, **values}
    return blueprint._replace(run_id=run_id, created=time.time(), parameters=parameters, steps=steps)


def _filled(planned: Any, values: Mapping[str, Any], name: str | None) -> Any:
    """The value of an argument in this run. An equal one stays as it was planned: `1` and `1.0` differ in the cache."""
    if name is None or name not in values:
        return planned
    value = _escaped(values[name])
    return planned if planned == value else value


def _typed(value: Any, kind: str) -> Any:
    """Engines keep all numbers as floating ones."""
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _escaped(value: Any) -> Any:
    """A value that stays as it is where references are filled in: who starts a run cannot ask for a secret by it."""
    if isinstance(value, str):
        return REFERENCE.sub(r"$\g<0>", value)
    if isinstance(value, dict):
        return {key: _escaped(member) for key, member in value.items()}
    return [_escaped(each) for each in value] if isinstance(value, list) else value

"""What is handed to an orchestrator, and what is handed to a worker. Workers load this: standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from runner.plan.fingerprint import part
from runner.records import Artifact, artifacts_from, artifacts_to_json
from runner.spec import OUTPUT


class DeployedStep(NamedTuple):
    """A step with every default, parameter and name resolved; plain values only.

    `inputs`      argument → (step, output)
    `parameters`  argument → value; may still hold `${secrets.NAME}` and `${run.id}`, which the worker resolves
    `outputs`     names of several outputs; empty for the one output
    `resources`   those that are set, in base units: cpu_count, memory (bytes), gpu_count, gpu_type, disk, shm (bytes)
    `retry`       max_retries, delay, backoff, max_delay (seconds), or None
    `timeout`     seconds, or None
    `cache`       whether a finished step may answer for this one; `expires_after` seconds, or None
    `settings`    the chosen flavor's step settings
    `image`       `settings.image`
    `fingerprint` the parts of the cache key that are known before it runs, each a digest: code, parameters, outputs,
                  environment, image
    `container`   what it runs in, empty where steps run without images: {"image": reference, by digest where the stack
                  has a registry, "code": {"key": …, "digest": …} of an archive in the artifact store, or None}
    """

    name: str
    entrypoint: str
    inputs: dict[str, tuple[str, str]] = {}
    after: tuple[str, ...] = ()
    parameters: dict[str, Any] = {}
    outputs: tuple[str, ...] = ()
    resources: dict[str, Any] = {}
    retry: dict[str, Any] | None = None
    timeout: float | None = None
    cache: bool = True
    expires_after: float | None = None
    environment: dict[str, str] = {}
    settings: dict[str, Any] = {}
    image: dict[str, Any] = {}
    fingerprint: dict[str, str] = {}
    container: dict[str, Any] = {}

    @property
    def upstream(self) -> tuple[str, ...]:
        """The steps that must finish first, each once."""
        return tuple(dict.fromkeys([*(step for step, _ in self.inputs.values()), *self.after]))

    @property
    def output_names(self) -> tuple[str, ...]:
        return self.outputs or (OUTPUT,)


class Deployment(NamedTuple):
    """A plan with a run id: all that an orchestrator needs to run it, serialisable as JSON.

    `steps`          in an order in which each stands after what it needs
    `provided`       outputs of steps that are not run because they were not selected: step → output → artifact
    `artifact_store` flavor and fields, absolute: {"flavor": "local", "path": "/…"}
    `project`        the project's root folder on the machine that planned
    `use_cache`      False for `--no-cache`: results are stored but none is looked up
    `document`       the pipeline's file, absolute, and the digest of its text when this was planned
    `secret_store`   flavor and fields of where `${secrets.NAME}` is looked up; empty for the environment
    `container_registry` flavor and fields of where images are pushed; empty for nowhere
    `controller`     what the run's controller runs in, {"image": reference}; empty where there is none
    `runtime`        parameters that an engine may fill in when it starts a run, for flavors whose document serves many
                     runs: name → {"type": JSON type, "arguments": [[step, argument], …]}, all that depends on it
    """

    run_id: str
    pipeline: str
    stack: str
    flavor: str
    steps: dict[str, DeployedStep]
    artifact_store: dict[str, Any]
    project: str
    parameters: dict[str, Any] = {}
    on_failure: str = "fail_fast"
    provided: dict[str, dict[str, Artifact]] = {}
    use_cache: bool = True
    created: float = 0.0
    file: str = ""
    orchestrator: dict[str, Any] = {}
    document: tuple[str, str] = ("", "")
    secret_store: dict[str, Any] = {}
    container_registry: dict[str, Any] = {}
    controller: dict[str, Any] = {}
    runtime: dict[str, dict[str, Any]] = {}


RUN_ID, ENGINE_RUN_ID = "run_id", "engine_run_id"
"""Inputs of a document that serves many runs: the run's id as whoever starts it says it, and the engine's own, which
counts where the first is empty."""


class StepJob(NamedTuple):
    """One attempt of one step, as its worker needs it.

    `inputs`    argument → the artifact, or (step, output) for the worker to look up in the ledger
    `cache_key` where to write the finished step's outputs; None when it is not cached
    `announce`  the worker records what nobody else does: its start, its log, its death. For engines that walk the DAG
                themselves; the worker then is a process that watches over the step's own
    `secret_store` where secrets are looked up: flavor and fields, empty for the environment
    `code`      the archive of the project's code that the worker unpacks and runs: {"key": …, "digest": …}; {"folder":
                "."} for code in the folder that the worker starts in; empty for code in `project`

    Of a job that the worker settles itself (`announce`):
    `attempt`       0 for the next one that the ledger does not know
    `fingerprint`   its parts, for the worker to compute the cache key with the inputs' digests; None when it need not
    `use_cache`     whether a finished step of that key may answer, if not older than `expires_after` seconds
    `timeout`       seconds after which the worker ends the step
    `echo`          print the step's log too, for engines that keep logs of their own
    `bound`         end with the process that started the worker
    `waited_for`    address, port and mark of who waits for its result, and is told by a datagram when that is there
    `left_out`      fields too long for a command line: the worker takes them from the deployment in the ledger
    `given`         for a job of a document that serves many runs; the worker's second argument says which run it is and
                    has values: {"deployment": its digest in the ledger, "types": {parameter: JSON type}, "arguments":
                    {argument: parameter}}, and "values" once they are known; empty for a job of one run
    """

    run_id: str
    step: str
    attempt: int
    entrypoint: str
    inputs: dict[str, Any]
    parameters: dict[str, Any]
    outputs: tuple[str, ...]
    environment: dict[str, str]
    artifact_store: dict[str, Any]
    project: str
    cache_key: str | None = None
    announce: bool = False
    secret_store: dict[str, Any] = {}
    fingerprint: dict[str, str] | None = None
    use_cache: bool = True
    expires_after: float | None = None
    timeout: float | None = None
    echo: bool = False
    bound: bool = False
    left_out: tuple[str, ...] = ()
    waited_for: tuple[str, int, str] | None = None
    code: dict[str, str] = {}
    given: dict[str, Any] = {}


def facts_of(deployment: Deployment) -> dict[str, Any]:
    """What `run_started` tells of a run."""
    return {
        "pipeline": deployment.pipeline,
        "stack": deployment.stack,
        "flavor": deployment.flavor,
        "parameters": deployment.parameters,
        "steps": list(deployment.steps),
        "artifact_store": deployment.artifact_store,
        "secret_store": deployment.secret_store,
    }


def deployment_to_json(deployment: Deployment) -> dict[str, Any]:
    """`deployment.json` as a JSON value; `deployment_from` reads it back."""
    steps = {name: step._asdict() for name, step in deployment.steps.items()}
    provided = {name: artifacts_to_json(outputs) for name, outputs in deployment.provided.items()}
    return deployment._asdict() | {"steps": steps, "provided": provided}


def digest_of(deployment: Deployment) -> str:
    """A name for a deployment without a run: the same wherever and whenever it is made of the same documents."""
    data = deployment_to_json(deployment)
    for field in ("run_id", "created", "project", "file"):
        del data[field]
    data["document"] = deployment.document[1]
    return part(data)


def deployment_from(data: Mapping[str, Any]) -> Deployment:
    """Read `deployment.json` back; keys of a newer version are passed over."""
    known = {key: data[key] for key in Deployment._fields if key in data}
    known["steps"] = {name: _step_from(fields) for name, fields in data["steps"].items()}
    path, digest = data.get("document", ("", ""))
    known["document"] = (path, digest)
    known["provided"] = {name: artifacts_from(outputs) for name, outputs in data.get("provided", {}).items()}
    return Deployment(**known)


def _step_from(data: Mapping[str, Any]) -> DeployedStep:
    known = {key: data[key] for key in DeployedStep._fields if key in data}
    known["inputs"] = {argument: (step, output) for argument, (step, output) in data.get("inputs", {}).items()}
    known["after"] = tuple(data.get("after", ()))
    known["outputs"] = tuple(data.get("outputs", ()))
    return DeployedStep(**known)


def job_to_json(job: StepJob) -> dict[str, Any]:
    """A job as a JSON value; `job_from` reads it back."""
    inputs = {name: value._asdict() if isinstance(value, Artifact) else value for name, value in job.inputs.items()}
    return job._asdict() | {"inputs": inputs}


def job_fields(job: StepJob) -> tuple[Any, ...]:
    """A job as a tuple of plain values, for processes of one machine; `job_from_fields` reads it back."""
    return (*job[:4], {name: tuple(value) for name, value in job.inputs.items()}, *job[5:])


def job_from_fields(fields: tuple[Any, ...]) -> StepJob:
    """Read such a tuple back."""
    job = StepJob(*fields)
    for name, value in job.inputs.items():
        if len(value) > 2:  # an artifact, not a step and its output
            job.inputs[name] = Artifact(*value)
    return job


def job_from(data: Mapping[str, Any]) -> StepJob:
    """Read a job back."""
    known = {key: data[key] for key in StepJob._fields if key in data}
    known["inputs"] = {
        name: Artifact(**value) if isinstance(value, dict) else (value[0], value[1])
        for name, value in data.get("inputs", {}).items()
    }
    known["outputs"] = tuple(data.get("outputs", ()))
    known["left_out"] = tuple(data.get("left_out", ()))
    if data.get("waited_for"):
        host, port, mark = data["waited_for"]
        known["waited_for"] = (host, port, mark)
    return StepJob(**known)

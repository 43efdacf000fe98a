"""Happened: events, and the runs that are folds of them. Standard library only: every worker loads this file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

# The status of a run or a step.
PENDING, RUNNING, RETRYING = "pending", "running", "retrying"
SUCCEEDED, CACHED, FAILED, SKIPPED, CANCELLED = "succeeded", "cached", "failed", "skipped", "cancelled"
DONE = frozenset({SUCCEEDED, CACHED})
ENDED = frozenset({SUCCEEDED, CACHED, FAILED, SKIPPED, CANCELLED})

# Why an attempt failed, besides the exception of its own code.
REASONS = {
    "exception": "the step's code raised an exception",
    "timeout": "it took longer than its timeout",
    "out-of-memory": "it took more memory than it was given",
    "cancelled": "the run was cancelled",
    "exit": "the process ended by itself without a result",
    "signal": "the process was killed by a signal",
    "lost": "the process that carried it is gone",
    "killed": "its container was killed from outside",
    "container": "the engine could not start its container",
    "image": "its image is missing",
    "engine": "the engine could not be reached",
    "disk": "there was no room left on a disk",
    "cannot-load": "an input could not be read",
    "cannot-save": "an output could not be written",
    "environment": "its environment could not be made",
    "entrypoint": "the entrypoint could not be imported",
    "outputs": "it returned something else than its declared outputs",
    "store": "the artifact store could not be read or written",
    "secret": "a secret is not there",
    "config": "its container could not be configured",
    "forbidden": "the cluster does not let it in",
    "quota": "the namespace's quota is used up",
    "unschedulable": "no node could take it",
    "evicted": "its node ran short of something and ended it",
    "deadline": "the engine's deadline for it was over",
    "node-lost": "its node was lost, or was needed for something else",
    "deleted": "it was deleted from outside",
}
# What another attempt would fail of too: it is not tried again.
HOPELESS = frozenset({"secret", "config", "forbidden"})
# What no step can help: it is started again, and that takes none of its retries.
ENGINES_FAULT = frozenset({"node-lost", "deleted"})

EVENTS = (
    "run_started",
    "run_submitted",
    "run_waiting",
    "step_started",
    "step_waiting",
    "step_cached",
    "step_retrying",
    "step_succeeded",
    "step_failed",
    "step_skipped",
    "step_cancelled",
    "run_succeeded",
    "run_failed",
    "run_cancelled",
)
RUN_ENDS = frozenset({"run_succeeded", "run_failed", "run_cancelled"})


class Artifact(NamedTuple):
    """A value in the artifact store.

    `uri` is its key in the store, `type` the materializer that reads it back (`json`, `numpy`, `pickle` …), `size`
    bytes, `digest` the SHA-256 of its content in hex, `python_type` the value's class for people, `meta` what the
    materializer needs beside the bytes.
    """

    uri: str
    type: str
    size: int
    digest: str
    python_type: str = ""
    meta: dict[str, Any] = {}


class Frame(NamedTuple):
    """One line of a user's traceback."""

    file: str
    line: int
    function: str
    code: str = ""


class Failure(NamedTuple):
    """Why an attempt failed. `reason` is a key of REASONS, `type` the exception's class, `frames` the user's lines."""

    reason: str
    message: str
    type: str = ""
    frames: tuple[Frame, ...] = ()
    traceback: str = ""


class StepResult(NamedTuple):
    """What one attempt left in the ledger as `result.json`. Times are seconds since 1970, UTC.

    One of status `cached` did not run: its outputs are those of the run `cached_from`.
    """

    run_id: str
    step: str
    attempt: int
    status: str
    started: float
    ended: float
    host: str = ""
    pid: int = 0
    outputs: dict[str, Artifact] = {}
    error: Failure | None = None
    metrics: dict[str, Any] = {}
    cache_key: str | None = None
    cached_from: str | None = None


class Event(NamedTuple):
    """One fact of a run. `event` is one of EVENTS, `time` seconds since 1970, `data` its own facts as JSON values."""

    event: str
    run_id: str
    time: float
    step: str | None = None
    attempt: int | None = None
    data: dict[str, Any] = {}


class LogLines(NamedTuple):
    """Whole lines that an attempt printed; passed on live, kept in the ledger and not in the run store."""

    step: str
    attempt: int
    text: str


class StepRun(NamedTuple):
    """A step of a run, as its events tell."""

    name: str
    status: str = PENDING
    attempt: int = 0
    started: float | None = None
    ended: float | None = None
    outputs: dict[str, Artifact] = {}
    error: Failure | None = None
    metrics: dict[str, Any] = {}
    cache_key: str | None = None
    reason: str = ""
    cached_from: str | None = None


class Run(NamedTuple):
    """A run: the fold of its events. `url` is where its engine shows it, if it does."""

    run_id: str
    pipeline: str = ""
    stack: str = ""
    status: str = PENDING
    started: float | None = None
    ended: float | None = None
    parameters: dict[str, Any] = {}
    steps: dict[str, StepRun] = {}
    reason: str = ""
    url: str = ""


def fold(events: Iterable[Event], run_id: str = "") -> Run:
    """The run that these events tell of, in the order in which they were appended."""
    run = Run(run_id)
    steps: dict[str, StepRun] = {}
    for event in events:
        if event.step is not None:
            steps[event.step] = _fold_step(steps.get(event.step) or StepRun(event.step), event)
        else:
            run = _fold_run(run, event, steps)
    return run._replace(steps=steps)


def _fold_run(run: Run, event: Event, steps: dict[str, StepRun]) -> Run:
    data = event.data
    if event.event == "run_started":
        for name in data.get("steps", ()):
            steps.setdefault(name, StepRun(name))
        return run._replace(
            run_id=event.run_id,
            pipeline=data.get("pipeline", run.pipeline),
            stack=data.get("stack", run.stack),
            parameters=data.get("parameters", run.parameters),
            status=RUNNING,
            started=run.started or event.time,
            ended=None,
            reason="",
        )
    if event.event == "run_submitted":
        return run._replace(url=data.get("url", run.url))
    if event.event not in RUN_ENDS:
        return run
    status = event.event.removeprefix("run_")
    return run._replace(status=status, ended=event.time, reason=data.get("reason", ""))


def _fold_step(step: StepRun, event: Event) -> StepRun:
    data = event.data
    match event.event:
        case "step_started":
            return StepRun(step.name, RUNNING, event.attempt or 1, event.time)
        case "step_waiting":
            return step._replace(reason=data.get("reason", ""))
        case "step_retrying":
            return step._replace(status=RETRYING, error=failure_from(data.get("error")), reason="")
        case "step_succeeded" | "step_cached":
            started = data.get("started", step.started) or event.time
            return step._replace(
                status=SUCCEEDED if event.event == "step_succeeded" else CACHED,
                attempt=event.attempt or step.attempt,
                started=started,
                ended=started + data["duration"] if "duration" in data else event.time,
                outputs=artifacts_from(data.get("outputs", {})),
                error=None,
                metrics=data.get("metrics", {}),
                cache_key=data.get("cache_key"),
                reason="",
                cached_from=data.get("cached_from"),
            )
        case _:
            return step._replace(
                status=event.event.removeprefix("step_"),
                ended=event.time,
                error=failure_from(data.get("error")) or step.error,
                reason=data.get("reason", ""),
            )


def done_event(result: StepResult) -> Event:
    """The event of a step that is done, as its attempt's result tells it."""
    data: dict[str, Any] = {"outputs": artifacts_to_json(result.outputs)}
    if result.cache_key:
        data["cache_key"] = result.cache_key
    if result.status == CACHED:
        data["cached_from"] = result.cached_from
        return Event("step_cached", result.run_id, result.ended, result.step, None, data)
    data |= {"started": result.started, "duration": round(result.ended - result.started, 6)}
    if result.metrics:
        data["metrics"] = result.metrics
    return Event("step_succeeded", result.run_id, result.ended, result.step, result.attempt, data)


def result_to_json(result: StepResult) -> dict[str, Any]:
    """`result.json` as a JSON value; `result_from` reads it back."""
    return result._asdict() | {
        "outputs": artifacts_to_json(result.outputs),
        "error": failure_to_json(result.error),
    }


def result_from(data: Mapping[str, Any]) -> StepResult:
    """Read `result.json` back."""
    known = {key: data[key] for key in StepResult._fields if key in data}
    known["outputs"] = artifacts_from(data.get("outputs", {}))
    known["error"] = failure_from(data.get("error"))
    return StepResult(**known)


def artifacts_to_json(outputs: Mapping[str, Artifact]) -> dict[str, Any]:
    return {name: artifact._asdict() for name, artifact in outputs.items()}


def artifacts_from(data: Mapping[str, Any]) -> dict[str, Artifact]:
    return {name: Artifact(**fields) for name, fields in data.items()}


def failure_to_json(error: Failure | None) -> dict[str, Any] | None:
    return error and error._asdict() | {"frames": [frame._asdict() for frame in error.frames]}


def failure_from(data: Mapping[str, Any] | None) -> Failure | None:
    if data is None:
        return None
    return Failure(**{**data, "frames": tuple(Frame(**frame) for frame in data.get("frames", ()))})

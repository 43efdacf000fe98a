"""One attempt of one step: load its inputs, call its function, save its outputs, write its result."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from runner.artifact_store.base import ArtifactStore, ObjectMissing, StoreError
from runner.artifact_store.ledger import Ledger
from runner.artifact_store.materializers import ArtifactError, CannotSave, load, save
from runner.plan.deployment import StepJob
from runner.records import FAILED, SUCCEEDED, Artifact, Failure, StepResult
from runner.secret_store.base import SecretStoreError
from runner.spec import OUTPUT
from runner.worker.context import StepContext, enter, leave
from runner.worker.failure import failure_of
from runner.worker.secrets import Resolver

if TYPE_CHECKING:
    from pathlib import Path

HOST = os.uname().nodename


class StepError(Exception):
    """An attempt failed for a reason other than an exception of the step's own code."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def execute(job: StepJob, ledger: Ledger, resolver: Resolver) -> StepResult:
    """Run the job, leave its result in the ledger, and remember a success for later runs.

    The step's own failures come back as a result. Raises StoreError when not even that can be written.
    """
    result = carry_out(job, ledger, resolver)
    remember(job, result, ledger)
    return result


def remember(job: StepJob, result: StepResult, ledger: Ledger) -> None:
    """Let a success answer for equal steps."""
    if job.cache_key and result.status == SUCCEEDED:
        ledger.write_cache(job.cache_key, result)


def carry_out(job: StepJob, ledger: Ledger, resolver: Resolver) -> StepResult:
    """Run the job and leave its result in the ledger."""
    started = time.time()
    context = StepContext(job.run_id, job.step, job.attempt)
    if job.announce:
        ledger.write_started(job, started, HOST, os.getpid())
    enter(context)
    try:
        outputs = _outputs_of(job, ledger, context, resolver)
        result = _result(job, SUCCEEDED, started, context, outputs=outputs)
    except BaseException as error:
        result = _result(job, FAILED, started, context, error=_explain(error, job))
    finally:
        leave(context)
    if resolver.secrets:
        result = _without_secrets(result, resolver.mask)
    ledger.write_result(result)
    return result


def _result(
    job: StepJob,
    status: str,
    started: float,
    context: StepContext,
    *,
    outputs: dict[str, Artifact] | None = None,
    error: Failure | None = None,
) -> StepResult:
    return StepResult(
        job.run_id,
        job.step,
        job.attempt,
        status,
        started,
        time.time(),
        HOST,
        os.getpid(),
        outputs or {},
        error,
        context.metrics,
        job.cache_key,
    )


def _outputs_of(job: StepJob, ledger: Ledger, context: StepContext, resolver: Resolver) -> dict[str, Artifact]:
    parameters = resolver.fill(job.parameters)
    if job.environment:
        os.environ.update(resolver.fill(job.environment))
    function = find(job.entrypoint)
    inputs = {name: _load(name, value, job, ledger, context) for name, value in job.inputs.items()}
    returned = function(**inputs, **parameters)
    sys.stdout.flush()
    sys.stderr.flush()
    return {name: _save(job.step, name, value, ledger.store) for name, value in named(returned, job.outputs).items()}


def find(entrypoint: str) -> Callable[..., Any]:
    """The function of an entrypoint. Raises StepError when it is not there; a module's own errors pass through."""
    module_name, _, name = entrypoint.partition(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and (module_name + ".").startswith(error.name + "."):
            raise StepError(
                "entrypoint", f"there is no module '{error.name}' for the entrypoint '{entrypoint}'"
            ) from None
        raise
    function: Callable[..., Any] | None = getattr(module, name, None)
    if not callable(function):
        raise StepError("entrypoint", f"module '{module_name}' has no function '{name}'")
    return function


def named(returned: Any, outputs: tuple[str, ...]) -> Mapping[str, Any]:
    """What a step returned, under its declared outputs: a tuple, a NamedTuple or a mapping of just those names."""
    if not outputs:
        return {OUTPUT: returned}
    if isinstance(returned, Mapping):
        if set(returned) != set(outputs):
            raise StepError(
                "outputs", f"it declares the outputs {_names(outputs)} but returned a mapping of {_names(returned)}"
            )
        return {name: returned[name] for name in outputs}
    fields = getattr(returned, "_fields", None)
    if fields is not None and set(fields) == set(outputs):
        return {name: getattr(returned, name) for name in outputs}
    if isinstance(returned, (tuple, list)) and len(returned) == len(outputs):
        return dict(zip(outputs, returned, strict=True))
    if len(outputs) == 1 and not isinstance(returned, tuple):
        return {outputs[0]: returned}
    count = f"{len(returned)} values" if isinstance(returned, (tuple, list)) else f"a {type(returned).__name__}"
    raise StepError("outputs", f"it declares the outputs {_names(outputs)} but returned {count}")


def _load(name: str, value: Any, job: StepJob, ledger: Ledger, context: StepContext) -> Any:
    artifact = value if isinstance(value, Artifact) else look_up(name, value, job, ledger)
    try:
        return load(artifact, ledger.store, _Lazy(context))
    except ObjectMissing:
        raise StepError(
            "cannot-load",
            f"input '{name}' is gone from the artifact store ({artifact.uri}): a resume makes it again",
        ) from None
    except ArtifactError as error:
        more = f" ({error.help})" if error.help else ""
        raise StepError("cannot-load", f"input '{name}' cannot be read: {error}{more}") from error


def look_up(name: str, source: tuple[str, str], job: StepJob, ledger: Ledger) -> Artifact:
    """The output of another step of this run, by the ledger. Raises StepError when it is not there."""
    step, output = source
    for attempt in reversed(ledger.attempts(job.run_id, step)):
        result = ledger.result(job.run_id, step, attempt)
        if result is not None and output in result.outputs:
            return result.outputs[output]
    raise StepError("cannot-load", f"input '{name}' is not there: step '{step}' left no output '{output}' in this run")


def _save(step: str, name: str, value: Any, store: ArtifactStore) -> Artifact:
    try:
        return save(value, store)
    except CannotSave as error:
        raise StepError("cannot-save", f"output '{name}' of step '{step}' cannot be saved: {error}") from error


class _Lazy:
    """A folder that is only made when an input is materialised as a path."""

    def __init__(self, context: StepContext) -> None:
        self._context = context

    def __fspath__(self) -> str:
        return str(self._context.folder)

    def __truediv__(self, name: str) -> Path:
        return self._context.folder / name


def _explain(error: BaseException, job: StepJob) -> Failure:
    match error:
        case StepError():
            return Failure(error.reason, error.message, type(error.__cause__).__name__ if error.__cause__ else "")
        case SecretStoreError():
            return Failure("secret", error.message + (f" ({error.help})" if error.help else ""))
        case StoreError():
            return Failure("store", error.message + (f" ({error.help})" if error.help else ""))
        case SystemExit():
            return Failure("exit", f"the step called sys.exit({error.code!r}): a step ends by returning or by raising")
        case _:
            return failure_of(error, job.project, elsewhere=bool(job.code))


def _without_secrets(result: StepResult, mask: Callable[[str], str]) -> StepResult:
    """The record of an attempt as everybody may read it. What a step returned is kept as it is."""
    metrics = {mask(name): mask(value) if isinstance(value, str) else value for name, value in result.metrics.items()}
    outputs = {
        name: artifact._replace(python_type=mask(artifact.python_type)) for name, artifact in result.outputs.items()
    }
    error = result.error
    if error is not None:
        frames = tuple(frame._replace(code=mask(frame.code)) for frame in error.frames)
        error = error._replace(
            message=mask(error.message), type=mask(error.type), frames=frames, traceback=mask(error.traceback)
        )
    return result._replace(metrics=metrics, outputs=outputs, error=error)


def _names(names: Any) -> str:
    return ", ".join(f"'{name}'" for name in names) or "nothing"

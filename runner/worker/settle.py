"""What a worker finds out for itself where nobody walks the DAG: its attempt, its inputs, whether it need run."""

from __future__ import annotations

import time

from runner.artifact_store.ledger import Ledger
from runner.plan.deployment import StepJob
from runner.plan.fingerprint import cache_key
from runner.records import CACHED, DONE, FAILED, Artifact, Failure, StepResult
from runner.spec import OUTPUT
from runner.worker.call import HOST, StepError, look_up


def settle(job: StepJob, ledger: Ledger) -> StepJob | StepResult:
    """The job with its attempt, its inputs and its cache key; or the result, when it need not or may not run.

    A step of this run that is done is not done again; an equal step of another run answers for it, in a result of
    status `cached`; an attempt that has begun elsewhere does not begin twice. Raises StoreError.
    """
    known = ledger.attempts(job.run_id, job.step)
    if (done := _done(job, ledger, [job.attempt] if job.attempt else known)) is not None:
        return done
    if job.attempt in known:
        return ledger.result(job.run_id, job.step, job.attempt) or _begun_already(job, ledger)
    job = _with_inputs(whole(job, ledger)._replace(attempt=job.attempt or max(known, default=0) + 1), ledger)
    return _answer(job, ledger) or job


def _done(job: StepJob, ledger: Ledger, attempts: list[int]) -> StepResult | None:
    for attempt in reversed(attempts):
        result = ledger.result(job.run_id, job.step, attempt)
        if result is not None and result.status in DONE and ledger.has_all(result.outputs.values()):
            return result
    return None


def _begun_already(job: StepJob, ledger: Ledger) -> StepResult:
    """An engine that lost sight of an attempt starts it again; whether the first still runs nobody can know."""
    now = time.time()
    error = Failure("lost", "it was started twice: the engine lost the process that ran it")
    result = StepResult(job.run_id, job.step, job.attempt, FAILED, now, now, HOST, error=error)
    ledger.write_result(result)
    return result


def whole(job: StepJob, ledger: Ledger) -> StepJob:
    """The job with what was too long for its command line. Raises StoreError, StateError without a deployment."""
    if not job.left_out:
        return job
    step = ledger.deployment(job.run_id).steps[job.step]
    return job._replace(**{name: getattr(step, name) for name in job.left_out}, left_out=())


def _with_inputs(job: StepJob, ledger: Ledger) -> StepJob:
    try:
        inputs = {
            name: value if isinstance(value, Artifact) else look_up(name, value, job, ledger)
            for name, value in job.inputs.items()
        }
    except StepError:
        return job  # the attempt itself fails on it, and tells it as it tells everything
    if job.fingerprint is None:
        return job._replace(inputs=inputs)
    key = cache_key(job.fingerprint, {name: artifact.digest for name, artifact in inputs.items()})
    return job._replace(inputs=inputs, cache_key=key)


def _answer(job: StepJob, ledger: Ledger) -> StepResult | None:
    if job.cache_key is None or job.fingerprint is None or not job.use_cache:
        return None
    found = ledger.cached(job.cache_key, job.expires_after)
    if found is None or set(found.outputs) != set(job.outputs or (OUTPUT,)):
        return None
    now = time.time()
    result = StepResult(
        job.run_id,
        job.step,
        job.attempt,
        CACHED,
        now,
        now,
        HOST,
        outputs=found.outputs,
        cache_key=job.cache_key,
        cached_from=found.run_id,
    )
    ledger.write_result(result)
    return result

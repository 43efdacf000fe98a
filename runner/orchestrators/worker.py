"""For orchestrators of one's own: from a deployment and a step to the worker's job and its command line.

    for step in pending(deployment, stack):
        subprocess.run(worker_command(deployment, step.name))

is a whole `prepare_or_run_pipeline`. The worker finds its inputs in the artifact store, answers from the cache, keeps
the log, enforces the step's timeout, ends when the run is cancelled, and leaves its result where `runner` looks for it.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator

from runner.orchestrators.base import Capabilities, LedgerLike, StackLike, Support
from runner.plan.deployment import DeployedStep, Deployment, StepJob, job_to_json
from runner.records import DONE

BY_WORKER = Capabilities(timeout=Support.WORKER, cancel=Support.WORKER, logs=Support.WORKER)
"""What an orchestrator can do that starts nothing but `worker_command`: it need not have any part in it."""

LONGEST = 100_000
"""The longest job, in characters, that stands on the command line itself: Linux takes 131,071 in one argument."""


def pending(deployment: Deployment, stack: StackLike) -> Iterator[DeployedStep]:
    """The steps that have to run, each after what it needs, for who runs one after another.

    Steps that are done already (`runner runs resume`) are left out. Ask for the next step when the one before has
    ended: this looks at what became of it, and leaves out what cannot run without it, or ends, as the pipeline's
    `on_failure` says. It ends, too, when the run is to be cancelled.
    """
    done = {*deployment.provided, *(stack.done or ())}
    for step in deployment.steps.values():
        if step.name in done or not done.issuperset(step.upstream):
            continue
        if stack.ledger.cancel_requested(deployment.run_id):
            return
        yield step
        if succeeded(stack.ledger, deployment.run_id, step.name):
            done.add(step.name)
        elif deployment.on_failure == "fail_fast":
            return


def succeeded(ledger: LedgerLike, run_id: str, step: str) -> bool:
    """Whether the last attempt of a step has ended well."""
    for attempt in ledger.attempts(run_id, step)[-1:]:
        result = ledger.result(run_id, step, attempt)
        return result is not None and result.status in DONE
    return False


def worker_command(
    deployment: Deployment,
    step: str,
    attempt: int = 0,
    *,
    python: str = sys.executable,
    echo: bool = False,
    bound: bool = True,
) -> list[str]:
    """The command line that runs a step wherever the artifact store can be reached; it ends with 0 when the step is
    done, with 1 when it failed. No value of a secret is in it.

    `python`  the interpreter there, which has `runner` and what the steps import
    `attempt` its number; 0 for the next one, as the worker finds it in the artifact store
    `echo`    print the step's log as well as keep it
    `bound`   the step ends with the process that started it; False for who starts it and goes away
    """
    return command_of(step_job(deployment, step, attempt)._replace(echo=echo, bound=bound), python)


def command_of(job: StepJob, python: str = sys.executable) -> list[str]:
    """The command line of a job. What is too long for it the worker takes from the ledger."""
    for left_out in ((), ("parameters", "environment"), ("parameters", "environment", "inputs")):
        shorter = job._replace(**{name: {} for name in left_out}, left_out=left_out)  # type: ignore[arg-type]
        text = base64.b64encode(json.dumps(job_to_json(shorter), separators=(",", ":")).encode()).decode()
        if len(text) <= LONGEST:
            break
    return [python, "-m", "runner.worker", text]


def step_job(deployment: Deployment, step: str, attempt: int = 0) -> StepJob:
    """A step's job that the worker settles itself: its inputs are looked up, its cache key is computed, there."""
    deployed = deployment.steps[step]
    return StepJob(
        run_id=deployment.run_id,
        step=step,
        attempt=attempt,
        entrypoint=deployed.entrypoint,
        inputs={
            argument: deployment.provided[source][output] if source in deployment.provided else (source, output)
            for argument, (source, output) in deployed.inputs.items()
        },
        parameters=deployed.parameters,
        outputs=deployed.outputs,
        environment=deployed.environment,
        artifact_store=deployment.artifact_store,
        project=deployment.project,
        announce=True,
        secret_store=deployment.secret_store,
        fingerprint=deployed.fingerprint if deployed.cache else None,
        use_cache=deployment.use_cache,
        expires_after=deployed.expires_after,
        timeout=deployed.timeout,
        code=deployed.container.get("code") or {},
    )


def supervised(job: StepJob, timeout: float | None = None) -> StepJob:
    """A job of `walk` for a worker that keeps its own log and ends with the process that started it."""
    return job._replace(announce=True, bound=True, timeout=timeout)

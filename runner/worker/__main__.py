"""`python -m runner.worker JOB [GIVEN]`: run one step; JOB is a file, or the job's JSON in base64.

GIVEN is what an engine fills in when it starts a run of a document that serves many, see `given.py`.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from runner.artifact_store.base import StoreError
from runner.artifact_store.ledger import Ledger
from runner.artifact_store.stores import open_store
from runner.plan.deployment import StepJob, job_from
from runner.records import SUCCEEDED
from runner.secret_store.base import SecretStoreError
from runner.worker.call import execute
from runner.worker.output import Output
from runner.worker.secrets import Resolver

if TYPE_CHECKING:
    from runner.worker.supervise import Told

EX_FAILED, EX_USAGE, EX_IOERR = 1, 64, 74


def main(arguments: list[str]) -> int:
    """Exit code 0 when the step succeeded, 1 when it failed, 64 for what is no job, 74 when the store failed."""
    if len(arguments) not in (1, 2):
        print("usage: python -m runner.worker JOB [GIVEN] (JOB: a file, or JSON in base64)", file=sys.stderr)
        return EX_USAGE
    try:
        job = _read(arguments[0])
        if job.given:
            from runner.worker.given import given  # few engines fill anything in

            job = given(job, arguments[1] if len(arguments) > 1 else "")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        print(f"error: '{arguments[0][:60]}' is no job: {type(error).__name__}: {error}", file=sys.stderr)
        return EX_USAGE
    if job.code:
        _find_home()
    if job.announce:
        from runner.worker.supervise import supervise  # the other jobs do without it

        return supervise(job, run)
    return run(job)


def run(job: StepJob, told: Told | None = None) -> int:
    """Run a job in this process; `told` hears of secrets and of the result, which then is not written from here."""
    if job.project and not job.code and os.path.isdir(job.project):
        os.chdir(job.project)
    sys.path[:1] = [os.getcwd()]
    resolver, output, code = Resolver().begin(job), Output(), ""
    if told is None:
        resolver.on_secret = lambda: output.mask(resolver.secrets)
    else:
        resolver.on_secret = lambda: told.secrets(resolver.secrets)
    try:
        store = open_store(job.artifact_store, resolver.secret)
        if "key" in job.code:
            from runner.worker.code import unpacked  # most workers run where the code is

            job = unpacked(job, store)
            code = job.project
        elif job.code:
            job = job._replace(project=os.getcwd())
        result = execute(job, Ledger(store) if told is None else told.ledger(store), resolver)
        if result.error is not None:
            print((result.error.traceback or result.error.message).rstrip("\n"), file=sys.stderr)
        return 0 if result.status == SUCCEEDED else EX_FAILED
    except (StoreError, SecretStoreError) as error:
        print(f"error: {error.message}", file=sys.stderr)
        return EX_IOERR
    finally:
        output.settle()
        if code:
            import shutil

            shutil.rmtree(code, ignore_errors=True)


def _find_home() -> None:
    """A container's user may have none, where whoever starts it chose another user than its image."""
    if not os.access(os.path.expanduser("~"), os.W_OK):
        import tempfile

        os.environ["HOME"] = tempfile.gettempdir()


def _read(argument: str) -> StepJob:
    if os.path.isfile(argument):
        with open(argument, encoding="utf-8") as file:
            return job_from(json.load(file))
    import base64

    return job_from(json.loads(base64.b64decode(argument)))


if __name__ == "__main__":
    code = main(sys.argv[1:])
    if (
        "runner.worker.supervise" in sys.modules
    ):  # then nothing but ours has run in here, and there is nothing to tidy up
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)

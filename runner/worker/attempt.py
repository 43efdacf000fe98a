"""The inside of a forked attempt: its place in the process table, its limits, its log, its one job."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Mapping
from typing import Any

from runner.artifact_store.base import StoreError
from runner.artifact_store.ledger import Ledger
from runner.plan.deployment import StepJob
from runner.records import SUCCEEDED, StepResult
from runner.worker.call import execute
from runner.worker.secrets import Resolver

EX_FAILED, EX_IOERR, EX_OSERR = 1, 74, 71


def run_forked(job: StepJob, ledger: Ledger, limits: Mapping[str, Any], log: str) -> None:
    """Run the job in this process, which was forked for it, and end the process. Never returns."""
    code = EX_OSERR
    try:
        os.setsid()  # a group of its own: a timeout kills all of it, and a terminal's Ctrl-C does not reach it
        for name in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(name, signal.SIG_DFL)
        os.environ["RUNNER_ATTEMPT"] = f"{job.run_id}/{job.step}/{job.attempt}"
        apply_limits(limits)
        _reseed()
        with open_log(log, Resolver(job.run_id)) as resolver:
            code = exit_code(run_job(job, ledger, resolver))
            _join_threads()
    except StoreError as error:
        code = EX_IOERR
        with contextlib.suppress(OSError):
            os.write(2, f"error: {error.message}\n".encode())
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def run_job(job: StepJob, ledger: Ledger, resolver: Resolver) -> StepResult:
    """Run the job; a failure is also told in the step's log."""
    result = execute(job, ledger, resolver)
    if result.error is not None:
        sys.stderr.write(result.error.traceback or f"error: {result.error.message}\n")
    sys.stdout.flush()
    sys.stderr.flush()
    return result


def exit_code(result: StepResult) -> int:
    return 0 if result.status == SUCCEEDED else EX_FAILED


def apply_limits(limits: Mapping[str, Any]) -> None:
    """Give this process its processors and its accelerators; memory is watched from outside."""
    if cpus := limits.get("cpus"):
        os.sched_setaffinity(0, cpus)
    if (gpus := limits.get("gpus")) is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus
    if limits.get("memory"):
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("500")  # should the machine itself run out first, the kernel takes the step and not the runner


class open_log:  # noqa: N801  (reads as a verb: `with open_log(…)`)
    """Everything this process and its children print goes to the log; secrets' values are masked on the way.

    The log is a plain file, written by the kernel alone, until a secret has been filled in: then a thread reads a pipe,
    masks, and writes.
    """

    def __init__(self, path: str, resolver: Resolver) -> None:
        self.path = path
        self.resolver = resolver
        self.masks = False

    def __enter__(self) -> Resolver:
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        _redirect(self.file)
        self.resolver.on_secret = self._mask_from_now_on
        return self.resolver

    def __exit__(self, *error: object) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        if self.masks:
            _redirect(self.file)  # the pipe has no writer of this process left: the thread sees its end
            self.thread.join(timeout=5)
        os.close(self.file)

    def _mask_from_now_on(self) -> None:
        if self.masks:
            return
        self.masks = True
        reader, writer = os.pipe()
        _redirect(writer)
        os.close(writer)
        self.thread = threading.Thread(target=self._pump, args=(reader,), daemon=True)
        self.thread.start()

    def _pump(self, reader: int) -> None:
        with os.fdopen(reader, "rb") as lines:
            for line in lines:
                os.write(self.file, self.resolver.mask(line.decode("utf-8", "replace")).encode())


def _redirect(target: int) -> None:
    os.dup2(target, 1)
    os.dup2(target, 2)


def _reseed() -> None:
    # A fork copies the state of random generators; Python reseeds its own, NumPy does not.
    random = sys.modules.get("numpy.random")
    if random is not None:
        random.seed()


def _join_threads() -> None:
    main = threading.main_thread()
    for thread in threading.enumerate():
        if thread is not main and not thread.daemon:
            thread.join()

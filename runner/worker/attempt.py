"""The inside of an attempt's process: the job it takes, its limits, its log, its answer.

Messages are marshalled: both ends are the same version of Python, and JSON would cost a fork sixty touched pages more.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from runner.artifact_store.base import StoreError
from runner.artifact_store.ledger import Ledger
from runner.plan.deployment import StepJob, job_from_fields
from runner.records import SUCCEEDED, StepResult, result_to_json
from runner.worker.call import carry_out, execute, remember
from runner.worker.secrets import Resolver

Work = Callable[[StepJob, Ledger, Resolver], StepResult]
EX_FAILED, EX_IOERR, EX_OSERR = 1, 74, 71
MESSAGE = 1 << 16
"""The most bytes of a message of the jobs' socket; a larger job comes as {"file": path}."""


def wait_for_job(jobs: int, takes: int, ledger: Ledger) -> NoReturn:
    """Be ready for a job, take one, run it, answer, end: the whole life of a forked child."""
    code = EX_OSERR
    try:
        os.setsid()  # a group of its own: a timeout kills all of it, and a terminal's Ctrl-C does not reach it
        message = _receive(jobs)
        if message is None:
            os._exit(0)
        job, limits = job_from_fields(message["job"]), message["limits"]
        os.write(takes, f"{os.getpid()} {limits.get('memory', 0)} {job.attempt} {job.step} {job.run_id}\n".encode())
        os.putenv("RUNNER_ATTEMPT", f"{job.run_id}/{job.step}/{job.attempt}")
        apply_limits(limits)
        _reseed()
        with open_log(message["log"], Resolver(job.run_id)) as resolver:
            code, told, _ = _run(job, ledger, resolver, execute)
            _join_threads()
        answer(jobs, told)
        os.write(takes, f"-{os.getpid()}\n".encode())
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def run_here(jobs: int, ledger: Ledger) -> bool:
    """Take a job and run it in this process, which goes on living. False when there are no more."""
    message = _receive(jobs)
    if message is None:
        return False
    job, before = job_from_fields(message["job"]), _environment()
    resolver = Resolver(job.run_id)
    apply_limits(message["limits"])
    _, told, result = _run(job, ledger, resolver, carry_out)
    if _environment() != before:
        os.environb.clear()
        os.environb.update(before)
    _keep_output(job, ledger, resolver)
    answer(jobs, told)
    if result is not None:
        with contextlib.suppress(StoreError):  # the step is done and told: it will not be found next time, no more
            remember(job, result, ledger)  # after the answer, since the next step need not wait for it
    return True


def answer(jobs: int, message: dict[str, Any]) -> None:
    """Say how a job ended; a result too large for a message stays out of it, since it is in the ledger too."""
    data = marshal.dumps(message)
    if len(data) > MESSAGE and message.pop("result", None):
        data = marshal.dumps(message)
    os.write(jobs, data)


def apply_limits(limits: Mapping[str, Any]) -> None:
    """Give this process its processors and its accelerators; memory is watched from outside."""
    if cpus := limits.get("cpus"):
        os.sched_setaffinity(0, cpus)
    if (gpus := limits.get("gpus")) is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus
    if limits.get("memory"):
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("500")  # should the machine itself run out first, the kernel takes the step and not the runner


def _receive(jobs: int) -> dict[str, Any] | None:
    data = os.read(jobs, MESSAGE)
    if not data:
        return None
    message: dict[str, Any] = marshal.loads(data)  # noqa: S302  (from our own parent)
    if file := message.get("file"):
        with open(file, "rb") as content:
            message = marshal.load(content)  # noqa: S302
        os.unlink(file)
    return message


def _environment() -> dict[bytes, bytes]:
    # The mapping behind os.environ, as it is: copying it through os.environ decodes every variable, each time.
    data: dict[bytes, bytes] = getattr(os.environb, "_data", None) or dict(os.environb)
    return dict(data)


def _run(job: StepJob, ledger: Ledger, resolver: Resolver, work: Work) -> tuple[int, dict[str, Any], StepResult | None]:
    """Exit code, answer and result; a failure is also told in the step's log."""
    told: dict[str, Any] = {"ended": [job.step, job.attempt]}
    try:
        result = work(job, ledger, resolver)
    except StoreError as error:
        told["message"] = f"{error.message} ({error.help})" if error.help else error.message
        return EX_IOERR, {**told, "code": EX_IOERR}, None
    if result.error is not None:
        sys.stderr.write(result.error.traceback or f"error: {result.error.message}\n")
    sys.stdout.flush()
    sys.stderr.flush()
    code = 0 if result.status == SUCCEEDED else EX_FAILED
    if code == 0:
        told["result"] = result_to_json(result)  # what went into the ledger: it need not be read back from there
    return code, {**told, "code": code}, result


class open_log:
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
        import threading  # once it is imported every fork looks after it: only steps with secrets need it

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


def _keep_output(job: StepJob, ledger: Ledger, resolver: Resolver) -> None:
    """What a step of an unforked host printed stands in the host's own output: move it to the step's log."""
    size = os.lseek(1, 0, os.SEEK_CUR)
    if not size:
        return
    data = os.pread(1, size, 0)
    if resolver.secrets:
        data = resolver.mask(data.decode("utf-8", "replace")).encode()
    ledger.append_log(job.run_id, job.step, job.attempt, data.decode("utf-8", "replace"))
    os.ftruncate(1, 0)
    os.lseek(1, 0, os.SEEK_SET)


def _reseed() -> None:
    # A fork copies the state of random generators; Python reseeds its own, NumPy does not.
    random = sys.modules.get("numpy.random")
    if random is not None:
        random.seed()


def _join_threads() -> None:
    threading = sys.modules.get("threading")
    if threading is None or threading.active_count() == 1:
        return
    main = threading.main_thread()
    for thread in threading.enumerate():
        if thread is not main and not thread.daemon:
            thread.join()

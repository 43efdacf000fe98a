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
from runner.secret_store.base import SecretStoreError
from runner.worker.call import carry_out, execute, remember
from runner.worker.output import Output
from runner.worker.secrets import Resolver

Work = Callable[[StepJob, Ledger, Resolver], StepResult]
EX_FAILED, EX_IOERR, EX_OSERR = 1, 74, 71
MESSAGE = 1 << 16
"""The most bytes of a message of the jobs' socket; a larger job comes as {"file": path}."""


def wait_for_job(jobs: int, takes: int, ledger: Ledger, resolver: Resolver) -> NoReturn:
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
        told_of = f"+{os.getpid()} ".encode()
        with open_log(message["log"], resolver, lambda pid: os.write(takes, told_of + b"%d\n" % pid)):
            code, told, _ = _run(job, ledger, resolver.begin(job), execute)
            _join_threads()
        if ledger.remote:
            told["kept"] = _keep_log(job, ledger, message["log"])
        answer(jobs, told)
        os.write(takes, f"-{os.getpid()}\n".encode())
    except BaseException:
        import traceback

        sys.stderr.write(resolver.mask(traceback.format_exc()))
        sys.stderr.flush()
    finally:
        os._exit(code)


def run_here(jobs: int, ledger: Ledger, resolver: Resolver, output: Output) -> bool:
    """Take a job and run it in this process, which goes on living. False when there are no more.

    `output` is this process's own, which masks the secrets of the resolver.
    """
    message = _receive(jobs)
    if message is None:
        return False
    job, before = job_from_fields(message["job"]), _environment()
    apply_limits(message["limits"])
    _, told, result = _run(job, ledger, resolver.begin(job), carry_out)
    if _environment() != before:
        os.environb.clear()
        os.environb.update(before)
    output.settle()
    _keep_output(job, ledger, output.real, message["log"])
    told["kept"] = True
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
    except (StoreError, SecretStoreError) as error:
        told["message"] = resolver.mask(f"{error.message} ({error.help})" if error.help else error.message)
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
    """Everything this process and its children print goes to the log, without the secrets that the resolver knows.

    The log is a plain file, written by the kernel alone, until a secret has been filled in. `tell` hears of the process
    that writes it from then on: it may have something left to write when this one is gone.
    """

    def __init__(self, path: str, resolver: Resolver, tell: Callable[[int], object]) -> None:
        self.path = path
        self.resolver = resolver
        self.tell = tell
        self.output = Output()

    def __enter__(self) -> None:
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        _redirect(file)
        os.close(file)
        self.resolver.on_secret = self._mask

    def __exit__(self, *error: object) -> None:
        self.output.settle()  # it stays as it is: a thread that the step left may still print

    def _mask(self) -> None:
        known = self.output.beside
        self.output.mask(self.resolver.secrets)
        if not known:
            self.tell(self.output.beside)


def _redirect(target: int) -> None:
    os.dup2(target, 1)
    os.dup2(target, 2)


def _keep_log(job: StepJob, ledger: Ledger, path: str) -> bool:
    """Put the whole log into a ledger that is not on this machine; says whether it is there."""
    with contextlib.suppress(OSError, StoreError):
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            text = file.read()
        if text:
            ledger.put_log(job.run_id, job.step, job.attempt, text)
        return True
    return False


def _keep_output(job: StepJob, ledger: Ledger, file: int, path: str) -> None:
    """What a step of an unforked host printed stands in the host's own output: move it to the step's log.

    `path` is that log, or a file beside one that is not on this machine.
    """
    size = os.lseek(file, 0, os.SEEK_CUR)
    if not size:
        return
    text = os.pread(file, size, 0).decode("utf-8", "replace")
    if not ledger.remote:
        ledger.append_log(job.run_id, job.step, job.attempt, text)
    else:
        with open(path, "w", encoding="utf-8", newline="") as log:
            log.write(text)
        with contextlib.suppress(StoreError):
            ledger.put_log(job.run_id, job.step, job.attempt, text)
    os.ftruncate(file, 0)
    os.lseek(file, 0, os.SEEK_SET)


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

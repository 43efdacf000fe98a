"""A worker that watches over its step: the step runs in a fork, and whatever becomes of it, the ledger says so.

For engines that start the worker and know nothing of steps. The watching process keeps the log, ends the step when its
time is over or the run is cancelled, takes everything that the step started with it, and writes the result that a
process that was killed could not write.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

from runner.artifact_store.base import ArtifactStore, StoreError
from runner.artifact_store.ledger import Ledger
from runner.artifact_store.stores import open_store
from runner.errors import StateError
from runner.plan.deployment import StepJob, job_from, job_to_json
from runner.processes import adopt_orphans, descendants, kill_all
from runner.records import DONE, FAILED, REASONS, SUCCEEDED, Failure, StepResult, result_from, result_to_json
from runner.secret_store.base import SecretStoreError
from runner.secret_store.stores import secrets_of
from runner.worker.call import HOST
from runner.worker.keep_log import Log
from runner.worker.settle import settle

GRACE = 3.0  # seconds between the request to end and the kill
TICK = 0.25  # seconds between two looks at the clock, the parent, and a ledger on this machine
REMOTE_TICK = 2.0  # seconds between two looks at a ledger in a bucket
EX_FAILED, EX_IOERR = 1, 74
STOPPED = "it was told to stop (SIGTERM)"


class Told:
    """The step's end of the pipe to the process that watches over it."""

    def __init__(self, pipe: int) -> None:
        self.pipe = pipe

    def secrets(self, values: set[str]) -> None:
        """These must not be seen in what is printed from now on."""
        self._send({"secrets": sorted(values)})

    def ledger(self, store: ArtifactStore) -> Ledger:
        """A ledger that leaves the result to the watching process, which writes it when the log is complete."""
        return _Relay(store, lambda result: self._send({"result": result_to_json(result)}))

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        while data:
            data = data[os.write(self.pipe, data) :]


class _Relay(Ledger):
    def __init__(self, store: ArtifactStore, send: Callable[[StepResult], None]) -> None:
        super().__init__(store)
        self.send = send

    def write_result(self, result: StepResult) -> None:
        self.send(result)


Work = Callable[[StepJob, Told], int]


def supervise(job: StepJob, work: Work) -> int:
    """Settle the job, run it by `work(job, told)` in a fork, and see that a result is left; the exit code."""
    try:
        store = open_store(job.artifact_store, secrets_of(job.secret_store, job.project))
        store.prepare()  # which takes longer than all else, and is for both
    except (StoreError, SecretStoreError) as error:
        print(f"error: {error.message}", file=sys.stderr)
        return EX_IOERR
    child = _Child(work)  # before the store is used: the SDKs of some do not survive a fork
    try:
        ledger = Ledger(store)
        if job.given:
            from runner.worker.given import begun  # few engines fill anything in

            job = begun(job, ledger)
        settled = settle(job, ledger)
        result = settled if isinstance(settled, StepResult) else _Watch(settled, ledger, child).to_its_end()
    except (StateError, SecretStoreError) as error:
        print(f"error: {error.message}", file=sys.stderr)
        return EX_IOERR
    finally:
        child.end()
    if isinstance(settled, StepResult) and result.error is not None:
        print(f"error: {result.error.message}", file=sys.stderr)
    return 0 if result.status in DONE else EX_FAILED


class _Child:
    """The fork that waits for its job. `output` is what it and its children print, `news` what it tells itself."""

    def __init__(self, work: Work) -> None:
        job, self.job = os.pipe()
        self.output, output = os.pipe()
        self.news, told = os.pipe()
        adopt_orphans()
        self.pid = os.fork()
        if self.pid == 0:
            for descriptor in (self.job, self.output, self.news):
                os.close(descriptor)
            _run(work, job, output, Told(told))
        for descriptor in (job, output, told):
            os.close(descriptor)
        os.set_blocking(self.news, False)
        os.set_blocking(self.output, False)
        self.handle = os.pidfd_open(self.pid)

    def start(self, job: StepJob) -> None:
        with os.fdopen(self.job, "wb") as pipe:
            pipe.write(json.dumps(job_to_json(job)).encode())
        self.job = -1

    def end(self) -> None:
        """Nothing of it lives on; what it left is taken."""
        if self.job >= 0:
            os.close(self.job)
            self.job = -1
        for _ in range(8):  # a tree may grow while it is being cut
            if not (found := descendants(os.getpid())):
                return
            kill_all(found)


def _run(work: Work, job: int, output: int, told: Told) -> NoReturn:
    os.setsid()  # a group of its own: a terminal's Ctrl-C does not reach it
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    with os.fdopen(job, "rb") as pipe:
        data = pipe.read()
    if not data:
        os._exit(0)
    code = work(job_from(json.loads(data)), told)
    _settle()
    os._exit(code)  # to take an interpreter to pieces that has an SDK in it lasts longer than many a step


def _settle() -> None:
    """What the end of an interpreter does for the code that ran in it."""
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()  # waits for threads that are no daemons
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or nobody reads it
            stream.flush()


class _Watch:
    """The loop beside a running step."""

    def __init__(self, job: StepJob, ledger: Ledger, child: _Child) -> None:
        self.job = job
        self.ledger = ledger
        self.child = child
        self.log = Log(ledger, job)
        self.told: StepResult | None = None
        self.news = b""
        self.began = time.time()
        self.parent = os.getppid()
        self.reason = ""
        self.starved = _starved()
        self.kill_at = float("inf")
        self.time_is_up = time.monotonic() + (job.timeout or float("inf"))
        self.next_look = 0.0

    def to_its_end(self) -> StepResult:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # who watches the run asks through the ledger
        signal.signal(signal.SIGTERM, lambda *_: self._stop("signal"))
        self.child.start(self.job)
        poller = select.poll()
        poller.register(self.child.output, select.POLLIN)
        poller.register(self.child.news, select.POLLIN)
        poller.register(self.child.handle, select.POLLIN)
        ended = False
        while not ended:
            for descriptor, _ in poller.poll(TICK * 1000):
                ended = ended or descriptor == self.child.handle
            for descriptor in self._read():
                with contextlib.suppress(KeyError):
                    poller.unregister(descriptor)
            self._look()
        _, status = os.waitpid(self.child.pid, 0)
        self.child.end()
        self._read()
        result = self._result(os.waitstatus_to_exitcode(status))
        self.log.close()
        self.ledger.write_result(result)
        if self.job.waited_for is not None:
            _tell(self.job, *self.job.waited_for)
        return result

    def _read(self) -> list[int]:
        """Take what was printed, having heard before what of it is secret; says which pipes have come to their end."""
        closed: list[int] = []
        for _ in range(64):  # then have a look at the clock: some never stop printing
            printed = _available(self.child.output)
            told = _available(self.child.news)
            if told:
                self._hear(told)
            if printed:
                self.log.add(printed)
            closed += [self.child.output] * (printed == b"") + [self.child.news] * (told == b"")
            if not printed and not told:
                break
        return closed

    def _hear(self, data: bytes) -> None:
        *lines, self.news = (self.news + data).split(b"\n")
        for message in map(json.loads, lines):
            self.log.stream.add(message.get("secrets", ()))
            if "result" in message:
                self.told = result_from(message["result"])

    def _look(self) -> None:
        """Whether the step must end."""
        now = time.monotonic()
        self.log.flush(now)
        if now >= self.kill_at:
            kill_all(descendants(os.getpid()))
        elif self.reason:
            return
        elif now >= self.time_is_up:
            self._stop("timeout")
        elif self.job.bound and os.getppid() != self.parent:
            self._stop("lost")
        elif now >= self.next_look:
            self.next_look = now + (REMOTE_TICK if self.ledger.remote else TICK)
            if self._is_cancelled():
                self._stop("cancelled")

    def _is_cancelled(self) -> bool:
        with contextlib.suppress(StoreError):  # it may answer the next time
            return self.ledger.cancel_requested(self.job.run_id)
        return False

    def _stop(self, reason: str) -> None:
        if not self.reason:
            self.reason = reason
            self.kill_at = time.monotonic() + GRACE
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGTERM)

    def _result(self, code: int) -> StepResult:
        """What the step left, or what there is to say in its place."""
        job, result = self.job, self.told
        if self.reason == "signal" and self._is_cancelled():  # an engine that was told, too, was quicker
            self.reason = "cancelled"
        if result is not None and (result.status == SUCCEEDED or not self.reason):
            return result
        if code == -signal.SIGKILL and not self.reason and _starved() > self.starved:
            self.reason = "out-of-memory"
        error = _failure(self.reason, code, job.timeout)
        if line := _last_line(error, job):
            self.log.add(line.encode())
        return StepResult(
            job.run_id,
            job.step,
            job.attempt,
            FAILED,
            self.began,
            time.time(),
            HOST,
            self.child.pid,
            error=error,
            cache_key=job.cache_key,
        )


def _tell(job: StepJob, host: str, port: int, mark: str) -> None:
    """Let whoever waits know that the result is there; nothing depends on it."""
    import _socket  # the whole of `socket` takes longer to load than this to send

    with contextlib.suppress(OSError):
        kind = _socket.AF_INET6 if ":" in host else _socket.AF_INET
        _socket.socket(kind, _socket.SOCK_DGRAM).sendto(f"{mark}\n{job.step}\n{job.attempt}".encode(), (host, port))


def _starved() -> int:
    """How many processes of this container the kernel has killed for want of memory; outside of containers none."""
    for path in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as file:
            counts = dict(line.split() for line in file)
            return int(counts.get("oom_kill", 0))
    return 0


def _available(pipe: int) -> bytes | None:
    """What can be read now: nothing (None) or, at its end, b""."""
    try:
        return os.read(pipe, 1 << 16)
    except BlockingIOError:
        return None


def _last_line(error: Failure, job: StepJob) -> str:
    """What the log of a step that left no result ends with."""
    if error.reason == "out-of-memory" and job.echo:
        return ""  # whoever hears the log of a container knows its limit, and tells it
    stopped = error.message == STOPPED or error.reason == "cancelled"
    return f"{'stopped' if stopped else 'error'}: {error.message}\n"


def _failure(reason: str, code: int, timeout: float | None) -> Failure:
    told = bool(reason)
    reason = reason or ("signal" if code < 0 else "store" if code == EX_IOERR else "exit")
    words = {
        "timeout": f"it took longer than its timeout of {timeout:g} s" if timeout else "",
        "signal": STOPPED if told else f"the process was killed by signal {-code}",
        "lost": "the process that had started it is gone",
        "out-of-memory": "it took more memory than there is in its container, and the kernel killed it",
        "exit": f"the process ended with exit code {code} and left no result",
    }
    return Failure(reason, words.get(reason) or REASONS[reason])

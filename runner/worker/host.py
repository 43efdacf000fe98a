"""A warm process with the project's modules imported, which forks one child for each attempt it is sent.

It talks in lines of JSON over the socket that is its standard input. To it come
    {"hello": {"store": …, "modules": […], "isolate": true}}      first of all
    {"start": {"job": …, "limits": {"cpus": […], "gpus": "0", "memory": bytes}, "log": path}}
    {"stop": [step, attempt], "reason": "timeout", "grace": seconds}
and from it goes, once for each attempt,
    {"ended": [step, attempt], "code": exit code or minus signal, "reason": …, "message": …}
When the socket closes it kills everything it started and ends. Kept lean: a fork costs what its pages cost.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from runner.artifact_store.base import StoreError, open_store
from runner.artifact_store.ledger import Ledger
from runner.plan.deployment import job_from
from runner.worker.attempt import EX_IOERR, apply_limits, exit_code, run_forked, run_job
from runner.processes import descendants, kill_all, kill_marked, kill_tree, tree_memory
from runner.worker.secrets import Resolver

MEMORY_TICK = 0.01  # seconds between two looks at the memory of attempts that have a limit
SOCKET = 0


class Child:
    """A running attempt: its process, its limit of memory in bytes, and why and when it must be gone."""

    __slots__ = ("attempt", "deadline", "mark", "memory", "message", "reason", "step", "tree")

    def __init__(self, run_id: str, step: str, attempt: int, memory: int | None) -> None:
        self.mark = f"{run_id}/{step}/{attempt}"
        self.tree: list[int] = []
        self.step = step
        self.attempt = attempt
        self.memory = memory
        self.reason = ""
        self.message = ""
        self.deadline: float | None = None


class Host:
    """The loop of a host process."""

    def __init__(self, channel: int, hello: Mapping[str, Any], rest: bytes) -> None:
        self.channel = channel
        self.buffer = rest
        self.isolate: bool = hello["isolate"]
        self.ledger = Ledger(open_store(hello["store"]))
        self.children: dict[int, Child] = {}
        self.wakeup, writer = os.pipe()
        os.set_blocking(self.wakeup, False)
        os.set_blocking(writer, False)
        if self.isolate:
            signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
            signal.signal(signal.SIGCHLD, lambda *_: None)
        self.poller = select.poll()
        self.poller.register(channel, select.POLLIN)
        self.poller.register(self.wakeup, select.POLLIN)
        _import(hello["modules"])

    def serve(self) -> None:
        """Until the other side hangs up."""
        try:
            while self._handle_lines() and self._wait():
                pass
        finally:
            for pid in list(self.children):
                kill_tree(pid)

    def _handle_lines(self) -> bool:
        while (end := self.buffer.find(b"\n")) >= 0:
            line, self.buffer = self.buffer[:end], self.buffer[end + 1 :]
            message = json.loads(line)
            if start := message.get("start"):
                self._start(start)
            elif stop := message.get("stop"):
                self._stop(stop[0], stop[1], message["reason"], message["grace"])
        return True

    def _wait(self) -> bool:
        for descriptor, _ in self.poller.poll(self._patience()):
            if descriptor == self.channel:
                data = os.read(self.channel, 1 << 16)
                if not data:
                    return False
                self.buffer += data
            else:
                with contextlib.suppress(BlockingIOError):
                    os.read(self.wakeup, 4096)
        if self.children:
            self._reap()
            self._enforce()
        return True

    def _patience(self) -> float | None:
        """Milliseconds until something must be looked at again."""
        waits = [MEMORY_TICK for child in self.children.values() if child.memory and not child.reason]
        waits += [max(0.0, child.deadline - time.monotonic()) for child in self.children.values() if child.deadline]
        return min(waits) * 1000 if waits else None

    def _start(self, start: Mapping[str, Any]) -> None:
        job = job_from(start["job"])
        if not self.isolate:
            self._run_here(start)
            return
        child = Child(job.run_id, job.step, job.attempt, start["limits"].get("memory"))
        try:
            pid = os.fork()
        except OSError as error:
            self._send(child, 71, "lost", f"no process could be started: {error.strerror}")
            return
        if pid == 0:
            signal.set_wakeup_fd(-1)
            os.close(self.channel)
            run_forked(job, self.ledger, start["limits"], start["log"])
        self.children[pid] = child

    def _run_here(self, start: Mapping[str, Any]) -> None:
        job, before = job_from(start["job"]), dict(os.environ)
        apply_limits(start["limits"])
        resolver = Resolver(job.run_id)
        try:
            code, message = exit_code(run_job(job, self.ledger, resolver)), ""
        except StoreError as error:
            code, message = EX_IOERR, error.message
        if os.environ != before:
            os.environ.clear()
            os.environ.update(before)
        _keep_output(start["log"], resolver)
        self._send(Child(job.run_id, job.step, job.attempt, None), code, "", message)

    def _stop(self, step: str, attempt: int, reason: str, grace: float) -> None:
        for pid, child in self.children.items():
            if (child.step, child.attempt) == (step, attempt) and not child.reason:
                child.reason = reason
                child.deadline = time.monotonic() + grace
                child.tree = descendants(pid)  # once the leader is gone nobody knows who belonged to it
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGTERM)

    def _enforce(self) -> None:
        for pid, child in list(self.children.items()):
            if child.memory and not child.reason:
                used = tree_memory(pid)
                if used > child.memory:
                    child.reason = "out-of-memory"
                    child.message = f"{used} bytes in use, {child.memory} allowed"
                    child.deadline = time.monotonic()
                    child.tree = descendants(pid)
            if child.deadline is not None and time.monotonic() >= child.deadline:
                kill_tree(pid)
                child.deadline = time.monotonic() + 1

    def _reap(self) -> None:
        while True:
            try:
                # Not taken away yet: as long as the leader is a zombie its number, and so its group, is nobody else's.
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            pid = found.si_pid
            child = self.children.pop(pid, None)
            if child is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(pid, signal.SIGKILL)  # what the attempt left running
            if child is not None and child.reason:
                kill_all(child.tree)
                kill_marked("RUNNER_ATTEMPT", child.mark)
            status = os.waitpid(pid, 0)[1]
            if child is not None:
                self._send(child, os.waitstatus_to_exitcode(status), child.reason, child.message)

    def _send(self, child: Child, code: int, reason: str, message: str) -> None:
        told = {"ended": [child.step, child.attempt], "code": code, "reason": reason, "message": message}
        data = json.dumps(told).encode() + b"\n"
        while data:
            data = data[os.write(self.channel, data) :]


def main() -> None:
    """Serve the socket that is standard input; then standard input is empty, for steps."""
    channel = os.dup(SOCKET)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    received = b""
    while b"\n" not in received:
        data = os.read(channel, 1 << 16)
        if not data:
            return
        received += data
    line, _, rest = received.partition(b"\n")
    host = Host(channel, json.loads(line)["hello"], rest)
    gc.collect()
    gc.freeze()  # collections in children then leave the shared pages alone
    host.serve()


def _import(modules: list[str]) -> None:
    for name in modules:
        # A module that fails here fails again in the step that needs it, where its error is that step's.
        with contextlib.suppress(BaseException):
            import_module(name)
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()


def _keep_output(log: str, resolver: Resolver) -> None:
    """What a step of an unforked host printed stands in the host's own output: move it to the step's log."""
    size = os.lseek(1, 0, os.SEEK_CUR)
    if not size:
        return
    data = os.pread(1, size, 0)
    if resolver.secrets:
        data = resolver.mask(data.decode("utf-8", "replace")).encode()
    os.makedirs(os.path.dirname(log), exist_ok=True)
    with open(log, "ab") as file:
        file.write(data)
    os.ftruncate(1, 0)
    os.lseek(1, 0, os.SEEK_SET)

"""A warm process with the project's modules imported, which keeps forked children ready for the attempts to come.

Standard input is its control: lines of JSON come in,
    {"hello": {"store": …, "modules": […], "isolate": true, "ready": 2, "jobs": descriptor}}      first of all
    {"stop": [step, attempt], "reason": "timeout", "grace": seconds}
Out goes {"ready": true} once the modules are imported, and for each attempt whose process is gone a line:
    {"gone": [step, attempt], "code": exit code or minus signal, "reason": …, "message": …}
Jobs come by a second socket, a message each, which the ready children read themselves; whoever takes one says so to
the host, runs it, answers on the same socket, and ends. So a step does not wait for a fork, which happened while the
step before it ran.

When the control closes, the host kills everything it started and ends. It is kept lean: a fork costs what its pages
cost.
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

from runner.artifact_store.base import StoreError
from runner.artifact_store.ledger import Ledger
from runner.artifact_store.stores import open_store
from runner.processes import descendants, kill_all, kill_marked, kill_tree, tree_memory
from runner.worker.attempt import run_here, wait_for_job
from runner.worker.output import Output
from runner.worker.rehearsal import rehearse
from runner.worker.secrets import Resolver

FORK_TICK = 0.2  # seconds between two tries to fork when the system has no process to give
LOG_PATIENCE = 1.0  # seconds that the last lines of an attempt that was killed may take into its log
MEMORY_TICK = 0.01  # seconds between two looks at the memory of attempts that have a limit


class Child:
    """A forked process. Until it takes a job, `step` is empty; `deadline` is when it must be gone, and `reason` why.

    `beside` is a descriptor of the process that writes its log, if there is one.
    """

    __slots__ = ("answered", "attempt", "beside", "deadline", "mark", "memory", "message", "reason", "step", "tree")

    def __init__(self) -> None:
        self.answered = False
        self.beside = -1
        self.step = ""
        self.attempt = 0
        self.memory = 0
        self.mark = ""
        self.reason = ""
        self.message = ""
        self.deadline: float | None = None
        self.tree: list[int] = []


class Host:
    """The loop of a host process."""

    def __init__(self, control: int, hello: Mapping[str, Any], rest: bytes) -> None:
        self.control = control
        self.jobs: int = hello["jobs"]
        self.buffer = rest
        self.ready: int = hello["ready"] if hello["isolate"] else 0
        self.resolver = Resolver()
        self.ledger = Ledger(open_store(hello["store"], self.resolver.secret))
        with contextlib.suppress(StoreError):  # what is not installed is told by the step that needs it
            self.ledger.store.prepare()
        self.output = Output()
        if not hello["isolate"]:
            self.resolver.on_secret = lambda: self.output.mask(self.resolver.secrets)
        self.idle: set[int] = set()
        self.children: dict[int, Child] = {}
        self.taken, self.takes = os.pipe()
        os.set_blocking(self.taken, False)  # it may be read before its turn: nobody waits for what was read already
        self.poller = select.poll()
        self.poller.register(control, select.POLLIN)
        self.poller.register(self.taken if self.ready else self.jobs, select.POLLIN)
        self.pids: dict[int, int] = {}
        self.early: dict[tuple[str, int], tuple[str, float]] = {}

    def serve(self) -> None:
        """Until the other side hangs up."""
        try:
            self._obey(b"")  # what came together with the first message
            while self._fork_ready() and self._wait():
                pass
        finally:
            for pid in list(self.children):
                kill_tree(pid)

    def _fork_ready(self) -> bool:
        while len(self.idle) < self.ready:
            try:
                pid = os.fork()
            except OSError:  # no process to be had now: the jobs wait until there is one again
                break
            if pid == 0:
                os.close(self.control)
                wait_for_job(self.jobs, self.takes, self.ledger, self.resolver)
            self.idle.add(pid)
            self.children[pid] = Child()
            descriptor = os.pidfd_open(pid)
            self.pids[descriptor] = pid
            self.poller.register(descriptor, select.POLLIN)
        return True

    def _wait(self) -> bool:
        for descriptor, _ in self.poller.poll(self._patience()):
            if descriptor == self.taken:
                self._note_taken()
            elif descriptor == self.jobs:
                if not run_here(self.jobs, self.ledger, self.resolver, self.output):
                    return False
            elif descriptor == self.control:
                if not self._hear():
                    return False
            else:
                self._reap(descriptor)
        self._enforce()
        return True

    def _patience(self) -> float | None:
        """Milliseconds until something must be looked at again."""
        waits = [FORK_TICK] if len(self.idle) < self.ready else []
        for child in self.children.values():
            if child.memory and not child.reason:
                waits.append(MEMORY_TICK)
            if child.deadline is not None:
                waits.append(max(0.0, child.deadline - time.monotonic()))
        return min(waits) * 1000 if waits else None

    def _note_taken(self) -> None:
        try:
            lines = os.read(self.taken, 1 << 16).decode().splitlines()
        except BlockingIOError:
            return
        for line in lines:
            if line[0] == "-":
                self.children[int(line[1:])].answered = True
                continue
            if line[0] == "+":
                leader, beside = map(int, line[1:].split(" "))
                with contextlib.suppress(ProcessLookupError):
                    self.children[leader].beside = os.pidfd_open(beside)
                import_module("runner.worker.pump")  # the next steps have secrets too, and find it there
                continue
            pid, memory, attempt, step, run_id = line.split(" ")
            child = self.children[int(pid)]
            child.step, child.attempt, child.memory = step, int(attempt), int(memory)
            child.mark = f"{run_id}/{step}/{attempt}"
            self.idle.discard(int(pid))
            if stop := self.early.pop((child.step, child.attempt), None):
                self._stop(child.step, child.attempt, *stop)

    def _hear(self) -> bool:
        data = os.read(self.control, 1 << 16)
        self._obey(data)
        return bool(data)

    def _obey(self, data: bytes) -> None:
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            step, attempt = message["stop"]
            self._stop(step, attempt, message["reason"], message["grace"])

    def _stop(self, step: str, attempt: int, reason: str, grace: float) -> None:
        self._note_taken()
        for pid, child in self.children.items():
            if (child.step, child.attempt) == (step, attempt):
                if not child.reason:
                    self._doom(pid, child, reason, grace)
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(pid, signal.SIGTERM)
                return
        self.early[step, attempt] = (reason, grace)  # nobody has taken it yet: who does is stopped at once

    def _doom(self, pid: int, child: Child, reason: str, grace: float) -> None:
        child.reason = reason
        child.deadline = time.monotonic() + grace
        child.tree = descendants(pid)  # once the leader is gone nobody knows who belonged to it

    def _enforce(self) -> None:
        for pid, child in list(self.children.items()):
            if child.memory and not child.reason and (used := tree_memory(pid)) > child.memory:
                self._doom(pid, child, "out-of-memory", 0)
                child.message = f"it used {used >> 20} MiB of memory, and its resources allow {child.memory >> 20} MiB"
            if child.deadline is not None and time.monotonic() >= child.deadline:
                kill_tree(pid)
                child.deadline = time.monotonic() + 1

    def _reap(self, descriptor: int) -> None:
        pid = self.pids.pop(descriptor)
        self.poller.unregister(descriptor)
        os.close(descriptor)
        self._note_taken()
        self.idle.discard(pid)
        child = self.children.pop(pid)
        # Not taken away yet: as long as the leader is a zombie its number, and so its group, is nobody else's.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)  # what the attempt left running
        if child.reason:
            kill_all(child.tree)
            kill_marked("RUNNER_ATTEMPT", child.mark)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if child.beside >= 0:
            _await_log(child)
        if child.step and not child.answered:
            told = {"gone": [child.step, child.attempt], "code": code, "reason": child.reason, "message": child.message}
            os.write(self.control, json.dumps(told).encode() + b"\n")
        if code and not child.step:
            # It may have had a job in its hands that nobody else knows of: with us gone, all that we had is told lost.
            sys.exit("a process that waited for a job was killed")


def _await_log(child: Child) -> None:
    """Let what a killed attempt printed come into its log, before it is told gone."""
    if not child.answered:
        ended = select.poll()
        ended.register(child.beside, select.POLLIN)
        ended.poll(LOG_PATIENCE * 1000)
    os.close(child.beside)


def main() -> None:
    """Serve the socket that is standard input; then standard input is empty, for steps."""
    control = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    received = b""
    while b"\n" not in received:
        data = os.read(control, 1 << 16)
        if not data:
            return
        received += data
    line, _, rest = received.partition(b"\n")
    hello = json.loads(line)["hello"]
    _import(hello["modules"])
    host = Host(control, hello, rest)
    if hello["isolate"]:
        rehearse(20)
    os.write(control, b'{"ready": true}\n')
    gc.collect()
    gc.freeze()  # collections in children then leave the shared pages alone
    with contextlib.suppress(ConnectionError):
        host.serve()
    os._exit(0)  # the runner waits for this end, and there is nothing left to tidy up


def _import(modules: list[str]) -> None:
    for name in modules:
        # A module that fails here fails again in the step that needs it, where its error is that step's.
        with contextlib.suppress(BaseException):
            import_module(name)
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()

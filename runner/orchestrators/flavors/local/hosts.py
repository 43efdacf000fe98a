"""The local launcher: warm host processes, one for each environment that steps ask for, and the attempts they run."""

from __future__ import annotations

import contextlib
import json
import marshal
import os
import select
import shutil
import signal
import socket
import subprocess
import uuid
from collections.abc import Iterable
from pathlib import Path
from threading import Thread
from typing import Any

from runner.errors import EngineError
from runner.orchestrators.base import AttemptEnded, Launcher, LedgerLike
from runner.orchestrators.flavors.local.environments import Environments
from runner.orchestrators.flavors.local.machine import Machine, Shares
from runner.orchestrators.flavors.local.uploads import Uploads
from runner.orchestrators.threads import thread_variables
from runner.plan.deployment import DeployedStep, StepJob, job_fields
from runner.processes import kill_marked
from runner.records import LogLines, result_from

GRACE = 3.0  # seconds between the request to end and the kill
LOG_TICK = 0.1  # seconds between two looks at what running attempts have printed
MESSAGE = 1 << 16  # the most bytes of one message to or from an attempt
WARM = 8  # hosts that are kept waiting at a time


class HostProcess:
    """A host, and the attempts that it runs (with the reason why they were stopped).

    It is `ready` when it has imported the steps' modules. `key` is what makes steps share it: environment and
    variables; `control` and `jobs` are the two sockets to it.
    """

    def __init__(
        self,
        key: Key,
        process: subprocess.Popen[bytes],
        control: socket.socket,
        jobs: socket.socket,
        mark: str,
        output: str,
    ) -> None:
        self.key = key
        self.process = process
        self.control = control
        self.jobs = jobs
        self.mark = mark
        self.buffer = b""
        self.output = Tail(output)
        self.ready = False
        self.attempts: dict[tuple[str, int], str] = {}


Key = tuple[str, tuple[tuple[str, str], ...]]
Attempt = tuple[str, int]


class LocalLauncher(Launcher):
    """Attempts as forked children of warm hosts (`isolate`), or inside the hosts themselves."""

    def __init__(
        self,
        *,
        ledger: LedgerLike,
        run_id: str,
        project: str,
        folder: Path,
        machine: Machine,
        isolate: bool,
        steps: Iterable[DeployedStep],
        environments: Environments,
        ready: int = 1,
    ) -> None:
        self.ready = ready
        self.ledger = ledger
        self.run_id = run_id
        self.project = project
        self.folder = folder / "logs" / run_id
        self.walk = walk_mark(folder, run_id)
        self.isolate = isolate
        self.environments = environments
        self.waiting: dict[Attempt, tuple[DeployedStep, StepJob]] = {}
        self.makers: dict[str, str | None] = {}  # environment → what went wrong, None as long as nothing did
        self.made, self.makes = os.pipe()
        self.shares = Shares(machine)
        self.hosts: list[HostProcess] = []
        self.logs: dict[Attempt, Tail] = {}
        self.uploads = Uploads(ledger, run_id) if ledger.remote else None
        self.jobs: dict[Attempt, tuple[DeployedStep, StepJob]] = {}
        self.pending: list[AttemptEnded | LogLines] = []
        self.keys: dict[str, Key] = {}
        self.cold: set[Key] = set()
        self.poller = select.poll()
        self.by_descriptor: dict[int, HostProcess] = {}
        self.steps = list(steps)
        self.poller.register(self.made, select.POLLIN)

    def fits(self, step: DeployedStep) -> bool:
        return self.shares.fits(step.resources)

    def start(self, step: DeployedStep, job: StepJob) -> None:
        self.shares.take((job.step, job.attempt), step.resources)
        if self.environments.is_made(self._key(step)[0]):
            self._launch(step, job)
        else:
            self._make_environment(step, job)

    def _launch(self, step: DeployedStep, job: StepJob) -> None:
        attempt = (job.step, job.attempt)
        host = self._host_for(step)
        limits = self.shares.limits(attempt)
        host.attempts[attempt] = ""
        self.jobs[attempt] = (step, job)
        # Without a process of its own an attempt needs no log before it has printed something.
        log = self._log_file(job, make=self.isolate)
        message = marshal.dumps({"job": job_fields(job), "limits": limits, "log": log})
        if len(message) >= MESSAGE:
            file = self.folder / f"{job.step}.{job.attempt}.job"
            file.write_bytes(message)
            message = marshal.dumps({"file": str(file)})
        with contextlib.suppress(ConnectionError):  # a host that is gone is noticed by its closed control
            host.jobs.sendall(message)
        self.logs[attempt] = Tail(log)
        if self.uploads is not None:
            self.uploads.begin(*attempt, log if self.isolate else host.output.path)

    def poll(self, timeout: float | None) -> list[AttemptEnded | LogLines]:
        if not self.pending:
            self._wait(timeout)
        for host in self.hosts:
            if not host.ready:
                self._pass_on_output(host)
        if self.uploads is not None:
            self.uploads.look()
        for attempt, tail in self.logs.items():
            if text := tail.read():
                self.pending.append(LogLines(*attempt, text))
        found, self.pending = self.pending, []
        return found

    def stop(self, step: str, attempt: int, reason: str) -> None:
        if self.waiting.pop((step, attempt), None):
            self._ended(AttemptEnded(step, attempt, -signal.SIGTERM, reason))
        for host in self.hosts:
            if (step, attempt) in host.attempts:
                host.attempts[step, attempt] = reason
                if self.isolate and host.ready:
                    self._send(host, {"stop": [step, attempt], "reason": reason, "grace": GRACE})
                else:
                    # The step is the host, or the host is still busy with imports: its channel will tell its end.
                    self._kill(host)
                return

    def close(self) -> None:
        for host in list(self.hosts):
            self._forget(host)  # a host whose channel closes ends what it runs, then itself
        self.environments.stop()
        if not self.makers:  # a thread that still makes one will write to it
            os.close(self.made)
            os.close(self.makes)
        kill_marked("RUNNER_WALK", self.walk)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait(self, timeout: float | None) -> None:
        patience = LOG_TICK if self.logs else None
        wait = min((t for t in (timeout, patience) if t is not None), default=None)
        for descriptor, _ in self.poller.poll(None if wait is None else wait * 1000):
            if descriptor == self.made:
                self._hear_made()
            host = self.by_descriptor.get(descriptor)
            if host is None:
                continue
            if descriptor == host.jobs.fileno():
                self._hear_answer(host)
            else:
                # Answers before the news that their processes are gone.
                while self._hear_answer(host):
                    pass
                self._hear_control(host)

    def _hear_answer(self, host: HostProcess) -> bool:
        """What an attempt said itself, at its end. False when there is nothing to hear now."""
        try:
            data = host.jobs.recv(MESSAGE, socket.MSG_DONTWAIT)
        except (BlockingIOError, ConnectionError):
            return False
        if not data:
            return False
        told = marshal.loads(data)  # noqa: S302  (from our own child)
        attempt = tuple(told["ended"])
        if attempt in host.attempts:
            reason = host.attempts.pop(attempt)
            result = result_from(told["result"]) if "result" in told else None
            ended = AttemptEnded(*attempt, told["code"], reason, told.get("message", ""), result)
            self._ended(ended, kept=told.get("kept", False))
        return True

    def _hear_control(self, host: HostProcess) -> None:
        try:
            data = host.control.recv(1 << 16)
        except ConnectionError:
            data = b""
        if not data:
            self._lost(host)
            return
        *lines, host.buffer = (host.buffer + data).split(b"\n")
        for line in lines:
            told = json.loads(line)
            if "ready" in told:
                self._pass_on_output(host)
                host.ready = True
                continue
            attempt = tuple(told["gone"])
            if attempt in host.attempts:
                host.attempts.pop(attempt)
                self._ended(AttemptEnded(*attempt, told["code"], told["reason"], told["message"]))

    def _ended(self, ended: AttemptEnded, kept: bool = False) -> None:
        attempt = (ended.step, ended.attempt)
        if self.uploads is not None:
            self.uploads.end(*attempt, kept)
        self.shares.give_back(attempt)
        self.jobs.pop(attempt, None)
        tail = self.logs.pop(attempt, None)
        if tail is not None and (text := tail.read(whole=True)):
            self.pending.append(LogLines(*attempt, text))
        self.pending.append(ended)

    def _lost(self, host: HostProcess) -> None:
        """The host is gone, and with it what it ran; nothing of that may live on."""
        kill_marked("RUNNER_HOST", host.mark)
        self._forget(host)
        code = host.process.wait()
        # Before it was ready nothing had begun: a module did not survive its import, or a step was stopped meanwhile.
        # The other steps get a host that imports nothing beforehand, so that each has to do with its own module only.
        spared = not host.ready and host.key not in self.cold
        if spared:
            self.cold.add(host.key)
        for (step, attempt), reason in host.attempts.items():
            if spared and not reason:
                self._launch(*self.jobs[step, attempt])
                continue
            message = "" if reason else f"the process that hosted it ended with {_describe(code)}"
            self._ended(AttemptEnded(step, attempt, code, reason or "lost", message))

    def _make_environment(self, step: DeployedStep, job: StepJob) -> None:
        """Make what the step runs in, beside all else; the step starts when it is there."""
        name = self._key(step)[0]
        self.waiting[job.step, job.attempt] = (step, job)
        words = ", ".join(self.environments.requirements[name])
        self.pending.append(LogLines(job.step, job.attempt, f"(making an environment for it: {words})\n"))
        if name not in self.makers:
            self.makers[name] = None
            Thread(target=self._make, args=(name,), daemon=True).start()

    def _make(self, name: str) -> None:
        try:
            self.environments.make(name)
        except EngineError as error:
            self.makers[name] = f"{error.message} ({error.help})" if error.help else error.message
        except Exception as error:
            self.makers[name] = f"its environment could not be made: {type(error).__name__}: {error}"
        os.write(self.makes, f"{name}\n".encode())

    def _hear_made(self) -> None:
        for name in os.read(self.made, 4096).decode().split():
            wrong = self.makers.pop(name)
            for attempt, (step, job) in list(self.waiting.items()):
                if self._key(step)[0] != name:
                    continue
                del self.waiting[attempt]
                if wrong is None:
                    self._launch(step, job)
                else:
                    self._ended(AttemptEnded(*attempt, 1, "environment", wrong))

    def _host_for(self, step: DeployedStep) -> HostProcess:
        key = self._key(step)
        for host in self.hosts:
            if host.key == key and (self.isolate or not host.attempts):
                return host
        idle = [host for host in self.hosts if not host.attempts]
        if len(self.hosts) >= WARM and idle:
            self._kill(idle[0])
            self._forget(idle[0])
        return self._start_host(key)

    def _key(self, step: DeployedStep) -> Key:
        if step.name not in self.keys:
            declared = {name: text for name, text in step.environment.items() if "${" not in text}
            variables = thread_variables(step.resources) | declared
            self.keys[step.name] = (self.environments.of(step), tuple(sorted(variables.items())))
        return self.keys[step.name]

    def _start_host(self, key: Key) -> HostProcess:
        ours, theirs = socket.socketpair()
        jobs, their_jobs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mark = uuid.uuid4().hex
        name, variables = key
        marks = {"RUNNER_HOST": mark, "RUNNER_RUN": self.run_id, "RUNNER_WALK": self.walk}
        with theirs, their_jobs:
            environment = {**os.environ, **dict(variables), **marks}
            process = self._spawn(self.environments.python(name), environment, theirs, their_jobs)
            descriptor = their_jobs.fileno()
        host = HostProcess(key, process, ours, jobs, mark, self._output_of(mark))
        self.hosts.append(host)
        for channel in (ours, jobs):
            self.by_descriptor[channel.fileno()] = host
            self.poller.register(channel.fileno(), select.POLLIN)
        warm = [] if key in self.cold else [step for step in self.steps if self._key(step) == key]
        modules = dict.fromkeys(step.entrypoint.partition(":")[0] for step in warm)
        hello = {
            "store": self.ledger.settings,
            "modules": list(modules),
            "isolate": self.isolate,
            "ready": self.ready,
            "jobs": descriptor,
        }
        self._send(host, {"hello": hello})
        return host

    def _spawn(
        self, python: str, environment: dict[str, str], control: socket.socket, jobs: socket.socket
    ) -> subprocess.Popen[bytes]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(self._output_of(environment["RUNNER_HOST"]), "w+b") as output:
                return subprocess.Popen(
                    [python, "-c", "from runner.worker.host import main; main()"],
                    cwd=self.project,
                    env=environment,
                    stdin=control.fileno(),
                    stdout=output,
                    stderr=output,
                    pass_fds=(jobs.fileno(),),
                    start_new_session=True,
                )
        except OSError as error:
            help = "make room for files and processes, and run again: `runner runs resume` goes on"
            raise EngineError(f"no process for steps could be started: {error}", help) from error

    def _output_of(self, mark: str) -> str:
        return str(self.folder / f"host-{mark}.txt")

    def _pass_on_output(self, host: HostProcess) -> None:
        """What modules print while they are imported belongs to the first step that waits for them."""
        if self.isolate and host.attempts and (text := host.output.read()):
            with open(self.logs[next(iter(host.attempts))].path, "ab") as log:
                log.write(text.encode())

    def _send(self, host: HostProcess, message: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionError):  # a host that is gone is noticed by its closed channel
            host.control.sendall(json.dumps(message).encode() + b"\n")

    def _kill(self, host: HostProcess) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(host.process.pid, signal.SIGKILL)
        kill_marked("RUNNER_HOST", host.mark)

    def _forget(self, host: HostProcess) -> None:
        if host in self.hosts:
            self.hosts.remove(host)
            for channel in (host.control, host.jobs):
                self.poller.unregister(channel.fileno())
                del self.by_descriptor[channel.fileno()]
                channel.close()
            try:
                host.process.wait(timeout=GRACE)
            except subprocess.TimeoutExpired:
                self._kill(host)
                host.process.wait()

    def _log_file(self, job: StepJob, make: bool) -> str:
        path = self.ledger.log_path(job.run_id, job.step, job.attempt, make)
        return path if path is not None else str(self.folder / f"{job.step}.{job.attempt}.txt")


def walk_mark(folder: Path, run_id: str) -> str:
    """What marks the processes of a run: its id alone may stand in another project too."""
    return f"{folder.absolute()}/{run_id}"


class Tail:
    """What a log has grown by since the last look, in whole lines."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.offset = 0

    def read(self, whole: bool = False) -> str:
        """New text up to its last end of line; with `whole`, all of it."""
        try:
            if os.stat(self.path).st_size <= self.offset:
                return ""
            with open(self.path, "rb") as file:
                file.seek(self.offset)
                data = file.read()
        except OSError:
            return ""
        if not whole:
            data = data[: data.rfind(b"\n") + 1]
        self.offset += len(data)
        return data.decode("utf-8", "replace")


def _describe(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

"""A folder whose steps run in real containers."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.materializers import load
from runner.artifact_store.stores import open_store
from runner.docker_engine import address, ask
from runner.engine.stack import OpenStack
from runner.orchestrators.container import MARK, mark_of
from runner.orchestrators.flavors.local_docker.orchestrator import LocalDockerOrchestrator
from runner.orchestrators.flavors.local_docker.settings import LocalDockerSettings
from runner.plan.deployment import DeployedStep, Deployment
from runner.records import Artifact, Event, LogLines, Run, fold

STEPS = '''
import os, pathlib, subprocess, sys, time

def value(x): return x
def exits(code): os._exit(code)
def say(lines, pause=0.0):
    for line in lines:
        print(line, flush=True)
        time.sleep(pause)
def eat(size):
    print("so hungry", flush=True)
    block = bytearray(size)
    for i in range(0, size, 4096):
        block[i] = 1
    time.sleep(60)
def read(*, paths):
    """The first of these files that is there."""
    return next(pathlib.Path(path).read_text().strip() for path in paths if os.path.exists(path))
def room(path): return os.statvfs(path).f_blocks * os.statvfs(path).f_frsize
def who():
    rights = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
    return [os.getuid(), os.getgid(), os.environ["HOME"], int(rights["CapBnd"], 16), rights["NoNewPrivs"].strip()]
def environment(names): return [os.environ.get(name, "") for name in names]
def fill(path): pathlib.Path(path).write_bytes(b"x" * 4_000_000)
def stay(file, seconds):
    """Write down that it began, go on for so long, write down that it ended."""
    with open(file, "a") as told:
        told.write("began ")
    until = time.monotonic() + seconds
    while time.monotonic() < until and not os.path.exists(file + ".go"):
        time.sleep(0.05)
    with open(file, "a") as told:
        told.write("ended ")
    print("stayed", flush=True)
    return seconds
def stubborn():
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(100)
def mark(file):
    with open(file, "a") as told:
        told.write("x")
def secret(token):
    print("the token is", token)
    return len(token)
'''


def step(name: str, function: str, **fields: Any) -> DeployedStep:
    return DeployedStep(name, f"docker_steps:{function}", **{"cache": False, **fields})


class Docker:
    """Runs deployments in a folder that the containers have mounted."""

    def __init__(self, folder: Path, image: str, host: str = "") -> None:
        self.folder = folder
        self.image = image
        self.host = address(host or None, os.environ)
        self.store: dict[str, Any] = {"flavor": "local", "path": str(folder / "artifacts")}
        self.settings: dict[str, Any] = {"max_parallel": 2}
        (folder / "docker_steps.py").write_text(STEPS)

    def orchestrator(self) -> LocalDockerOrchestrator:
        given = dict(self.settings)
        volumes = {str(self.folder): {"bind": str(self.folder), "mode": "rw"}}
        given["run_args"] = {"volumes": volumes, "working_dir": str(self.folder)} | given.get("run_args", {})
        return LocalDockerOrchestrator(LocalDockerSettings(**given))

    def deployment(self, *steps: DeployedStep, **fields: Any) -> Deployment:
        steps = tuple(one if one.container else one._replace(container={"image": self.image}) for one in steps)
        named = {one.name: one for one in steps}
        fields = {"on_failure": "continue"} | fields
        return Deployment("r1", "p", "s", "local_docker", named, self.store, str(self.folder), **fields)

    def stack(self, done: Any = None) -> OpenStack:
        return OpenStack(Ledger(open_store(self.store)), self.folder / ".runner", done)

    def events(self, *steps: DeployedStep, done: Any = None, **fields: Any) -> Iterator[Event | LogLines]:
        deployment, stack, orchestrator = self.deployment(*steps, **fields), self.stack(done), self.orchestrator()
        stack.ledger.write_deployment(deployment)
        return orchestrator.watch(orchestrator.submit(orchestrator.compile(deployment), stack), stack)

    def run(self, *steps: DeployedStep, **fields: Any) -> Run:
        return fold(event for event in self.events(*steps, **fields) if isinstance(event, Event))

    def value(self, artifact: Artifact) -> Any:
        return load(artifact, self.stack().ledger.store, self.folder)

    def output(self, *steps: DeployedStep, **fields: Any) -> Any:
        """What the last of these steps returned."""
        run = self.run(*steps, **fields)
        found = run.steps[steps[-1].name]
        assert found.status == "succeeded", found
        return self.value(found.outputs["output"])

    def error(self, *steps: DeployedStep, **fields: Any) -> tuple[str, str]:
        """Reason and message of the last of these steps."""
        error = self.run(*steps, **fields).steps[steps[-1].name].error
        assert error is not None
        return error.reason, error.message

    def log(self, name: str, attempt: int = 1) -> str:
        return self.stack().ledger.log("r1", name, attempt)

    def containers(self) -> list[dict[str, Any]]:
        """Those of this folder's run, running or not."""
        listed = ask(self.host, "/containers/json?all=1", os.environ)
        return [each for each in listed if each["Labels"].get(MARK) == mark_of("r1", self.store)]


@pytest.fixture
def docker(tmp_path: Path, worker_image: str) -> Iterator[Docker]:
    bench = Docker(tmp_path, worker_image)
    yield bench
    left = [each["Id"] for each in bench.containers()]
    if left:
        subprocess.run(["docker", "rm", "-f", *left], capture_output=True)
    assert left == [], "containers were left behind"


def until(condition: Callable[[], Any], patience: float = 120.0) -> None:
    give_up = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.02)

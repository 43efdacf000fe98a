"""A project of its own for each test, in which `runner` runs as processes that can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

STEPS = '''
import os, time

def work(name, seconds=0.0, **inputs):
    """Note that it runs, by one write; take a while; give a value that depends on the inputs alone."""
    note = os.open("ran.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(note, f"{name} {os.getpid()}\\n".encode())
    os.close(note)
    time.sleep(seconds)
    return {"name": name, "from": sorted(str(value) for value in inputs.values())}

def never(name, until="fixed"):
    work(name)
    if not os.path.exists(until):
        raise ValueError("not yet")
    return name

def slow(name, **inputs):
    work(name, 60)
'''
PARALLEL = "kind: stack\nname: parallel\norchestrator: {flavor: local, max_parallel: 3}\n"
HEAD = "kind: pipeline\nname: {name}\nstack: parallel\ndefaults: {{cache: false}}\nsteps:\n"
WORK = """
  first: {entrypoint: "kept_steps:work", parameters: {name: first}}
  left: {entrypoint: "kept_steps:work", inputs: {a: first}, parameters: {name: left, seconds: 0.1}}
  middle: {entrypoint: "kept_steps:work", inputs: {a: first}, parameters: {name: middle}}
  right: {entrypoint: "kept_steps:work", inputs: {a: first}, parameters: {name: right, seconds: 0.2}}
  join: {entrypoint: "kept_steps:work", inputs: {a: left, b: middle, c: right}, parameters: {name: join, seconds: 0.1}}
  one: {entrypoint: "kept_steps:work", inputs: {a: join}, parameters: {name: one, seconds: 0.1}}
  two: {entrypoint: "kept_steps:work", inputs: {a: join}, parameters: {name: two}}
  last: {entrypoint: "kept_steps:work", inputs: {a: one, b: two}, parameters: {name: last, seconds: 0.2}}
"""
QUICK = """
  first: {entrypoint: "kept_steps:work", parameters: {name: first}}
  last: {entrypoint: "kept_steps:work", inputs: {a: first}, parameters: {name: last}}
"""
SLOW = """
  quick: {entrypoint: "kept_steps:work", parameters: {name: quick}}
  slow: {entrypoint: "kept_steps:slow", inputs: {a: quick}, parameters: {name: slow}}
  other: {entrypoint: "kept_steps:slow", inputs: {a: quick}, parameters: {name: other}}
"""
BROKEN = """
  good: {entrypoint: "kept_steps:work", parameters: {name: good}}
  bad: {entrypoint: "kept_steps:never", parameters: {name: bad}, after: [good]}
"""
RETRY = """
  bad:
    entrypoint: "kept_steps:never"
    parameters: {name: bad}
    retry: {max_retries: 5, delay: 60s, max_delay: 60s}
"""
PIPELINES = {"work": WORK, "quick": QUICK, "slow": SLOW, "broken": BROKEN, "retry": RETRY}
PATIENCE = 60.0


def until(condition: Callable[[], Any]) -> Any:
    """What the condition gives as soon as it is true."""
    give_up = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.01)
    return found


class Going:
    """A `runner run` or `runner runs resume` with `--format json` on its way."""

    def __init__(self, folder: Path, *arguments: str, **options: Any) -> None:
        command = [sys.executable, "-m", "runner", *arguments, "--format", "json"]
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )
        self.told: list[dict[str, Any]] = []

    def read(self, event: str = "", step: str | None = None) -> bool:
        """Read what it prints up to this event, or to its end; says whether the event came."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.endswith("}\n"):
                self.told.append(json.loads(line))
                if self.told[-1]["event"] == event and step in (None, self.told[-1].get("step")):
                    return True
        return False

    def end(self) -> int:
        """Read the rest and give the exit code."""
        self.read()
        self.errors = self.process.stderr.read() if self.process.stderr else ""
        return self.process.wait(PATIENCE)

    @property
    def run_id(self) -> str:
        run_id: str = self.told[0]["run_id"]
        return run_id

    def steps(self, event: str) -> set[str]:
        """The steps of which this was told."""
        return {told["step"] for told in self.told if told["event"] == event}


def stack_file(artifact_store: dict[str, Any] | None = None) -> str:
    """The stack that the pipelines name."""
    return PARALLEL + (f"artifact_store: {json.dumps(artifact_store)}\n" if artifact_store else "")


class Workshop:
    """A project's folder, and `runner` in it."""

    def __init__(self, folder: Path, artifact_store: dict[str, Any] | None = None) -> None:
        self.folder = folder
        (folder / "runner.toml").touch()
        (folder / "kept_steps.py").write_text(STEPS)
        (folder / "stacks").mkdir()
        (folder / "stacks" / "parallel.yaml").write_text(stack_file(artifact_store))
        for name, steps in PIPELINES.items():
            (folder / f"{name}.yaml").write_text(HEAD.format(name=name) + steps)
        self.going: list[Going] = []

    def start(self, *arguments: str, **options: Any) -> Going:
        self.going.append(Going(self.folder, *arguments, **options))
        return self.going[-1]

    def runner(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "runner", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            **options,
        )

    def json(self, *arguments: str) -> Any:
        return json.loads(self.runner(*arguments, "--format", "json").stdout)

    def ran(self) -> Counter[str]:
        """How often each step has started."""
        return Counter(line.split()[0] for line in self.notes())

    def notes(self) -> list[str]:
        """Name and process of every start, in order."""
        path = self.folder / "ran.txt"
        return path.read_text().splitlines() if path.exists() else []

    def digests(self, run_id: str) -> dict[str, str]:
        """Step → the digest of its output."""
        steps = self.json("runs", "show", run_id)["steps"]
        return {name: step["outputs"]["output"]["digest"] for name, step in steps.items()}

    def stop(self) -> None:
        for going in self.going:
            if going.process.poll() is None:
                going.process.kill()
            going.end()
            if going.told:
                for pid in marked(going.run_id):
                    kill(pid)


def kill(pid: int) -> None:
    """`kill -9`, silent about the dead."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def marked(run_id: str) -> list[int]:
    """Living processes of a run."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if f"RUNNER_RUN={run_id}".encode() in Path("/proc", name, "environ").read_bytes().split(b"\0"):
                found.append(int(name))
        except OSError:
            continue
    return found


def is_host(pid: int) -> bool:
    """Whether a process of a run is its host: it was not forked from another one."""
    try:
        above = int(Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()[1])
        return Path("/proc", str(above), "cmdline").read_bytes() != Path("/proc", str(pid), "cmdline").read_bytes()
    except (OSError, ValueError):
        return False


class Machines:
    """Folders that share an artifact store and nothing else: `a` and `c` have the code, `b` only the stack's file."""

    def __init__(self, folder: Path, artifact_store: dict[str, Any]) -> None:
        for name in "abc":
            (folder / name).mkdir()
        self.a, self.c = Workshop(folder / "a", artifact_store), Workshop(folder / "c", artifact_store)
        self.folder = folder / "b"
        (self.folder / "shared.yaml").write_text(stack_file(artifact_store))

    def b(self, *arguments: str) -> str:
        """What `runner` prints in `b`."""
        done = self.call(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "runner", *arguments, "--stack", "shared.yaml"]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=2 * PATIENCE)

    def status(self, run_id: str) -> str:
        """As `b` tells it."""
        status: str = json.loads(self.b("runs", "show", run_id, "--format", "json"))["status"]
        return status


class Tools:
    """What tests beside these fixtures call."""

    until = staticmethod(until)
    kill = staticmethod(kill)
    marked = staticmethod(marked)
    is_host = staticmethod(is_host)


@pytest.fixture
def tools() -> type[Tools]:
    return Tools


@pytest.fixture(params=["a folder", "a bucket"])
def machines(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Machines]:
    store = {"flavor": "local", "path": str(tmp_path / "store")}
    made = Machines(tmp_path, request.getfixturevalue("s3_settings") if request.param == "a bucket" else store)
    yield made
    made.a.stop()
    made.c.stop()


@pytest.fixture
def workshop(tmp_path: Path) -> Iterator[Workshop]:
    made = Workshop(tmp_path)
    yield made
    made.stop()

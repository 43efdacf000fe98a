"""Whole runs of a project by the command line: the same pipeline in processes and in containers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from docker_bench import until

from runner.docker_engine import address, ask
from runner.orchestrators.container import FOLDER

pytestmark = pytest.mark.engine("docker")
PIPELINE = """kind: pipeline
name: p
steps:
  a: {entrypoint: "work:first"}
  b: {entrypoint: "work:second", inputs: {x: a}}
"""
WORK = """import os, time
def first(): return {"numbers": [1, 2, 3]}
def second(x): return sum(x["numbers"])
def long():
    print("at it", flush=True)
    time.sleep(600)
"""


class Project:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name, text in {"runner.toml": "", "work.py": WORK, "p.yaml": PIPELINE}.items():
            (folder / name).write_text(text)
        self.stack("d", "orchestrator: {flavor: local_docker, max_parallel: 2}")
        self.stack("l", "orchestrator: {flavor: local}")

    def stack(self, name: str, text: str) -> None:
        (self.folder / f"{name}.yaml").write_text(f"kind: stack\nname: {name}\n{text}\n")

    def command(self, *arguments: str) -> list[str]:
        return [str(Path(sys.executable).parent / "runner"), *arguments]

    def runner(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*arguments), cwd=self.folder, capture_output=True, text=True, **more)

    def events(self, stack: str, *options: str) -> list[dict[str, Any]]:
        done = self.runner("run", "p.yaml", "--stack", f"{stack}.yaml", "--format", "json", *options)
        assert done.returncode == 0, done.stderr + done.stdout
        return [json.loads(line) for line in done.stdout.splitlines()]

    def containers(self) -> list[str]:
        listed = ask(address(None, os.environ), "/containers/json?all=1", os.environ)
        return [each["Id"] for each in listed if each["Labels"].get(FOLDER) == str(self.folder / ".runner")]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def digests(events: list[dict[str, Any]]) -> dict[str, str]:
    return {each["step"]: each["outputs"]["output"]["digest"] for each in events if "outputs" in each}


@pytest.mark.parametrize("order", ["dl", "ld"])
def test_containers_and_processes_share_the_cache(project: Project, order: str) -> None:
    first, second = (project.events(stack) for stack in order)
    assert [each["event"] for each in second if each.get("step")] == ["step_cached", "step_cached"]
    assert digests(first) == digests(second)


def test_containers_and_processes_make_the_same(project: Project) -> None:
    assert digests(project.events("d")) == digests(project.events("l", "--no-cache"))


def test_a_bucket_on_this_machine_is_reached_over_its_network(project: Project, s3_settings: dict[str, Any]) -> None:
    store = f"artifact_store: {json.dumps(s3_settings)}"
    project.stack("s", f"orchestrator: {{flavor: local_docker, network: host}}\n{store}")
    project.stack("n", f"orchestrator: {{flavor: local_docker}}\n{store}")
    assert project.events("s")[-1]["event"] == "run_succeeded"
    refused = project.runner("run", "p.yaml", "--stack", "n.yaml", "--no-cache")
    assert refused.returncode == 4 and "error[unreachable-address]" in refused.stderr
    assert "network: host" in project.runner("validate", "p.yaml", "--stack", "n.yaml").stdout


def test_ctrl_c_leaves_nothing_behind(project: Project) -> None:
    (project.folder / "p.yaml").write_text('kind: pipeline\nname: p\nsteps:\n  a: {entrypoint: "work:long"}\n')
    with begun(project) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130
    assert project.containers() == []


def test_orphans_are_named_and_cancelled(project: Project) -> None:
    (project.folder / "p.yaml").write_text('kind: pipeline\nname: p\nsteps:\n  a: {entrypoint: "work:long"}\n')
    with begun(project) as process:
        process.kill()
    found = project.runner("doctor", "--stack", "d.yaml").stdout
    named = re.search(r"runner runs cancel ([\w-]+)", found)
    assert named is not None, found
    run = named[1]
    assert f"1 container of run {run}, which is not going" in found
    assert project.runner("runs", "cancel", run).returncode == 0
    assert project.containers() == []


def begun(project: Project) -> subprocess.Popen[str]:
    """A run whose step has begun."""
    process = subprocess.Popen(
        project.command("run", "p.yaml", "--stack", "d.yaml"), cwd=project.folder, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert any("at it" in line for line in process.stdout)
    until(project.containers)
    return process

"""The flavor beyond the suite: from YAML by the command line, its refusals, and what becomes of lost workers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from dask_orchestrator.cluster import connected
from dask_orchestrator.orchestrator import DaskOrchestrator
from dask_orchestrator.settings import DaskSettings

from runner.errors import EngineError
from runner.plan.deployment import DeployedStep

STEPS = """
import os, pathlib, signal, time

def numbers(): return [1, 2, 3]
def total(values): return sum(values)
def lose_the_worker(file):
    "End the Dask worker that this step runs on, the first time."
    if not os.path.exists(file):
        pathlib.Path(file).touch()
        watcher = os.getppid()
        worker = int(pathlib.Path(f"/proc/{watcher}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(worker, signal.SIGKILL)
        time.sleep(600)
    return "again"
def slow(file):
    pathlib.Path(file).write_text(str(os.getpid()))
    time.sleep(600)
"""
PIPELINE = """
kind: pipeline
name: sums
defaults: {cache: false}
steps:
  numbers: {entrypoint: "dask_steps:numbers"}
  total:
    entrypoint: dask_steps:total
    inputs: {values: numbers}
    resources: {cpu_count: 1}
    settings: {dask: {priority: 10}}
"""
STACKS = """
kind: stack
name: by_name
orchestrator: {flavor: dask, n_workers: 1}
---
kind: stack
name: by_path
orchestrator: {flavor: "dask_orchestrator.orchestrator:DaskOrchestrator", n_workers: 1}
---
kind: stack
name: elsewhere
orchestrator: {flavor: dask, scheduler_address: "tcp://127.0.0.1:1"}
"""
PATIENCE = 120
# Where `make` has installed the package, so that its entry point is found. Without `make` an installation counts.
EXAMPLES = Path(sys.prefix, "examples")
INSTALLED = {"PYTHONPATH": str(EXAMPLES)} if EXAMPLES.is_dir() else {}


class Project:
    """A folder, and `runner` in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "runner.toml").touch()
        (folder / "stacks").mkdir()
        (folder / "stacks" / "s.yaml").write_text(STACKS)
        (folder / "dask_steps.py").write_text(STEPS)
        (folder / "p.yaml").write_text(PIPELINE)

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    def write_step(self, function: str, **more: str) -> None:
        """Let the pipeline be one step, which is given the name of a file."""
        fields = "".join(f", {key}: {value}" for key, value in more.items())
        step = f'  a: {{entrypoint: "dask_steps:{function}", parameters: {{file: noted.txt}}{fields}}}\n'
        (self.folder / "p.yaml").write_text(PIPELINE.partition("  numbers")[0] + step)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "runner", *arguments],
            cwd=self.folder,
            env=os.environ | INSTALLED,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def runner(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err

    def last_run(self) -> Any:
        return json.loads(self.runner("runs", "show", "--format", "json")[1])

    def processes(self) -> list[int]:
        """Living processes that work in this folder."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{name}/cwd") == str(self.folder):
                    found.append(int(name))
            except OSError:
                continue
        return found


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def until(condition: Any) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.05)


@pytest.mark.parametrize("stack", ["by_name", "by_path"])
def test_a_pipeline_runs_on_a_cluster_of_its_own_and_nothing_is_left(project: Project, stack: str) -> None:
    code, out, err = project.runner("run", "p.yaml", "--stack", stack)
    assert (code, err) == (0, ""), out
    assert project.last_run()["status"] == "succeeded"
    assert project.processes() == []


def test_an_attempt_whose_worker_is_lost_is_tried_again(project: Project) -> None:
    project.write_step("lose_the_worker", retry="{max_retries: 1, delay: 0s}")
    code, out, err = project.runner("run", "p.yaml", "--stack", "by_name")
    assert code == 0, out + err
    assert project.last_run()["steps"]["a"]["attempt"] == 2


def test_ctrl_c_ends_the_run_and_all_its_processes(project: Project) -> None:
    project.write_step("slow")
    process = project.start("run", "p.yaml", "--stack", "by_name")
    until((project.folder / "noted.txt").exists)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, out + err
    assert project.last_run()["status"] == "cancelled"
    until(lambda: not project.processes())


def test_nothing_lives_on_when_runner_is_killed(project: Project) -> None:
    project.write_step("slow")
    process = project.start("run", "p.yaml", "--stack", "by_name")
    until((project.folder / "noted.txt").exists)
    process.kill()
    process.communicate()
    until(lambda: not project.processes())


def test_settings_are_checked_at_their_position(project: Project) -> None:
    project.replace("stacks/s.yaml", "n_workers", "n_wokers")
    code, out, _ = project.runner("validate")
    assert (code, "stacks/s.yaml:4:30: error[unknown-key]" in out) == (3, True), out
    assert "did you mean 'n_workers'?" in out


def test_two_clusters_are_refused(project: Project) -> None:
    project.replace("stacks/s.yaml", '1:1"', '1:1", n_workers: 3')
    code, out, _ = project.runner("validate")
    assert (code, "'n_workers' is about a cluster of this machine" in out) == (3, True), out


def test_a_setting_of_a_step_is_checked_too(project: Project) -> None:
    project.replace("p.yaml", "priority: 10", "priority: high")
    code, out, _ = project.runner("validate", "p.yaml")
    assert (code, "p.yaml:11:33: error" in out) == (3, True), out


@pytest.mark.parametrize(
    ("step", "last"),
    [
        (DeployedStep("a", "s:f", resources={"cpu_count": 3}), "cpu_count"),
        (DeployedStep("a", "s:f", settings={"worker_resources": {"GPU": 1}}), "GPU"),
    ],
)
def test_what_no_worker_of_the_own_cluster_has_is_refused(step: DeployedStep, last: str) -> None:
    found = list(DaskOrchestrator(DaskSettings(threads_per_worker=2)).refusals([step], "."))
    assert [refusal.path[-1] for refusal in found] == [last]


def test_a_cluster_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no Dask cluster answers at 'tcp://127\.0\.0\.1:1'"):
        with connected(DaskSettings(scheduler_address="tcp://127.0.0.1:1"), tmp_path, patience=1):
            pass


def test_validating_needs_nothing_of_dask() -> None:
    code = "import sys, dask_orchestrator.orchestrator; sys.exit(any(n.startswith('distributed') for n in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ | INSTALLED).returncode == 0

"""A runner that is killed, and the next one that takes its containers over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker_bench import Docker, step, until

from runner.orchestrators.base import Submission
from runner.orchestrators.container import MARK, STEP
from runner.plan.deployment import DeployedStep
from runner.records import Event, LogLines, Run, fold

pytestmark = pytest.mark.engine("docker")
MB = 1024 * 1024
# Another process that runs the steps it is told of, and prints what happens.
OTHER = """
import json, sys
from pathlib import Path
from docker_bench import Docker, step
folder, image, steps = json.loads(sys.argv[1])
for happened in Docker(Path(folder), image).events(*(step(name, function, **more) for name, function, more in steps)):
    print(getattr(happened, "event", "lines"), flush=True)
"""


class Killed:
    """Steps that another process has begun."""

    def __init__(self, docker: Docker, *steps: tuple[str, str, dict[str, Any]]) -> None:
        self.docker = docker
        self.steps = steps
        arguments = json.dumps([str(docker.folder), docker.image, steps])
        paths = {"PYTHONPATH": str(Path(__file__).parents[3] / "engines")}
        self.process = subprocess.Popen(
            [sys.executable, "-c", OTHER, arguments], stdout=subprocess.PIPE, env={**os.environ, **paths}, text=True
        )

    def wait_for(self, event: str) -> None:
        assert self.process.stdout is not None
        assert any(line.strip() == event for line in self.process.stdout)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def resumed(self) -> tuple[Run, list[Event | LogLines]]:
        steps: list[DeployedStep] = [step(name, function, **more) for name, function, more in self.steps]
        happened = list(self.docker.events(*steps, done={}))
        return fold(item for item in happened if isinstance(item, Event)), happened


def stay(docker: Docker, name: str = "a", **more: Any) -> tuple[str, str, dict[str, Any]]:
    return name, "stay", {"parameters": {"file": str(docker.folder / name), "seconds": 100}, **more}


def go_on(docker: Docker, name: str = "a") -> None:
    (docker.folder / f"{name}.go").touch()


def its_container(docker: Docker) -> dict[str, Any]:
    """Of step `a`."""
    (found,) = [each for each in docker.containers() if each["Labels"][STEP] == "a"]
    return found


@pytest.fixture
def begun(docker: Docker) -> Iterator[Killed]:
    """A step was in the middle of its work when its runner was killed; another one needs it."""
    after = ("b", "value", {"parameters": {"x": 1}, "after": ("a",)})
    killed = Killed(docker, stay(docker), after)
    until((docker.folder / "a").exists)
    killed.kill()
    yield killed


def test_a_container_that_still_runs_is_gone_on_with(docker: Docker, begun: Killed) -> None:
    # And that of the other step, which was made ahead.
    assert sorted(each["State"] for each in docker.containers()) == ["created", "running"]
    go_on(docker)
    run, happened = begun.resumed()
    assert (run.status, run.steps["a"].attempt, run.steps["b"].status) == ("succeeded", 1, "succeeded")
    assert (docker.folder / "a").read_text() == "began ended "
    assert LogLines("a", 1, "stayed\n") in happened


def test_a_container_that_has_finished_meanwhile_counts(docker: Docker, begun: Killed) -> None:
    go_on(docker)
    until(lambda: its_container(docker)["State"] == "exited")
    run, happened = begun.resumed()
    assert (run.status, run.steps["a"].attempt) == ("succeeded", 1)
    assert (docker.folder / "a").read_text() == "began ended "
    assert LogLines("a", 1, "stayed\n") in happened


def test_one_that_was_killed_meanwhile_is_told_of(docker: Docker, begun: Killed) -> None:
    subprocess.run(["docker", "kill", its_container(docker)["Id"]], check=True, capture_output=True)
    run, _ = begun.resumed()
    error = run.steps["a"].error
    assert (run.status, run.steps["a"].status) == ("failed", "failed")
    assert error is not None and error.reason == "killed"


def test_one_that_was_removed_meanwhile_is_run_again(docker: Docker, begun: Killed) -> None:
    subprocess.run(["docker", "rm", "-f", its_container(docker)["Id"]], check=True, capture_output=True)
    go_on(docker)
    run, _ = begun.resumed()
    assert (run.status, run.steps["a"].attempt) == ("succeeded", 2)


def test_what_a_dead_runner_left_is_removed_by_cancel(docker: Docker, begun: Killed) -> None:
    docker.orchestrator().cancel(Submission("r1", "local_docker"), docker.stack())
    assert docker.containers() == []


def test_it_is_named_as_what_remains(docker: Docker, begun: Killed) -> None:
    found = [left for left in docker.orchestrator().remains() if left.folder == str(docker.folder / ".runner")]
    (left,) = found
    assert (left.run_id, left.what) == ("r1", "2 containers")
    subprocess.run(left.remove.split(), check=True, capture_output=True)
    assert docker.containers() == []


def test_what_a_node_of_kubernetes_runs_on_the_engine_is_not_ours(docker: Docker) -> None:
    labels = [f"--label={MARK}={docker.folder.name}", "--label=io.kubernetes.pod.name=p"]
    command = ["docker", "create", *labels, docker.image, "python", "-c", "pass"]
    made = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    try:
        assert made[:12] not in "".join(left.remove for left in docker.orchestrator().remains())
    finally:
        subprocess.run(["docker", "rm", made], check=True, capture_output=True)


def test_a_failure_that_is_on_record_is_tried_again(docker: Docker) -> None:
    killed = Killed(docker, ("a", "exits", {"parameters": {"code": 3}}), stay(docker, "b"))
    until((docker.folder / "b").exists)
    until(lambda: docker.stack().ledger.result("r1", "a", 1))
    killed.kill()
    go_on(docker, "b")
    run, _ = killed.resumed()
    assert (run.steps["a"].attempt, run.steps["b"].attempt) == (2, 1), run
    assert (docker.folder / "b").read_text() == "began ended "


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.6])
def test_whenever_it_is_killed_each_step_is_done_once(docker: Docker, seconds: float) -> None:
    steps = [("a", "mark", {"parameters": {"file": str(docker.folder / "a")}})]
    steps += [("b", "mark", {"parameters": {"file": str(docker.folder / "b")}, "after": ("a",)})]
    killed = Killed(docker, *steps)
    killed.wait_for("run_started")
    time.sleep(seconds)
    killed.kill()
    run, _ = killed.resumed()
    assert run.status == "succeeded", [s.error for s in run.steps.values()]
    assert [(docker.folder / name).read_text() for name in "ab"] == ["x", "x"]

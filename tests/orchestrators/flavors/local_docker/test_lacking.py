"""What the engine does not have is told before anything starts, where it was asked for."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from runner.cli.main import main
from runner.orchestrators.base import Refusal
from runner.orchestrators.flavors.local_docker.engine import Info
from runner.orchestrators.flavors.local_docker.lacking import checks, lacking, too_much
from runner.orchestrators.flavors.local_docker.settings import LocalDockerSettings
from runner.plan.deployment import DeployedStep

real = pytest.mark.engine("docker")
PLAIN = DeployedStep("a", "s:f")
STACK = """\
kind: stack
name: d
orchestrator:
  flavor: local_docker
  network: no-such-network
"""
PIPELINE = "kind: pipeline\nname: p\nsteps: {a: {entrypoint: 'work:f'}}\n"


def lacks(step: DeployedStep = PLAIN, **settings: Any) -> list[Refusal]:
    return list(lacking(LocalDockerSettings(**settings), [step], os.environ))


@pytest.fixture
def network() -> Iterator[str]:
    name = f"runner-test-{uuid4().hex[:12]}"
    subprocess.run(["docker", "network", "create", "--internal", name], check=True, capture_output=True)
    yield name
    subprocess.run(["docker", "network", "rm", name], check=True, capture_output=True)


def test_more_than_the_engine_has_is_refused() -> None:
    info = Info("unix:///x", cpus=2, memory=1024**3, rootless=False)
    step = DeployedStep("a", "s:f", resources={"cpu_count": 4, "memory": 2 * 1024**3})
    assert [found.path[-1] for found in too_much(step, info)] == ["cpu_count", "memory"]


@real
def test_a_network_that_is_not_there(network: str) -> None:
    assert lacks(network=network) == lacks(network="host") == lacks(run_args={"network_mode": "container:x"}) == []
    (found,) = lacks(network=network[:-1] + "z")
    assert found.path == ("orchestrator", "network") and f"did you mean '{network}'?" in (found.help or "")
    (found,) = lacks(DeployedStep("a", "s:f", settings={"run_args": {"network_mode": "gone"}}))
    assert found.path == ("steps", "a", "settings", "local_docker", "run_args", "network_mode")


@real
def test_a_runtime_that_is_not_there() -> None:
    assert lacks(run_args={"runtime": "runc"}) == lacks(run_args={"runtime": "io.containerd.runc.v2"}) == []
    (found,) = lacks(run_args={"runtime": "runx"})
    assert found.path == ("orchestrator", "run_args", "runtime") and "did you mean 'runc'?" in (found.help or "")


def test_an_engine_of_which_nothing_is_asked_is_not_asked(tmp_path: Path) -> None:
    assert lacks(docker_host=f"unix://{tmp_path}/none.sock") == []


@real
def test_the_doctor_tries_what_the_stack_names(network: str) -> None:
    settings = LocalDockerSettings(network=network, run_args={"runtime": "nope"})
    assert [(check.name, check.ok) for check in checks(settings, os.environ)] == [("network", True), ("runtime", False)]


@real
def test_it_is_told_at_its_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in {"runner.toml": "", "p.yaml": PIPELINE, "d.yaml": STACK, "work.py": "def f(): pass\n"}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "p.yaml", "--stack", "d.yaml"]) == 4
    assert "d.yaml:5:12: error[no-network]: the engine has no network 'no-such-network'" in capsys.readouterr().err

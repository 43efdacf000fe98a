"""The local_docker flavor's declarations, and what it refuses."""

from __future__ import annotations

from typing import Any

from runner.orchestrators.base import Support
from runner.orchestrators.flavors.local_docker.engine import Info
from runner.orchestrators.flavors.local_docker.orchestrator import LocalDockerOrchestrator, _user
from runner.orchestrators.flavors.local_docker.settings import LocalDockerSettings
from runner.plan.deployment import DeployedStep


def refused(step: DeployedStep, **settings: Any) -> list[tuple[str, ...]]:
    return [found.path for found in LocalDockerOrchestrator(LocalDockerSettings(**settings)).refusals([step], "/")]


def test_an_engine_does_not_choose_accelerators_by_type() -> None:
    step = DeployedStep("a", "s:f", resources={"gpu_count": 1, "gpu_type": "t4"})
    assert refused(step) == [("steps", "a", "resources", "gpu_type")]


def test_a_limit_is_not_said_twice() -> None:
    step = DeployedStep("a", "s:f", resources={"memory": 100_000_000})
    assert refused(step, run_args={"mem_limit": "1g"}) == [("steps", "a", "resources", "memory")]
    assert refused(step, run_args={"mem_reservation": "1g"}) == []


def test_two_networks_are_one_too_many() -> None:
    step = DeployedStep("a", "s:f", settings={"run_args": {"network_mode": "host"}})
    assert refused(step, network="ml") == [("steps", "a", "settings", "local_docker", "run_args")]
    assert refused(step) == []


def test_it_is_not_remote_and_limits_what_the_engine_limits() -> None:
    can = LocalDockerOrchestrator.capabilities
    assert not LocalDockerOrchestrator.remote
    assert (can.cpu, can.shm, can.disk) == (Support.NATIVE, Support.NATIVE, Support.NO)


def test_less_than_an_engine_takes_is_refused() -> None:
    step = DeployedStep("a", "s:f", resources={"cpu_count": 0.001, "memory": 5 * 1024**2})
    assert [path[-1] for path in refused(step)] == ["cpu_count", "memory"]
    assert refused(DeployedStep("a", "s:f", resources={"cpu_count": 0.01, "memory": 6 * 1024**2})) == []


def test_root_of_an_engine_without_root_rights_is_the_caller() -> None:
    assert _user(Info("unix:///x", 1, 1, rootless=True)) == "0:0"

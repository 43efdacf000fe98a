"""The local_docker flavor's declarations."""

from __future__ import annotations

from runner.orchestrators.base import Support
from runner.orchestrators.flavors.local_docker import LocalDockerOrchestrator
from runner.plan.deployment import DeployedStep


def test_an_engine_does_not_choose_accelerators_by_type() -> None:
    step = DeployedStep("a", "s:f", resources={"gpu_count": 1, "gpu_type": "t4"})
    (refusal,) = LocalDockerOrchestrator().refusals([step], "/")
    assert refusal.path == ("steps", "a", "resources", "gpu_type")


def test_it_is_not_remote_and_limits_what_the_engine_limits() -> None:
    can = LocalDockerOrchestrator.capabilities
    assert not LocalDockerOrchestrator.remote
    assert (can.cpu, can.shm, can.disk) == (Support.NATIVE, Support.NATIVE, Support.NO)

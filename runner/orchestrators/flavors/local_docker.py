"""The local_docker flavor: each step in a container of its own, on the Docker Engine of this machine."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

from pydantic import Field

from runner import integrations
from runner.checks import Check
from runner.orchestrators.base import Capabilities, Refusal, Support, Traits
from runner.orchestrators.fields import MaxParallel, Text
from runner.orchestrators.pending import PendingOrchestrator
from runner.plan.deployment import DeployedStep
from runner.spec.common import Spec

RunArgs = dict[Text, Any]


class LocalDockerSettings(Spec):
    """Each step is a container of its own on this machine."""

    max_parallel: MaxParallel = Field(1, description="How many containers run at a time.")
    run_args: RunArgs = Field(
        {}, description="Further arguments of the Docker SDK's containers.run, as in {privileged: true}."
    )
    docker_host: Annotated[str, Field(pattern="^(unix|tcp|ssh|npipe)://.+$")] | None = Field(
        None, description="The engine, as in unix:///var/run/docker.sock; what DOCKER_HOST says when left out."
    )
    network: Text | None = Field(None, description="The Docker network that containers join; the engine's default one.")


class LocalDockerStepSettings(Spec):
    """How one step's container is started."""

    run_args: RunArgs = Field(
        {}, description="Further arguments of the Docker SDK's containers.run, over those of the stack."
    )


class LocalDockerOrchestrator(PendingOrchestrator):
    """Runs each step in a container of its own on this machine; needs a Docker Engine."""

    flavor = "local_docker"
    Settings = LocalDockerSettings
    StepSettings = LocalDockerStepSettings
    traits = Traits("Docker Engine", "one machine", "free", "runner, docker ps")
    capabilities = Capabilities(
        schedule=Support.CONTROLLER,
        retry=Support.CONTROLLER,
        timeout=Support.CONTROLLER,  # the walk stops the container
        cpu=Support.NATIVE,
        memory=Support.NATIVE,
        gpu=Support.NATIVE,
        disk=Support.NO,  # a container's size is limited by few storage drivers, and not by the usual one
        shm=Support.NATIVE,
        parallel=Support.CONTROLLER,
        foreach=Support.CONTROLLER,
        when=Support.CONTROLLER,
        expand=Support.CONTROLLER,
        cancel=Support.CONTROLLER,
        logs=Support.NATIVE,
    )

    def refusals(self, steps: Iterable[DeployedStep], project: str) -> Iterator[Refusal]:
        """The engine hands out accelerators by number and does not know their types."""
        for step in steps:
            if "gpu_type" in step.resources:
                yield Refusal(
                    ("steps", step.name, "resources", "gpu_type"),
                    "cannot-honour",
                    f"step '{step.name}' sets gpu_type, and a Docker Engine does not choose accelerators by type",
                    "leave it out",
                )

    def checks(self, secret: Callable[[str], str]) -> Iterator[Check]:
        """The Docker Engine, and the package that talks to it."""
        from runner.docker_engine import engine_check  # not where stacks are only read

        yield integrations.sdk("docker")
        yield engine_check("engine", self.settings.docker_host, os.environ)

"""What a stack and a step may write about the local_docker flavor."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import InitErrorDetails

from runner.orchestrators.fields import MaxParallel, Text
from runner.orchestrators.flavors.local_docker.run_args import Wrong, wrong
from runner.spec.common import Spec, rule


def _checked(run_args: dict[str, Any]) -> dict[str, Any]:
    """The same; every argument that cannot be taken is a problem of its own."""
    if problems := [_problem(each, run_args) for each in wrong(run_args)]:
        raise ValidationError.from_exception_data("run_args", problems)
    return run_args


def _problem(each: Wrong, run_args: dict[str, Any]) -> InitErrorDetails:
    told = rule(each.code, each.message, each.help, "" if each.at_value else each.name)
    return InitErrorDetails(type=told, loc=(each.name,) if each.at_value else (), input=run_args[each.name])


RunArgs = Annotated[dict[Text, Any], AfterValidator(_checked)]


class LocalDockerSettings(Spec):
    """Each step is a container of its own on this machine."""

    max_parallel: MaxParallel = Field(1, description="How many containers run at a time.")
    run_args: RunArgs = Field(
        {}, description="Further arguments of the Docker SDK's containers.run, as in {privileged: true}."
    )
    docker_host: Annotated[str, Field(pattern="^(unix|tcp|ssh|npipe)://.+$")] | None = Field(
        None, description="The engine, as in unix:///var/run/docker.sock; what DOCKER_HOST says when left out."
    )
    network: Text | None = Field(
        None,
        description="The Docker network that containers join, or host for that of this machine; the engine's default "
        "one.",
    )


class LocalDockerStepSettings(Spec):
    """How one step's container is started."""

    run_args: RunArgs = Field(
        {}, description="Further arguments of the Docker SDK's containers.run, over those of the stack."
    )

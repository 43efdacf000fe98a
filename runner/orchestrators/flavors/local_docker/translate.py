"""From a container to the arguments of the Docker SDK's `containers.run`, as plain data. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from runner.orchestrators.base import Refusal
from runner.orchestrators.container import (
    Container,
    container_of,
    image_of,
    inherited,
    mark_of,
)
from runner.orchestrators.flavors.local_docker.run_args import INSTEAD
from runner.orchestrators.unreachable import on_this_machine
from runner.plan.deployment import DeployedStep, Deployment, StepJob

USER = "${user}"
"""Stands in what is compiled for the user and group of whoever starts the run."""
JOB = "${job}"
"""Stands there for the worker's job, whose inputs are known when the step starts."""
ANYBODYS = "/tmp"  # noqa: S108  (a home that whoever starts the run can write to in every image)
PARTS = 3  # of the worker's command, before its job: an interpreter, -m, runner.worker

RESOURCES = {
    "cpu_count": ("nano_cpus",),
    "memory": ("mem_limit", "memswap_limit"),
    "gpu_count": ("device_requests",),
    "shm": ("shm_size",),
}
"""A step's resource → the arguments that it becomes; equal limits of memory and of memory with swap: no swap."""

LEAST: Mapping[str, tuple[float, str]] = {"cpu_count": (0.01, "0.01"), "memory": (6 * 1024**2, "6MiB")}
"""What an engine refuses to go below."""


def documents(deployment: Deployment, run_args: Mapping[str, Any], network: str | None) -> dict[str, Any]:
    """What `compile` shows: step → arguments, with stand-ins for what is known when the step starts."""
    return {name: _shown(deployment, step, run_args, network) for name, step in deployment.steps.items()}


def arguments(
    container: Container,
    deployment: Deployment,
    step: DeployedStep,
    *,
    run_args: Mapping[str, Any],
    network: str | None,
    user: str,
) -> dict[str, Any]:
    """The arguments of one attempt. `run_args` are the stack's; `user` is who mounted folders are written as."""
    given = {**run_args, **step.settings.get("run_args", {})}
    mounts = mounted(deployment)
    found: dict[str, Any] = {
        "image": container.image,
        "entrypoint": list(container.command[:PARTS]),
        "command": list(container.command[PARTS:]),
        "name": container.name,
        "labels": _mapping(given.pop("labels", {})) | container.labels,
        "environment": container.environment | _mapping(given.pop("environment", {})),
        **_limits(step.resources),
        **_network(network),
        **_rights(given),
    }
    if mounts:
        found |= {"user": user, "volumes": _volumes(mounts, given.pop("volumes", {}))}
        found["environment"] = {"HOME": ANYBODYS} | found["environment"]
    return found | given


def mounted(deployment: Deployment) -> dict[str, str]:
    """The folders and files of this machine that the attempts of a run need: path → rw or ro. Each has the same path
    inside as outside."""
    found: dict[str, str] = {}
    if deployment.artifact_store.get("flavor", "local") == "local":
        found[deployment.artifact_store["path"]] = "rw"
    if deployment.secret_store.get("flavor") == "file":
        found[os.path.join(deployment.project, deployment.secret_store["path"])] = "ro"
    return found


def out_of_reach(
    components: Mapping[str, Mapping[str, Any]], network: str | None, run_args: Mapping[str, Any]
) -> Iterator[Refusal]:
    """The stores at an address that means this machine, and in a container the container itself."""
    if "host" in (network, run_args.get("network_mode")):
        return
    yield from on_this_machine(components, "container", "set `network: host` in the stack's orchestrator, or ")


def refusals(step: DeployedStep, run_args: Mapping[str, Any], network: str | None) -> Iterator[Refusal]:
    """What of one step contradicts itself."""
    path = ("steps", step.name)
    if "gpu_type" in step.resources:
        message = f"step '{step.name}' sets gpu_type, and a Docker Engine does not choose accelerators by type"
        yield Refusal((*path, "resources", "gpu_type"), "cannot-honour", message, "leave it out")
    for field, (least, words) in LEAST.items():
        if step.resources.get(field, least) < least:
            message = f"step '{step.name}' asks for less {field} than the {words} that a Docker Engine takes"
            yield Refusal((*path, "resources", field), "too-little", message, "ask for more")
    given = {**run_args, **step.settings.get("run_args", {})}
    for name, resource in INSTEAD.items():
        if name in given and resource in step.resources:
            message = f"step '{step.name}' sets {resource}, and run_args set {name}: one of the two would be dropped"
            yield Refusal((*path, "resources", resource), "said-twice", message, "leave one of them out")
    if network and "network_mode" in given:
        message = f"step '{step.name}' runs with run_args.network_mode, and the stack's orchestrator sets network"
        yield Refusal((*path, "settings", "local_docker", "run_args"), "said-twice", message, "leave one of them out")


def _shown(
    deployment: Deployment, step: DeployedStep, run_args: Mapping[str, Any], network: str | None
) -> dict[str, Any]:
    job = StepJob(deployment.run_id, step.name, 1, step.entrypoint, {}, {}, (), {}, {}, "")
    made = container_of(deployment, step, job, mark_of(deployment.run_id, deployment.artifact_store))
    made = made._replace(
        image=image_of(step) or "${image}",
        command=(*made.command[:PARTS], JOB),
        environment=made.environment | {name: f"${{env.{name}}}" for name in inherited(deployment, step)},
    )
    return arguments(made, deployment, step, run_args=run_args, network=network, user=USER)


def _limits(resources: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "cpu_count" in resources:
        found["nano_cpus"] = round(resources["cpu_count"] * 1_000_000_000)
    if "memory" in resources:
        found |= {"mem_limit": resources["memory"], "memswap_limit": resources["memory"]}
    if resources.get("gpu_count"):
        found["device_requests"] = [{"count": resources["gpu_count"], "capabilities": [["gpu"]]}]
    if "shm" in resources:
        found["shm_size"] = resources["shm"]
    return found


def _network(network: str | None) -> dict[str, str]:
    if network in ("host", "none"):
        return {"network_mode": network}
    return {"network": network} if network else {}


def _rights(given: Mapping[str, Any]) -> dict[str, Any]:
    """None beyond a plain process's, unless run_args say otherwise; what they say stands beside or over this."""
    if given.get("privileged"):
        return {}
    return {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}


def _volumes(mounts: Mapping[str, str], given: Any) -> Any:
    if isinstance(given, Mapping):
        return {path: {"bind": path, "mode": mode} for path, mode in mounts.items()} | dict(given)
    return [f"{path}:{path}:{mode}" for path, mode in mounts.items()] + list(given)


def _mapping(given: Any) -> dict[str, str]:
    """A mapping, or a list as in ["A=b", "C"], as a mapping of texts."""
    pairs = given.items() if isinstance(given, Mapping) else (str(each).partition("=")[::2] for each in given)
    return {str(name): str(value) for name, value in pairs}

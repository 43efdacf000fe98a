"""What of a step cannot be translated for a cluster, or is said twice. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runner.orchestrators.base import Refusal
from runner.orchestrators.flavors.kubernetes.names import collisions
from runner.orchestrators.flavors.kubernetes.pods import SHM, SHM_PATH, startup_timeout
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings
from runner.orchestrators.labels import VALUE
from runner.orchestrators.quantities import LARGEST, LONGEST, seconds
from runner.orchestrators.unreachable import kept_here, of_another_namespace
from runner.plan.deployment import DeployedStep
from runner.spec.common import format_duration

_SIZES = ("memory", "disk", "shm")
_ONE = "leave one of them out"


def of_steps(steps: Iterable[DeployedStep], settings: KubernetesSettings) -> Iterator[Refusal]:
    """What of these steps a cluster cannot be told."""
    steps = list(steps)
    for step in steps:
        yield from _resources(step)
        yield from _timeout(step, settings)
        yield from _twice(step, settings)
    yield from collisions(step.name for step in steps)


def of_secrets(
    steps: Iterable[DeployedStep], components: Mapping[str, Mapping[str, Any]], namespace: str
) -> Iterator[Refusal]:
    """Secrets that no pod can have from the stack's secret store."""
    yield from of_another_namespace(components, namespace)
    yield from kept_here(steps, components, "pod", "{flavor: kubernetes, secret: NAME}")


def _resources(step: DeployedStep) -> Iterator[Refusal]:
    resources = step.resources
    sizes = {name: resources.get(name) or 0 for name in _SIZES}
    for name, count in sizes.items():
        if count + (sizes["shm"] if name == "memory" else 0) > LARGEST:
            message = f"step '{step.name}' sets {name} to more than a quantity of Kubernetes can hold"
            yield Refusal(_path(step, name), "cannot-honour", message, "ask for less than 8EiB")
    kind = resources.get("gpu_type")
    if kind and not VALUE.fullmatch(kind):
        help = "it is looked up as a label of nodes: letters, digits, '-', '_' and '.', at most 63"
        message = f"step '{step.name}' sets gpu_type '{kind}', which cannot be the value of a label in Kubernetes"
        yield Refusal(_path(step, "gpu_type"), "bad-label", message, help)


def _timeout(step: DeployedStep, settings: KubernetesSettings) -> Iterator[Refusal]:
    if step.timeout is not None and seconds(step.timeout + startup_timeout(step, settings)) > LONGEST:
        longest = format_duration(LONGEST // 86400 * 86400.0)
        message = f"step '{step.name}' sets a timeout that Kubernetes cannot count: it does so in 32 bits"
        yield Refusal(
            ("steps", step.name, "timeout"), "cannot-honour", message, f"with startup_timeout, {longest} at most"
        )


def _twice(step: DeployedStep, settings: KubernetesSettings) -> Iterator[Refusal]:
    """What `pod` says beside what the step says."""
    pod = step.settings.get("pod") or {}
    container: Mapping[str, Any] = next(iter(pod.get("containers") or ()), {})
    limited = {"cpu": "cpu_count", "memory": "memory", "ephemeral-storage": "disk", settings.gpu_resource: "gpu_count"}
    for holder in (pod, container):
        for part, names in (holder.get("resources") or {}).items():
            for name in names if isinstance(names, Mapping) else ():
                resource = limited.get(name)
                if resource and step.resources.get(resource):
                    yield _said(step, ("resources", resource), resource, f"resources.{part}.{name}")
    for each in container.get("env") or ():
        if each["name"] in step.environment:
            yield _said(step, ("environment", each["name"]), each["name"], "env")
    mounts = [each["mountPath"].rstrip("/") for each in container.get("volumeMounts") or ()]
    volumes = [each["name"] for each in pod.get("volumes") or ()]
    if step.resources.get("shm") and (SHM_PATH in mounts or SHM in volumes):
        yield _said(step, ("resources", "shm"), "shm", f"a volume at {SHM_PATH}")
    selectors = {**(pod.get("nodeSelector") or {}), **step.settings.get("node_selectors", {})}
    if step.resources.get("gpu_type") and settings.gpu_type_label in selectors:
        yield _said(step, ("resources", "gpu_type"), "gpu_type", f"the label '{settings.gpu_type_label}' of nodes")


def _said(step: DeployedStep, path: tuple[str, ...], what: str, where: str) -> Refusal:
    message = f"step '{step.name}' sets {what}, and settings.kubernetes sets {where}: one of the two would be dropped"
    return Refusal(("steps", step.name, *path), "said-twice", message, _ONE)


def _path(step: DeployedStep, resource: str) -> tuple[str, ...]:
    return ("steps", step.name, "resources", resource)

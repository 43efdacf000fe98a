"""What of a step Kubeflow cannot honour, beyond what its capabilities tell. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runner.orchestrators.base import Refusal
from runner.orchestrators.fields import LABEL_VALUE
from runner.orchestrators.kfp import document
from runner.orchestrators.kfp.platform import SHM_PATH
from runner.orchestrators.labels import OURS
from runner.orchestrators.quantities import LARGEST
from runner.plan.deployment import DeployedStep
from runner.plan.secrets import REFERENCE

RETRYING = 30 * 86400
"""Seconds after its first attempt in which a task is tried again: Argo takes any number, and needs one."""


def of_steps(steps: Iterable[DeployedStep], gpu_type_label: str) -> Iterator[Refusal]:
    """Numbers and texts that its documents have no room for, and what is said twice."""
    steps = list(steps)
    yield from document.refusals(steps, RETRYING, whole=True)
    for step in steps:
        yield from _of_resources(step, gpu_type_label)
        yield from _of_volumes(step)
        yield from _of_facts(step)


def _of_facts(step: DeployedStep) -> Iterator[Refusal]:
    """Labels and annotations that runner sets, and those that no document can have."""
    for kind in ("labels", "annotations"):
        for name, text in step.settings.get(kind, {}).items():
            path = ("steps", step.name, "settings", "kubeflow", kind, name)
            if name.startswith(OURS):
                message = f"labels and annotations that begin with '{OURS}' are set by runner"
                yield Refusal(path, "set-by-runner", message, "take another prefix, as in example.com/team")
            if REFERENCE.search(text):
                message = f"step '{step.name}' sets the annotation '{name}' to what is known only when it runs"
                yield Refusal(path, "cannot-honour", message, "leave the reference out")


def _of_volumes(step: DeployedStep) -> Iterator[Refusal]:
    """Two things at one place: a cluster refuses the whole pod for it, once it is to start."""
    paths = [each["mount_path"].rstrip("/") or "/" for each in step.settings.get("volumes", ())]
    if step.resources.get("shm"):
        paths.insert(0, SHM_PATH)
    for path in sorted({path for path in paths if paths.count(path) > 1}):
        message = f"step '{step.name}' has two volumes at '{path}'"
        help = (
            "`shm` is one of them" if path == SHM_PATH and step.resources.get("shm") else "give each a place of its own"
        )
        yield Refusal(("steps", step.name, "settings", "kubeflow", "volumes"), "said-twice", message, help)


def _of_resources(step: DeployedStep, gpu_type_label: str) -> Iterator[Refusal]:
    path, resources = ("steps", step.name, "resources"), step.resources
    shm, kind = resources.get("shm") or 0, resources.get("gpu_type")
    for name, count in (("memory", (resources.get("memory") or 0) + shm), ("shm", shm)):
        if count > LARGEST:
            message = f"step '{step.name}' sets {name} to more than a quantity of Kubernetes can hold"
            yield Refusal((*path, name), "cannot-honour", message, "ask for less than 8EiB")
    if kind and not LABEL_VALUE.fullmatch(kind):
        help = "it is looked up as a label of nodes: letters, digits, '-', '_' and '.', at most 63"
        message = f"step '{step.name}' sets gpu_type '{kind}', which cannot be the value of a label in Kubernetes"
        yield Refusal((*path, "gpu_type"), "bad-label", message, help)
    if kind and not resources.get("gpu_count"):
        message = f"step '{step.name}' sets gpu_type without gpu_count, and would wait for such a node without using it"
        yield Refusal(
            (*path, "gpu_type"), "missing-gpu-count", message, "add gpu_count, as in 1; or leave gpu_type out"
        )
    if kind and gpu_type_label in step.settings.get("node_selectors", {}):
        message = f"step '{step.name}' sets gpu_type beside node_selectors, which set the label '{gpu_type_label}'"
        yield Refusal((*path, "gpu_type"), "said-twice", message, "leave one of them out")

"""What Vertex' machines cannot give to a step. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from runner.errors import nearest
from runner.orchestrators.base import Refusal
from runner.plan.deployment import DeployedStep
from runner.spec.common import format_memory

MOST_CPUS, MOST_MEMORY = 96, 624 * 10**9
"""What a task may ask for: https://cloud.google.com/vertex-ai/docs/pipelines/machine-types.

There are larger machines; a task gets the nearest to what it asks for, out of those within these bounds.
"""
ACCELERATORS = (
    "NVIDIA_TESLA_P4",
    "NVIDIA_TESLA_P100",
    "NVIDIA_TESLA_T4",
    "NVIDIA_TESLA_V100",
    "NVIDIA_TESLA_A100",
    "NVIDIA_A100_80GB",
    "NVIDIA_L4",
    "NVIDIA_H100_80GB",
    "NVIDIA_H100_MEGA_80GB",
    "NVIDIA_H200_141GB",
    "NVIDIA_B200",
    "NVIDIA_GB200",
    "NVIDIA_RTX_PRO_6000",
    "TPU_V2",
    "TPU_V3",
    "TPU_V4_POD",
    "TPU_V5_LITEPOD",
)
"""AcceleratorType of https://cloud.google.com/vertex-ai/docs/reference/rest/v1/MachineSpec, to guess what was meant.

Which ones there are changes, and is another matter in each region. So is how many of a type a machine can have: the
documentation of pipelines says "a positive integer", and Vertex itself says the rest.
"""
_ACCELERATOR = re.compile("(NVIDIA|TPU)_[A-Z0-9_]+")


def refusals(steps: Iterable[DeployedStep]) -> Iterator[Refusal]:
    """Processors, memory and accelerators that no machine has."""
    for step in steps:
        yield from _of_machine(step)
        yield from _of_accelerator(step)


def _of_machine(step: DeployedStep) -> Iterator[Refusal]:
    for name, most, told in (
        ("cpu_count", MOST_CPUS, f"{MOST_CPUS} processors"),
        ("memory", MOST_MEMORY, format_memory(MOST_MEMORY)),
    ):
        if (step.resources.get(name) or 0) > most:
            message = f"step '{step.name}' sets {name} to more than the {told} that a task of Vertex can have"
            yield Refusal(("steps", step.name, "resources", name), "cannot-honour", message, "ask for less")


def _of_accelerator(step: DeployedStep) -> Iterator[Refusal]:
    kind, path = step.resources.get("gpu_type"), ("steps", step.name, "resources")
    if step.resources.get("gpu_count") and not kind:
        message = f"step '{step.name}' sets gpu_count without gpu_type, and Vertex gives accelerators by their type"
        yield Refusal((*path, "gpu_count"), "missing-gpu-type", message, "add gpu_type, as in NVIDIA_TESLA_T4")
    elif kind and not _ACCELERATOR.fullmatch(kind):
        near = _nearest(re.sub("[^A-Z0-9]+", "_", kind.upper()))
        help = f"did you mean '{near}'?" if near else f"as in {', '.join(ACCELERATORS)}"
        message = f"step '{step.name}' sets gpu_type '{kind}', and Vertex has no accelerator of such a name"
        yield Refusal((*path, "gpu_type"), "bad-gpu-type", message, help)
    elif kind and not step.resources.get("gpu_count"):
        message = f"step '{step.name}' sets gpu_type without gpu_count, and Vertex gives accelerators by their number"
        yield Refusal((*path, "gpu_type"), "missing-gpu-count", message, "add gpu_count, as in 1")


def _nearest(kind: str) -> str | None:
    """The name that was meant, also by its last part alone: `T4`, `A100`."""
    ends = [name for name in ACCELERATORS if name.endswith(f"_{kind}")]
    return ends[0] if ends else nearest(kind, ACCELERATORS)

"""What a step needs of the machine it runs on."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

from typing import Annotated, Literal

from pydantic import Field

from runner.spec.common import Integer, Memory, Name, Spec


class Resources(Spec):
    """What a step needs. What is left out is not limited."""

    cpu_count: Annotated[float, Field(gt=0, le=100_000)] | None = Field(
        None, description="Processors; 0.5 is half of one."
    )
    memory: Memory | None = Field(
        None, description="Memory, as in 512MiB or 8GB; the attempt fails when it takes more."
    )
    gpu_count: Annotated[Integer, Field(ge=0, le=10_000)] | None = Field(None, description="Accelerators.")
    gpu_type: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="The accelerator's type, in the engine's own words."
    )
    disk: Memory | None = Field(None, description="Scratch space on disk.")
    shm: Memory | None = Field(None, description="Size of /dev/shm.")


class ResourcesDocument(Resources):
    """A named set of resources, `kind: resources`."""

    kind: Literal["resources"] = Field(description="What this document declares.")
    name: Name = Field(description="The name that steps say in `resources:`.")

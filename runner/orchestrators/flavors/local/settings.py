"""What a stack and a step may write about the local flavor."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from runner.spec.common import Integer, Spec


class LocalSettings(Spec):
    """Steps run on this machine, each in a process of its own."""

    max_parallel: Annotated[Integer, Field(ge=1, le=10_000)] = Field(1, description="How many steps run at a time.")
    isolation: Literal["process", "none"] = Field(
        "process",
        description="process: a forked process for each attempt. none: in one long-lived process, for many tiny steps.",
    )


class LocalStepSettings(Spec):
    """How one step runs on this machine."""

    environment: Literal["current", "venv"] = Field(
        "current",
        description="current: the interpreter that runs `runner`. venv: an own virtual environment, made from "
        "`settings.image.requirements` and kept for the next time.",
    )

"""The values of a plan's steps, and where each was set: one line for all steps that have it from the same place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.plan.deployment import DeployedStep
from runner.plan.plan import Plan
from runner.report.words import table
from runner.spec.common import format_duration, format_memory

Origins = Mapping[str, Mapping[str, str]]
"""Step → value, as `resources.memory` → file, line and column; or `default` for what nobody set."""
NONE: Origins = {}
_FEW = 3  # steps that are named rather than counted
_MEMORY = ("resources.memory", "resources.disk", "resources.shm")
_DURATIONS = ("timeout", "retry.delay", "retry.max_delay")


def origins_text(plan: Plan, origins: Origins, width: int) -> str:
    """A table of values, in the order in which a step has them."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for planned in plan.steps:
        for path, place in origins.get(planned.step.name, {}).items():
            if place != "default":
                groups.setdefault((path, _shown(path, planned.step), place), []).append(planned.step.name)
    order = list(dict.fromkeys(path for path, _, _ in groups))
    count = len(plan.steps)
    rows = [
        (path, value, _steps(groups[path, value, place], count), place)
        for path, value, place in sorted(groups, key=lambda key: order.index(key[0]))
    ]
    return table(("value", "is", "of", "set at"), rows, width=width, gives_way=("is", "of"))


def _shown(path: str, step: DeployedStep) -> str:
    part, _, field = path.partition(".")
    holder: Any = step.image if path.startswith("settings.image.") else getattr(step, part)
    value = holder[path.rpartition(".")[2]] if field else holder
    if path in _MEMORY:
        return format_memory(value)
    return format_duration(value) if path in _DURATIONS else _plain(value)


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _steps(names: list[str], count: int) -> str:
    if len(names) == count and count > 1:
        return "all steps"
    return ", ".join(names) if len(names) <= _FEW else f"{len(names):,} steps"

"""One pipeline on all flavors: a column a flavor, a row a setting, and what is refused where."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from runner.errors import Problem
from runner.report.words import counted, table
from runner.spec.common import format_duration, format_memory

LEGEND = """\
each flavor with its default settings
  native  the engine itself does it
  worker  runner does it in the step's own process
  runner  runner does it, walking the steps
  yes     honoured
  no      refused
  -       a setting of another flavor, without meaning here"""
_NAMED = 3  # steps of a group that are named; of more, the first ones and how many
_SIZES = ("memory", "disk", "shm")


class RowLike(Protocol):
    """A setting of some steps, `("resources", "memory")`, its value, and a cell for each flavor."""

    @property
    def steps(self) -> tuple[str, ...]: ...
    @property
    def setting(self) -> tuple[str, ...]: ...
    @property
    def value(self) -> Any: ...
    @property
    def cells(self) -> tuple[str, ...]: ...


def portability_text(
    pipeline: str,
    flavors: Sequence[str],
    rows: Sequence[RowLike],
    steps: Sequence[str],
    refused: Mapping[str, Sequence[Problem]],
) -> str:
    """The table, then what each flavor refuses with its position, and last which flavors refuse nothing."""
    able = [flavor for flavor in flavors if not refused.get(flavor)]
    closing = f"flavors that honour all of '{pipeline}': {', '.join(able) or 'none'}"
    if not rows:
        return f"pipeline '{pipeline}' sets nothing that flavors differ in\n\n{closing}"
    head = ("setting", *flavors)
    parts = [table(head, _lines(rows, steps, len(flavors)), width=1_000), LEGEND]
    if told := list(_refusals(refused)):
        parts.append("\n".join(["refused", *told]))
    return "\n\n".join([*parts, closing])


def portability_json(
    pipeline: str,
    flavors: Sequence[str],
    rows: Sequence[RowLike],
    steps: Sequence[str],
    refused: Mapping[str, Sequence[Problem]],
) -> str:
    """The same for a program: rows of `steps`, `setting`, `value`, `flavors`, and the refusals of each flavor."""
    facts = {
        "pipeline": pipeline,
        "settings": [
            {
                "steps": list(row.steps),
                "setting": ".".join(row.setting),
                "value": row.value,
                "flavors": dict(zip(flavors, row.cells, strict=True)),
            }
            for row in rows
        ],
        "refused": {flavor: [_facts(problem) for problem in refused.get(flavor, ())] for flavor in flavors},
    }
    return json.dumps(facts, indent=2, ensure_ascii=False, default=str)


def _lines(rows: Sequence[RowLike], steps: Sequence[str], count: int) -> Iterator[tuple[str, ...]]:
    """The rows under the names of their steps; what holds for all steps comes first."""
    groups: dict[tuple[str, ...], list[RowLike]] = {}
    for row in sorted(rows, key=lambda row: len(row.steps) < len(steps)):
        groups.setdefault(row.steps, []).append(row)
    for names, members in groups.items():
        yield ("all steps" if len(names) == len(steps) else _named(names), *[""] * count)
        for row in members:
            yield (f"  {_setting(row)}", *row.cells)


def _named(names: Sequence[str]) -> str:
    if len(names) <= _NAMED:
        return ", ".join(names)
    return f"{', '.join(names[: _NAMED - 1])} and {counted(len(names) - _NAMED + 1, 'more step')}"


def _setting(row: RowLike) -> str:
    """`memory 8GB`, `image.apt`: settings in a form that leaves room for the flavors."""
    if row.setting[0] == "settings":
        return ".".join(row.setting[1:])
    return f"{row.setting[-1]} {_value(row.setting[-1], row.value)}"


def _value(name: str, value: Any) -> str:
    if name in _SIZES:
        return format_memory(value)
    if name == "timeout":
        return format_duration(value)
    if name == "retry":
        return counted(value["max_retries"], "time")
    return f"{value:g}" if isinstance(value, float) else str(value)


def _refusals(refused: Mapping[str, Sequence[Problem]]) -> Iterator[str]:
    for problems in refused.values():
        yield from (f"  {problem.position}: {problem.message}" for problem in problems)


def _facts(problem: Problem) -> dict[str, Any]:
    file, line, column, _ = problem.position
    return {
        "file": file,
        "line": line,
        "column": column,
        "code": problem.code,
        "message": problem.message,
        "help": problem.help,
    }

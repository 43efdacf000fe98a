"""A plan to look at: as a table, as JSON, and as a graph in Mermaid's and in Graphviz's language."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from runner.plan.plan import CACHED, REUSED, RUN, UNKNOWN, Plan, PlannedStep, plan_to_json
from runner.spec import OUTPUT
from runner.spec.common import format_duration, format_memory

WIDTH = 100
_LEAST = 20
_WORDS = {RUN: "run", CACHED: "cached", UNKNOWN: "depends", REUSED: "reused"}
_COUNTED = {RUN: "to run", CACHED: "cached", UNKNOWN: "depends", REUSED: "reused"}
_COLORS = {RUN: "#d6e8ff", CACHED: "#dff5dd", UNKNOWN: "#fff3cd", REUSED: "#e8e8e8"}


def plan_text(plan: Plan) -> str:
    """A table of the steps, at most WIDTH columns wide where names allow it, without columns that would be empty."""
    columns: dict[str, Callable[[PlannedStep], str]] = {
        "wave": lambda planned: str(planned.wave) if planned.wave else "-",
        "step": lambda planned: planned.step.name,
        "action": lambda planned: _WORDS[planned.action],
        "why": lambda planned: planned.reason,
        "resources": lambda planned: resources_text(planned.step.resources),
        "retries": lambda planned: _retry_text(planned.step.retry),
        "timeout": lambda planned: "" if planned.step.timeout is None else format_duration(planned.step.timeout),
    }
    cells = {title: [cell(planned) for planned in plan.steps] for title, cell in columns.items()}
    shown = {title: values for title, values in cells.items() if any(values)}
    table = [*_table(shown, wrapped="why"), ""] if shown else []
    return "\n".join([f"{plan.pipeline} on stack {plan.stack} ({plan.flavor})", "", *table, _closing(plan), ""])


def plan_json(plan: Plan) -> str:
    """The whole plan as one JSON document."""
    return json.dumps(plan_to_json(plan), indent=2, default=str) + "\n"


def plan_mermaid(plan: Plan) -> str:
    """A Mermaid flowchart. Nodes are numbered, so that any name will do; dotted arrows hand nothing over."""
    ids = _ids(plan)
    lines = ["flowchart LR"]
    for planned in plan.steps:
        label = f"{_mermaid(planned.step.name)}<br/>{_WORDS[planned.action]}"
        lines.append(f'  {ids[planned.step.name]}["{label}"]:::{planned.action}')
    for source, target, outputs in _edges(plan):
        handed = f'-->|"{_mermaid(outputs)}"|' if outputs else "-->"
        lines.append(f"  {ids[source]} {'-.->' if outputs is None else handed} {ids[target]}")
    lines += [f"  classDef {action} fill:{color},stroke:#666,color:#111" for action, color in _COLORS.items()]
    return "\n".join([*lines, ""])


def plan_dot(plan: Plan) -> str:
    """A Graphviz digraph; dashed arrows hand nothing over."""
    ids = _ids(plan)
    lines = [f"digraph {_dot(plan.pipeline)} {{", "  rankdir=LR;", "  node [shape=box, style=filled];"]
    for planned in plan.steps:
        label = _dot(f"{planned.step.name}\n{_WORDS[planned.action]}")
        lines.append(f'  {ids[planned.step.name]} [label={label}, fillcolor="{_COLORS[planned.action]}"];')
    for source, target, outputs in _edges(plan):
        handed = f" [label={_dot(outputs)}]" if outputs else ""
        lines.append(f"  {ids[source]} -> {ids[target]}{' [style=dashed]' if outputs is None else handed};")
    return "\n".join([*lines, "}", ""])


def resources_text(resources: Mapping[str, Any]) -> str:
    """What a step needs, in few words: `2 cpu, 8GB, 1 gpu a100`."""
    words = []
    if "cpu_count" in resources:
        words.append(f"{resources['cpu_count']:g} cpu")
    if "memory" in resources:
        words.append(format_memory(resources["memory"]))
    if "gpu_count" in resources or "gpu_type" in resources:
        words.append(
            " ".join(str(part) for part in (resources.get("gpu_count"), "gpu", resources.get("gpu_type")) if part)
        )
    words += [f"{format_memory(resources[name])} {name}" for name in ("disk", "shm") if name in resources]
    return ", ".join(words)


def _retry_text(retry: Mapping[str, Any] | None) -> str:
    if not retry:
        return ""
    wait = f" after {format_duration(retry['delay'])}" if retry["max_retries"] and retry["delay"] else ""
    return f"{retry['max_retries']}{wait}"


def _table(cells: Mapping[str, list[str]], wrapped: str) -> Iterator[str]:
    """The lines of a table; the column `wrapped` gives way, down to _LEAST, when the others need the room."""
    widths = {title: max(len(title), *map(len, values)) for title, values in cells.items()}
    if wrapped in widths:
        others = sum(widths.values()) - widths[wrapped] + 2 * (len(widths) - 1)
        widths[wrapped] = min(widths[wrapped], max(WIDTH - others, _LEAST))
    for row in (tuple(cells), *zip(*cells.values(), strict=True)):
        pieces = [_pieces(text, width) for text, width in zip(row, widths.values(), strict=True)]
        for line in zip_longest(*pieces, fillvalue=""):
            yield "  ".join(text.ljust(width) for text, width in zip(line, widths.values(), strict=True)).rstrip()


def _pieces(text: str, width: int) -> list[str]:
    return [text] if len(text) <= width else textwrap.wrap(text, width)


def _closing(plan: Plan) -> str:
    number = len(plan.steps)
    counts = ", ".join(f"{count} {_COUNTED[action]}" for action, count in plan.counts.items() if count)
    text = f"{number} step{'' if number == 1 else 's'}: {counts or 'nothing to run'}"
    return f"{text}; {len(plan.left_out)} not selected" if plan.left_out else text


def _ids(plan: Plan) -> dict[str, str]:
    return {planned.step.name: f"n{number}" for number, planned in enumerate(plan.steps, 1)}


def _edges(plan: Plan) -> Iterator[tuple[str, str, str | None]]:
    """From, to, and the named outputs that are handed over; None when nothing is."""
    there = {planned.step.name for planned in plan.steps}
    for planned in plan.steps:
        handed: dict[str, list[str]] = {}
        for source, output in planned.step.inputs.values():
            handed.setdefault(source, []).append(output)
        for source in planned.step.upstream:
            if source in there:
                outputs = dict.fromkeys(output for output in handed.get(source, ()) if output != OUTPUT)
                yield source, planned.step.name, ", ".join(outputs) if source in handed else None


def _mermaid(text: str) -> str:
    # Mermaid writes characters as #code; where its own syntax or HTML would read them.
    return "".join(char if char.isalnum() or char in " _-.," else f"#{ord(char)};" for char in text)


def _dot(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'

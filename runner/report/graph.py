"""A plan to look at: as a table, as JSON, and as a graph in Mermaid's and in Graphviz's language."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from runner.plan.plan import CACHED, REUSED, RUN, UNKNOWN, Plan, PlannedStep, plan_to_json
from runner.report.images import images_text
from runner.report.origins import NONE, Origins, origins_text
from runner.report.words import WIDTH, table
from runner.spec import OUTPUT
from runner.spec.common import format_duration, format_memory

Images = Sequence[Mapping[str, Any]] | None
_WORDS = {RUN: "run", CACHED: "cached", UNKNOWN: "depends", REUSED: "reused"}
_COUNTED = {RUN: "to run", CACHED: "cached", REUSED: "reused"}
_COLORS = {RUN: "#d6e8ff", CACHED: "#dff5dd", UNKNOWN: "#fff3cd", REUSED: "#e8e8e8"}


def plan_text(plan: Plan, width: int = WIDTH, origins: Origins = NONE, images: Images = None) -> str:
    """A table of the steps, at most `width` columns wide where that can be, without columns that would be empty; one
    of their values, each with the file and line that set it; and one of the images that they run in."""
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
    rows = zip(*shown.values(), strict=True)
    steps = [table(tuple(shown), rows, width=width, gives_way=("why", "resources", "step")), ""] if shown else []
    values = [origins_text(plan, origins, width), ""] if any(origins.values()) else []
    built = [images_text(images, width), ""] if images else []
    head = f"{plan.pipeline} on stack {plan.stack} ({plan.flavor})"
    return "\n".join([head, "", *steps, *values, *built, _closing(plan), ""])


def plan_json(plan: Plan, origins: Origins = NONE, images: Images = None) -> str:
    """The whole plan as one JSON document; `set_at` has the file and line that set each value. `images` are those that
    steps run in, as far as the flavor has them."""
    facts = plan_to_json(plan)
    for step in facts["steps"]:
        step["set_at"] = origins.get(step["name"], {})
    if images is not None:
        facts["images"] = images
    return json.dumps(facts, indent=2, default=str) + "\n"


def plan_mermaid(plan: Plan, origins: Origins = NONE) -> str:
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


def plan_dot(plan: Plan, origins: Origins = NONE) -> str:
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
    if not (retry["max_retries"] and retry["delay"]):
        return str(retry["max_retries"])
    grows = retry["max_retries"] > 1 and retry.get("backoff", 1) != 1
    longer = f", ×{retry['backoff']:g}" if grows else ""
    return f"{retry['max_retries']} after {format_duration(retry['delay'])}{longer}"


def _closing(plan: Plan) -> str:
    number = len(plan.steps)
    counts = ", ".join(f"{count} {_counted(action, count)}" for action, count in plan.counts.items() if count)
    text = f"{number} step{'' if number == 1 else 's'}: {counts or 'nothing to run'}"
    return f"{text}; {len(plan.left_out)} not selected" if plan.left_out else text


def _counted(action: str, count: int) -> str:
    if action == UNKNOWN:
        return f"that depend{'s' if count == 1 else ''} on what runs"
    return _COUNTED[action]


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

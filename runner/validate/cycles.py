"""Steps that need each other in a circle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from runner.document.node import Document
from runner.errors import Problem
from runner.spec.pipeline import StepSpec

Path = tuple[str | int, ...]

# A longer circle is told by its ends: nobody reads a line of ten thousand names.
LONGEST_PATH = 60


def cycles(steps: Mapping[str, StepSpec], document: Document) -> Iterator[Problem]:
    """One problem for each edge that closes a circle; without those edges there would be none.

    A walk in depth with its own stack: chains may be longer than Python's.
    """
    edges = {name: _needs(name, step, steps) for name, step in steps.items()}
    depth: dict[str, int] = {}  # where a step stands on the path; -1 when it is done with
    for start in steps:
        if start in depth:
            continue
        path, todo = [start], [iter(edges[start])]
        depth[start] = 0
        while todo:
            needed = next(todo[-1], None)
            if needed is None:
                todo.pop()
                depth[path.pop()] = -1
            elif needed not in depth:
                depth[needed] = len(path)
                path.append(needed)
                todo.append(iter(edges[needed]))
            elif depth[needed] >= 0:
                yield _cycle(path, depth[needed], edges[path[-1]][needed], document)


def _needs(name: str, step: StepSpec, steps: Mapping[str, StepSpec]) -> dict[str, Path]:
    """The steps that this one needs, each with the place that says so; without itself, which is told elsewhere."""
    needs: dict[str, Path] = {}
    for index, upstream in enumerate(step.after):
        if upstream in steps and upstream != name:
            needs[upstream] = ("steps", name, "after", index)
    for argument, reference in step.inputs.items():
        upstream = reference.partition(".")[0]
        if upstream in steps and upstream != name:
            needs[upstream] = ("steps", name, "inputs", argument)
    return needs


def _cycle(path: Sequence[str], first: int, at: Path, document: Document) -> Problem:
    """`path[first:]` need each the next, and the last one needs the first. Told as work flows: what is needed first."""
    length = len(path) - first
    if length <= LONGEST_PATH:
        names = [path[first], *reversed(path[first:])]
    else:
        half = LONGEST_PATH // 2
        left_out = f"… {length - 2 * half} more …"
        names = [path[first], *reversed(path[-half:]), left_out, *reversed(path[first : first + half])]
    message = f"steps need each other in a circle: '{path[-1]}' needs '{path[first]}', which cannot start before it"
    help = f"{' → '.join(names)}: each is needed by the next; take one of them out of the circle"
    return Problem(document.position(at), "cycle", message, help)

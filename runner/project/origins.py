"""Where a value of a step was set: in the step, its pipeline, the resources that one names, or the stack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from runner.document.node import Document
from runner.errors import Position
from runner.project.pipelines import Pipeline
from runner.project.stacks import Stack, services_of
from runner.spec.pipeline import IMAGE_DIGESTS
from runner.spec.stack import COMPONENT_KINDS

if TYPE_CHECKING:
    from runner.plan.deployment import DeployedStep

BUILT_IN = "default"
"""What is told of a value that nobody set."""


def locate(pipeline: Pipeline, path: Sequence[str | int], stack: Stack | None = None) -> Position:
    """Where the value of a step at this path was set, else the step. `path` is ("steps", "fit", "resources"), or leads
    to a component's value in the stack: ("orchestrator", "network")."""
    if path[0] in COMPONENT_KINDS and stack is not None and stack.places:
        return stack.places[0].position(path)
    return _origin(pipeline, stack, path) or pipeline.document.position(path, key=True)


def origins(pipeline: Pipeline, stack: Stack, step: DeployedStep) -> dict[str, str]:
    """For each value of a step that can be set at several places, `resources.memory`: file, line and column."""
    found = {}
    for path in _values(step):
        position = _origin(pipeline, stack, ("steps", step.name, *path))
        found[".".join(path)] = str(position) if position else BUILT_IN
    return found


def places(pipeline: Pipeline, stack: Stack) -> dict[str, str]:
    """The texts that these positions stand in, file → text."""
    named = [document for _, document in pipeline.resources.values()]
    return {document.file: document.text for document in (*named, *stack.places, pipeline.document)}


def _values(step: DeployedStep) -> Iterator[tuple[str, ...]]:
    yield from (("resources", field) for field in step.resources)
    yield from (("retry", field) for field in step.retry or ())
    if step.timeout is not None:
        yield ("timeout",)
    yield from (("environment", name) for name in step.environment)
    yield from (("settings", "image", field) for field in step.image if field not in IMAGE_DIGESTS)


def _origin(pipeline: Pipeline, stack: Stack | None, path: Sequence[str | int]) -> Position | None:
    own, rest = pipeline.document, tuple(path[2:])
    named = {name: document for name, (_, document) in pipeline.resources.items()}
    for place in (tuple(path), ("defaults", *rest), rest):
        if rest and (found := _at(own, place, rest, named)):
            return found
    if stack is None or not stack.places or not rest:
        return None
    document = stack.places[0]
    if rest[0] == "environment" and rest[-1] in services_of(stack, "") and not document.node.has(("defaults", *rest)):
        return document.position(("experiment_tracker",))
    return _at(document, ("defaults", *rest), rest, {each.name or "": each for each in stack.places[1:]})


def _at(
    document: Document, place: tuple[str | int, ...], rest: tuple[str | int, ...], named: dict[str, Document]
) -> Position | None:
    if document.node.has(place):
        return document.position(place)
    if rest[0] == "resources" and len(rest) > 1:
        value = document.node.at(place[:-1]).value if document.node.has(place[:-1]) else None
        if isinstance(value, str) and value in named and named[value].node.has(rest[1:]):
            return named[value].position(rest[1:])
    return None

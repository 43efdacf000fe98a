"""Which parameters of a pipeline may get their values when a run starts: those that nothing is planned by."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from runner.document.node import Node
from runner.project.declared import FIXED
from runner.project.pipelines import Pipeline

_REFERENCE = re.compile(r"(?<!\$)\$\{\s*parameters\.([A-Za-z_][A-Za-z0-9_]*)\s*\}")
_Path = tuple[str, ...]


def runtime_parameters(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    """Name → {"type": JSON type, "arguments": [[step, argument], …]}, see `Deployment.runtime`.

    These are the parameters of a declared type that are only ever the whole value of a step's parameter. One that
    stands in a resource, an image, an environment or within a longer text has had its part in the plan.
    """
    if pipeline.written is None:
        return {}
    whole: dict[str, list[list[str]]] = {}
    planned: set[str] = set()
    for path, text in _texts(pipeline.written.node):
        found = _REFERENCE.fullmatch(text)
        if found and len(path) == 4 and (path[0], path[2]) == ("steps", "parameters"):
            whole.setdefault(found[1], []).append([path[1], path[3]])
        else:
            planned.update(_REFERENCE.findall(text))
    return {
        name: {"type": parameter.type, "arguments": whole[name]}
        for name, parameter in pipeline.spec.parameters.items()
        if name in whole and name not in planned and parameter.type not in (None, "null")
    }


def _texts(node: Node, path: _Path = ()) -> Iterator[tuple[_Path, str]]:
    """The strings in which a reference may stand, each with its path; where a list is passed through it has a gap."""
    value = node.value
    if isinstance(value, str):
        if "${" in value:
            yield path, value
    elif isinstance(value, dict):
        for key, member in value.items():
            if path or key not in ("parameters", *FIXED):
                yield from _texts(member, (*path, str(key)))
    elif isinstance(value, list):
        for element in value:
            yield from _texts(element, (*path, "[]"))

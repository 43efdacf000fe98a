"""The values of a pipeline's parameters, as they stand on a command line: `-p K=V` and `--params-file F`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runner.document.node import Node
from runner.document.read import read_nodes, text_of
from runner.engine.prepare import Request
from runner.errors import InvalidDocuments, UsageError
from runner.validate.parameters import RawText


def parameters(pairs: Sequence[str], file: Path | None) -> dict[str, Any]:
    """The file's values, then those of `-p`, which are still text: the pipeline says of what type they are."""
    return (_from_file(file) if file else {}) | dict(_pair(pair) for pair in pairs)


def request(
    pipeline: Path,
    stack: str | None,
    params: Sequence[str],
    params_file: Path | None,
    only: tuple[str, ...],
    from_: tuple[str, ...],
    to: tuple[str, ...],
    no_cache: bool,
) -> Request:
    """The engine's request that these options make."""
    given = parameters(params, params_file)
    return Request(pipeline, stack, given, only=only, from_=from_, to=to, use_cache=not no_cache)


def as_arguments(
    stack: str | None,
    params: Sequence[str],
    params_file: Path | None,
    only: tuple[str, ...],
    from_: tuple[str, ...],
    to: tuple[str, ...],
    no_cache: bool,
) -> list[str]:
    """The same options as a command line, for a process of its own."""
    named = {
        "--stack": [stack] if stack else [],
        "--param": params,
        "--params-file": [str(params_file)] if params_file else [],
    }
    named |= {"--only": only, "--from": from_, "--to": to}
    given = [f"{option}={value}" for option, values in named.items() for value in values]
    return given + ["--no-cache"] * no_cache


def _pair(pair: str) -> tuple[str, RawText]:
    name, sign, value = pair.partition("=")
    if not sign or not name.strip():
        raise UsageError(f"'{pair}' is not a parameter", "write its name and its value: -p test_size=0.5")
    return name.strip(), RawText(value)


def _from_file(file: Path) -> dict[str, Any]:
    text, problems = text_of(file)
    nodes: list[Node] = []
    if text is not None:
        nodes, problems = read_nodes(text, str(file))
    if problems:
        raise InvalidDocuments(problems, {} if text is None else {str(file): text})
    values = nodes[0].plain() if len(nodes) == 1 else None
    if not isinstance(values, dict):
        raise UsageError(f"'{file}' does not hold one mapping", "write each parameter as `name: value`")
    return values

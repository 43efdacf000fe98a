"""`${parameters.x}` and `${env.NAME}` in a document's strings → their values; positions are kept.

`${secrets.NAME}` and `${run.id}` stay as they are: the worker resolves them. `$${` is a literal `${`. Before one of
those two the escape stays as well, so that the worker does not take it for a reference: whoever resolves finds
references with DEFERRED, and of several `$` before one takes off the first and leaves the rest as text. For the same
reason a `$` is put before a reference that comes in with a value.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Collection, Mapping
from typing import Any

from runner.document.node import UNKNOWN, Document, Node, planted
from runner.errors import Position, Problem, nearest

DEFERRED = re.compile(r"(?P<dollars>\$+)\{(?P<reference>secrets\.[A-Za-z_][A-Za-z0-9_]*|run\.id)\}")
"""A reference that is resolved where the step runs: with one `$` it is replaced, with more it loses one and is text."""

_OPENING = re.compile(r"(?P<dollars>\$+)\{(?P<inside>[^{}\n]*)(?P<closing>\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORMS = "known: ${parameters.NAME}, ${env.NAME}, ${secrets.NAME}, ${run.id}"


def interpolate(
    document: Document,
    parameters: Mapping[str, Any],
    declared: Collection[str],
    env: Mapping[str, str],
    *,
    skip: Collection[str] = ("parameters",),
) -> tuple[Document, list[Problem]]:
    """The document with its parameters and environment variables filled in, and what is undefined or malformed.

    A string that is one reference takes the parameter's own type. One that depends on a declared parameter without a
    value becomes UNKNOWN. The top-level keys in `skip` are left alone.
    """
    if "${" not in document.text and "\\" not in document.text:
        return document, []
    filling = _Filling(document, parameters, declared, env)
    members = document.node.value
    assert isinstance(members, dict)
    filled = {key: node if key in skip else filling.node(node) for key, node in members.items()}
    root = document.node
    return document._replace(node=Node(filled, root.line, root.column, root.width, root.key)), filling.problems


class _Filling:
    """What is filled in for one document, and the problems met on the way."""

    def __init__(
        self, document: Document, parameters: Mapping[str, Any], declared: Collection[str], env: Mapping[str, str]
    ) -> None:
        self.document = document
        self.parameters = parameters
        self.declared = declared
        self.env = env
        self.problems: list[Problem] = []
        self._starts: list[int] = []

    def node(self, node: Node) -> Node:
        """The node itself when nothing in it is to be filled in."""
        value = node.value
        if type(value) is str:
            return self.string(node, value) if "${" in value else node
        if type(value) is dict:
            members = {key: self.node(member) for key, member in value.items()}
            if all(members[key] is member for key, member in value.items()):
                return node
            return Node(members, node.line, node.column, node.width, node.key)
        if type(value) is list:
            elements = [self.node(element) for element in value]
            if all(new is old for new, old in zip(elements, value, strict=True)):
                return node
            return Node(elements, node.line, node.column, node.width, node.key)
        return node

    def string(self, node: Node, text: str) -> Node:
        parts: list[Any] = []
        end = 0
        for found in _OPENING.finditer(text):
            parts += [text[end : found.start()], self.reference(found, node)]
            end = found.end()
        parts = [part for part in [*parts, text[end:]] if part != ""]
        if len(parts) == 1:
            return planted(parts[0], node)
        if any(part is UNKNOWN for part in parts):
            return planted(UNKNOWN, node)
        return planted("".join(_as_text(part) for part in parts), node)

    def reference(self, found: re.Match[str], node: Node) -> Any:
        """The value of one `${…}`; its own text when it is not ours to fill in."""
        if DEFERRED.fullmatch(found[0]):
            return found[0]
        if len(found["dollars"]) > 1:
            return found[0][1:]
        inside = found["inside"].strip()
        space, _, name = inside.partition(".")
        if not found["closing"] or not (_NAME.fullmatch(name) and space in ("parameters", "env", "secrets")):
            return self.malformed(found, node, inside, space)
        if space == "secrets":
            return f"${{{inside}}}"
        if space == "env":
            return self.variable(found, node, name)
        if name in self.parameters:
            return _escaped(self.parameters[name])
        if name not in self.declared:
            self.undefined(found, node, name)
        return UNKNOWN

    def variable(self, found: re.Match[str], node: Node, name: str) -> Any:
        if name in self.env:
            return _escaped(self.env[name])
        near = nearest(name, self.env)
        help = f"did you mean '{near}'? or set it before the command: {name}=…" if near else f"set it: {name}=…"
        self.problem(found, node, "unknown-variable", f"the environment variable '{name}' is not set", help)
        return UNKNOWN

    def undefined(self, found: re.Match[str], node: Node, name: str) -> None:
        near = nearest(name, self.declared)
        help = f"did you mean '{near}'?" if near else f"declared: {', '.join(self.declared)}"
        if not self.declared:
            help = (
                "declare it under `parameters:`"
                if self.document.kind == "pipeline"
                else "only a pipeline has parameters"
            )
        self.problem(found, node, "unknown-parameter", f"no parameter is named '{name}'", help)

    def malformed(self, found: re.Match[str], node: Node, inside: str, space: str) -> Any:
        help = f"{_FORMS}; write $${{ for a literal ${{"
        if not found["closing"]:
            self.problem(found, node, "bad-interpolation", f"'{found[0][:40]}' is not closed with '}}'", help)
        elif inside == "run.id":
            return "${run.id}"
        else:
            near = nearest(space, ("parameters", "env", "secrets", "run"))
            if inside in self.declared:
                help = f"did you mean '${{parameters.{inside}}}'?"
            elif inside in self.env:
                help = f"did you mean '${{env.{inside}}}'?"
            elif near and near != space:
                help = f"did you mean '${{{inside.replace(space, near, 1)}}}'? {_FORMS}"
            self.problem(found, node, "bad-interpolation", f"'{found[0][:60]}' refers to nothing that is known", help)
        return UNKNOWN

    def problem(self, found: re.Match[str], node: Node, code: str, message: str, help: str) -> None:
        earlier = found.string.count(found[0], 0, found.start())
        self.problems.append(Problem(self.place(node, found[0], earlier), code, message, help))

    def place(self, node: Node, written: str, earlier: int) -> Position:
        """Where the reference itself stands in the text; where its string starts, when escapes hide it."""
        text, starts = self.document.text, self.starts
        begin = end = starts[min(node.line, len(starts)) - 1] + node.column - 1
        for _ in range(earlier + 1):
            start = text.find(written, end, begin + _FAR)
            end = start + len(written)
            if start < 0:
                return Position(self.document.file, node.line, node.column, node.width)
        line = bisect_right(starts, start)
        return Position(self.document.file, line, start - starts[line - 1] + 1, len(written))

    @property
    def starts(self) -> list[int]:
        """The offsets at which the text's lines start."""
        if not self._starts:
            self._starts = [0, *(found.end() for found in re.finditer(r"\r\n|\r|\n", self.document.text))]
        return self._starts


_FAR = 10_000  # characters between the start of a string and a reference in it; beyond, the string's start is shown


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _escaped(value: Any) -> Any:
    """A value whose text the worker will give back as it is."""
    if isinstance(value, str):
        return DEFERRED.sub(r"$\g<0>", value)
    if isinstance(value, dict):
        return {key: _escaped(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(element) for element in value]
    return value

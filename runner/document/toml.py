"""TOML text → nodes: `tomllib` says what is valid and what the values are, a scanner beside it where they stand."""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from datetime import date, time
from typing import Any

from runner.document.node import Node, planted
from runner.document.yaml import MAX_DEPTH, MAX_VALUES
from runner.errors import Position, Problem

_GAP = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_KEY = re.compile(r"[A-Za-z0-9_-]+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_SCALAR = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})|\'\'\'.*?\'\'\'(?:\'{0,2})'
    r"|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|[^,\]}#\r\n]+",
    re.DOTALL,
)
_LONG_KEY = re.compile(rf"(?<![\w.\"'-])(?:(?:[\w-]++|\"[^\"\n]*+\"|'[^'\n]*+')[ \t]*+\.[ \t]*+){{{MAX_DEPTH}}}")
_PLACE = re.compile(r"(?P<said>.*?)\s*\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL)
_TWICE = ("Cannot overwrite a value", "Cannot declare", "Duplicate inline table key", "Cannot mutate")


def parse_toml(text: str, file: str) -> tuple[list[Node], list[Problem]]:
    """The one document of a TOML text (none when it is empty), and what is wrong in it. Dates become ISO 8601 text."""
    if _LONG_KEY.search(text):  # tomllib takes a time that grows with the square of a key's parts
        return [], [_too_deep(file)]
    if text.count("=") + text.count(",") > MAX_VALUES:
        return [], [_problem(file, "too-large", f"more than {MAX_VALUES:,} values", "split the document")]
    try:
        values = tomllib.loads(text)
        places = _Scanner(text).scan()
    except (RecursionError, _TooDeep):
        return [], [_too_deep(file)]
    except ValueError as error:
        return [], [_syntax(str(error), text, file)]
    return ([_filled(_at_first_key(places), values)] if values else []), []


class _TooDeep(Exception):
    pass


class _Scanner:
    """The places of the keys and values of a text that is known to be valid TOML; scalars are left without value."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def scan(self) -> Node:
        root = table = Node({}, 1, 1)
        offset = self.gap(0)
        while offset < len(self.text):
            if self.text[offset] == "[":
                table, offset = self.header(root, offset)
            else:
                offset = self.member(table, offset, 1)
            offset = self.gap(offset)
        return root

    def header(self, root: Node, offset: int) -> tuple[Node, int]:
        """`[a.b]` or `[[a.b]]`: the table that the following keys belong to."""
        brackets = 2 if self.text.startswith("[[", offset) else 1
        keys, offset = self.keys(self.gap(offset + brackets))
        parent = self.descend(root, keys[:-1])
        name, place = keys[-1]
        known = parent.value.get(name)  # type: ignore[union-attr]
        if brackets == 2:
            table = Node({}, *place)
            known = known or self.put(parent, name, Node([], *place, key=place))
            known.value.append(table)  # type: ignore[union-attr]
        elif known is None:
            table = self.put(parent, name, Node({}, *place, key=place))
        else:  # made by [a.b] before this [a]
            table = known
            table.line, table.column, table.width = table.key = place
        return table, self.gap(offset) + brackets

    def member(self, table: Node, offset: int, depth: int) -> int:
        """`key = value`; returns where it ends."""
        keys, offset = self.keys(offset)
        if depth + len(keys) > MAX_DEPTH:
            raise _TooDeep
        parent = self.descend(table, keys[:-1])
        node, offset = self.value(_EQUALS.match(self.text, offset).end(), depth + len(keys))  # type: ignore[union-attr]
        name, node.key = keys[-1]
        self.put(parent, name, node)
        return offset

    def keys(self, offset: int) -> tuple[list[tuple[str, tuple[int, int, int]]], int]:
        """The parts of a dotted key with their places, and where it ends."""
        keys = []
        while True:
            found = _KEY.match(self.text, offset)
            written = found[0]  # type: ignore[index]
            keys.append((_unquoted(written), self.place(offset, len(written))))
            offset += len(written)
            dot = _DOT.match(self.text, offset)
            if dot is None:
                return keys, offset
            offset = dot.end()

    def descend(self, table: Node, keys: list[tuple[str, tuple[int, int, int]]]) -> Node:
        if len(keys) > MAX_DEPTH:
            raise _TooDeep
        for name, place in keys:
            table = table.value.get(name) or self.put(table, name, Node({}, *place, key=place))  # type: ignore[union-attr]
            if isinstance(table.value, list):
                table = table.value[-1]
        return table

    def put(self, table: Node, name: str, node: Node) -> Node:
        table.value[name] = node  # type: ignore[index,call-overload]
        return node

    def value(self, offset: int, depth: int) -> tuple[Node, int]:
        """The node of a value and where it ends."""
        if depth > MAX_DEPTH:
            raise _TooDeep
        opening = self.text[offset]
        if opening == "[":
            node, end = self.array(offset, depth)
        elif opening == "{":
            node, end = self.inline_table(offset, depth)
        else:
            written = _SCALAR.match(self.text, offset)[0].rstrip(" \t")  # type: ignore[index]
            return Node(None, *self.place(offset, len(written))), offset + len(written)
        node.width = self.place(offset, end - offset)[2]
        return node, end

    def array(self, offset: int, depth: int) -> tuple[Node, int]:
        elements: list[Node] = []
        node = Node(elements, *self.place(offset, 1))
        offset = self.gap(offset + 1)
        while self.text[offset] != "]":
            element, offset = self.value(offset, depth + 1)
            elements.append(element)
            offset = self.comma(offset)
        return node, offset + 1

    def inline_table(self, offset: int, depth: int) -> tuple[Node, int]:
        node = Node({}, *self.place(offset, 1))
        offset = self.gap(offset + 1)
        while self.text[offset] != "}":
            offset = self.comma(self.member(node, offset, depth))
        return node, offset + 1

    def comma(self, offset: int) -> int:
        offset = self.gap(offset)
        return self.gap(offset + 1) if self.text[offset] == "," else offset

    def gap(self, offset: int) -> int:
        return _GAP.match(self.text, offset).end()  # type: ignore[union-attr]

    def place(self, offset: int, length: int) -> tuple[int, int, int]:
        """Line, column, and the length of what stands on the first line."""
        line = bisect_right(self.starts, offset)
        end = self.text.find("\n", offset, offset + length)
        width = length if end < 0 else end - offset
        return line, offset - self.starts[line - 1] + 1, max(1, width)


def _unquoted(key: str) -> str:
    if key[0] == "'":
        return key[1:-1]
    if key[0] != '"':
        return key
    return str(tomllib.loads(f"key = {key}")["key"]) if "\\" in key else key[1:-1]


def _at_first_key(root: Node) -> Node:
    first: Any = next(iter(root.value.values()), None) if isinstance(root.value, dict) else None
    if first is not None and first.key:
        root.line, root.column, root.width = first.key
    return root


def _filled(place: Node, value: Any) -> Node:
    """The scanner's nodes with tomllib's values in them."""
    if isinstance(value, dict) and isinstance(place.value, dict):
        place.value = {key: _filled(_member(place, key), member) for key, member in value.items()}
    elif isinstance(value, list) and isinstance(place.value, list):
        place.value = [_filled(_member(place, index), element) for index, element in enumerate(value)]
    elif isinstance(value, dict | list):
        place.value = planted(value, place).value
    else:
        place.value = value.isoformat() if isinstance(value, date | time) else value
    return place


def _member(place: Node, part: str | int) -> Node:
    return place.child(part) or Node(None, place.line, place.column, place.width, place.key)


def _too_deep(file: str) -> Problem:
    return _problem(
        file, "too-deep", f"nested deeper than {MAX_DEPTH} levels", "no document needs more than a few levels"
    )


def _syntax(error: str, text: str, file: str) -> Problem:
    found = _PLACE.fullmatch(error)
    said = found["said"] if found else error
    lines = text.split("\n")
    line, column = len(lines), len(lines[-1]) + 1
    if found and found["line"]:
        line, column = int(found["line"]), int(found["column"])
    while line > 1 and not lines[line - 1].strip():  # the end of the file: show the last line that says something
        line -= 1
        column = len(lines[line - 1].rstrip()) + 1
    if said.startswith(_TWICE):
        written = lines[line - 1]
        column, width = len(written) - len(written.lstrip()) + 1, len(written.split("=")[0].strip())
        message = f"'{written.split('=')[0].strip()}' is declared twice"
        return Problem(Position(file, line, column, max(1, width)), "duplicate-key", message, "remove one of them")
    return _problem(
        file, "syntax", f"this is not valid TOML: {said}", _syntax_help(said, lines[line - 1]), line, column
    )


def _syntax_help(said: str, written: str) -> str | None:
    value = written.partition("=")[2].strip()
    if said == "Invalid value" and value[:1] not in ("", '"', "'", "[", "{"):
        return f'put text in quotes: "{value}"'
    if ":" in written and "=" not in written:
        return "TOML writes 'key = value'; for YAML name the file .yaml"
    if said.startswith(("Unclosed array", "Unclosed inline table")):
        return "a bracket that opens above is not closed, or a comma is missing"
    if "Illegal character '\\n'" in said:
        return "a quote that opens on this line is not closed on it"
    return None


def _problem(file: str, code: str, message: str, help: str | None, line: int = 1, column: int = 1) -> Problem:
    return Problem(Position(file, line, column), code, message, help)

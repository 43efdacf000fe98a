"""YAML text → nodes: the events of libyaml, read by the rules of YAML 1.2's core schema, values of JSON only.

No tag makes anything, no key stands twice, no alias stands for its own parent, and no file unfolds beyond the limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from _ruamel_yaml import CParser
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from runner.document.node import UNKNOWN, Node, Value
from runner.errors import Position, Problem, nearest

MAX_DEPTH = 100
MAX_VALUES = 1_000_000
_MAX_RESTARTS = 20

_TAG = "tag:yaml.org,2002:"
_WORDS: dict[str, bool | float | None] = (
    dict.fromkeys(("", "~", "null", "Null", "NULL"))
    | dict.fromkeys(("true", "True", "TRUE"), True)
    | dict.fromkeys(("false", "False", "FALSE"), False)
    | dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf"))
    | dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf"))
    | dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan"))
)
_NUMBER = re.compile(
    r"(?P<int>[-+]?[0-9]+)|0o(?P<octal>[0-7]+)|0x(?P<hex>[0-9a-fA-F]+)"
    r"|[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
)
_NUMERIC = frozenset("0123456789+-.")
_PROPERTIES = re.compile(r"(?:[&!][^\s]*[ \t]+)+")
_NEXT_DOCUMENT = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)


def parse_yaml(text: str, file: str) -> tuple[list[Node], list[Problem]]:
    """The documents of a YAML text, those that are empty left out, and what is wrong in it.

    After an error of syntax reading goes on at the next `---`.
    """
    nodes: list[Node] = []
    problems: list[Problem] = []
    start = first_line = 0
    for _ in range(_MAX_RESTARTS):
        reader = _Reader(text[start:] if start else text, file, first_line)
        stopped = reader.read(nodes)
        problems += reader.problems
        if stopped is None:
            break
        found = _NEXT_DOCUMENT.search(text, max(start + 1, _line_start(text, start, stopped - first_line)))
        if found is None:
            break
        first_line += _count_lines(text, start, found.start())
        start = found.start()
    return nodes, problems


def resolve(text: str) -> bool | int | float | str | None:
    """The value of a plain (unquoted) scalar in YAML 1.2's core schema. ValueError for a number of absurd length."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC:
        return text
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text
    if match["int"]:
        return int(text)
    if match["octal"]:
        return int(match["octal"], 8)
    if match["hex"]:
        return int(match["hex"], 16)
    return float(text)


class _Anchor(NamedTuple):
    """An anchored node: how many values it unfolds to, how many levels it has, and the text of a scalar."""

    node: Node
    size: int
    height: int
    text: str | None


class _TooMuch(Exception):
    """The document is given up: its problem is noted."""

    def __init__(self, line: int) -> None:
        self.line = line


class _Reader:
    """The reading of one text; what it gathers on the way."""

    def __init__(self, text: str, file: str, first_line: int) -> None:
        self.text = text
        self.file = file
        self.first_line = first_line
        self.problems: list[Problem] = []
        self.anchors: dict[str, _Anchor] = {}
        self.open_anchors: set[str] = set()
        self.refused: list[Node] = []
        self.merged: list[tuple[dict[str, Node], Node]] = []
        self._lines: list[str] | None = None

    def read(self, nodes: list[Node]) -> int | None:
        """Add the documents to `nodes`. Returns the line (from 0) of the error that ended the reading early."""
        try:
            parser = CParser(self.text)
            nodes.extend(self.documents(parser.get_event))
        except _TooMuch as error:
            return error.line
        except MarkedYAMLError as error:
            return self.syntax(error)
        except (YAMLError, UnicodeError) as error:
            self.problem("syntax", 0, 0, 1, f"this cannot be read as YAML: {error}")
            return self.first_line
        return None

    def documents(self, get_event: Any) -> Iterator[Node]:
        while True:
            event = get_event()
            if type(event) is StreamEndEvent:
                return
            if type(event) is DocumentStartEvent:
                self.anchors.clear()
                self.open_anchors.clear()
                node = self.document(get_event)
                if node.value is not None:
                    yield node

    def document(self, get_event: Any) -> Node:
        """One document's tree. A single loop on purpose: it runs once for every event of the file.

        Of the collection that is being read: `items` is its dict or list; `key` is, in a mapping, the key that waits
        for its value, None when a key comes next, and in a sequence always _ELEMENT.
        """
        first_line = self.first_line + 1
        anchors = self.anchors
        numeric, words, cache = _NUMERIC, _WORDS, dict[str, Any]()
        root: list[Node] = []
        items: Any = root
        key: Any = _ELEMENT
        stack: list[tuple[Any, Any, Node, str | None, int, int]] = []
        count = deepest = 0
        while True:
            event = get_event()
            kind = type(event)
            text: str | None = None
            if kind is ScalarEvent:
                start, end = event.start_mark, event.end_mark
                line, column = start.line, start.column
                width = end.column - column if end.line == line else self.rest_of_line(line, column)
                text = event.value
                count += 1
                if event.anchor is not None or event.ctag is not None:
                    value, column, width = self.tagged(event, line, column, width)
                    node = Node(value, line + first_line, column + 1, width or 1)
                    if event.anchor is not None:
                        anchors[event.anchor] = _Anchor(node, 1, 0, text)
                elif key is None:
                    merge = text == "<<" and not event.style
                    if merge:
                        self.merge_key(line, column)
                    key = (_MERGE if merge else text, line + first_line, column + 1, width or 1)
                    continue
                elif event.style or (text and text[0] not in numeric and text not in words):
                    node = Node(text, line + first_line, column + 1, width or 1)
                else:
                    value = cache[text] if text in cache else cache.setdefault(text, self.resolved(text, line, column))
                    node = Node(value, line + first_line, column + 1, width or 1)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                start = event.start_mark
                count += 1
                if event.anchor is not None:
                    self.open_anchors.add(event.anchor)
                new: Any = {} if kind is MappingStartEvent else []
                node = Node(new, start.line + first_line, start.column + 1)
                if event.ctag is not None:
                    self.collection_tag(event, node)
                stack.append((items, key, node, event.anchor, count, deepest))
                deepest = len(stack)
                if deepest > MAX_DEPTH:
                    raise self.too_deep(start)
                items, key = new, None if kind is MappingStartEvent else _ELEMENT
                continue
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                items, key, node, anchor, before, deepest_before = stack.pop()
                self.measure(node, event.end_mark)
                if anchor is not None:
                    self.open_anchors.discard(anchor)
                    anchors[anchor] = _Anchor(node, count - before + 1, deepest - len(stack), None)
                if deepest < deepest_before:
                    deepest = deepest_before
            elif kind is AliasEvent:
                start = event.start_mark
                anchored, size, height, text = self.aliased(event)
                count += size
                deepest = max(deepest, len(stack) + height)
                if deepest > MAX_DEPTH:
                    raise self.too_deep(start)
                node = Node(anchored.value, start.line + first_line, start.column + 1, len(event.anchor) + 1)
            else:
                self.settle()
                return root[0]
            if count > MAX_VALUES:
                raise self.too_many(event.start_mark)
            # The node is complete: it is a key, a member, or an element.
            if key is _ELEMENT:
                items.append(node)
            elif key is None:
                key = self.complex_key(node, text)
            else:
                name, *place = key
                node.key = (place[0], place[1], place[2])
                key = None
                if name in items:
                    self.duplicate(name, node, items[name])
                elif name is _MERGE:
                    self.merged.append((items, node))
                elif name is not None:
                    items[name] = node

    # What follows is rare: it is called for a few values of a file only.

    def resolved(self, text: str, line: int, column: int) -> Value:
        try:
            return resolve(text)
        except ValueError:
            self.problem(
                "number",
                line,
                column,
                len(text),
                f"a number of {len(text)} digits is too long",
                "quote it if it is text",
            )
            return UNKNOWN

    def tagged(self, event: Any, line: int, column: int, width: int) -> tuple[Value, int, int]:
        """Value, column and width of a scalar with an anchor or a tag."""
        written = self.lines[line] if line < len(self.lines) else ""
        properties = _PROPERTIES.match(written, column)
        if properties and properties.end() < len(written.rstrip()):
            width = max(1, width - (properties.end() - column))
            column = properties.end()
        tag, text = event.tag, event.value
        if tag is None:
            return text if event.style else self.resolved(text, line, column), column, width
        if tag in ("!", f"{_TAG}str"):
            return text, column, width
        wanted = tag.removeprefix(_TAG) if tag.startswith(_TAG) else ""
        if wanted not in ("int", "float", "bool", "null"):
            self.unknown_tag(event)
            return UNKNOWN, column, width
        value = self.resolved(text, line, column)
        found = type(value).__name__ if value is not None else "null"
        if wanted == "float" and found == "int":
            return float(value), column, width  # type: ignore[arg-type]
        if wanted != found:
            self.problem("tag", line, column, width, f"'{text}' is not of the type that its tag '!!{wanted}' says")
            return UNKNOWN, column, width
        return value, column, width

    def collection_tag(self, event: Any, node: Node) -> None:
        wanted = "map" if type(event) is MappingStartEvent else "seq"
        if event.tag not in ("!", f"{_TAG}{wanted}"):
            self.unknown_tag(event)
            self.refused.append(node)

    def unknown_tag(self, event: Any) -> None:
        start = event.start_mark
        written = self.lines[start.line][start.column :] if start.line < len(self.lines) else ""
        tag = next((word for word in written.split() if word.startswith("!")), event.tag)
        column = start.column + max(0, written.find(tag))
        self.problem(
            "tag",
            start.line,
            column,
            len(tag),
            f"the tag '{tag}' has no meaning here",
            "remove the tag: only plain values are read",
        )

    def aliased(self, event: Any) -> _Anchor:
        start, name = event.start_mark, event.anchor
        if name in self.open_anchors:
            message, help = f"the alias '*{name}' stands inside its own anchor", "write the value out"
        elif name in self.anchors:
            return self.anchors[name]
        else:
            near = nearest(name, self.anchors) if len(self.anchors) * len(self.problems) < 10_000 else None
            message = f"no anchor '&{name}' stands before the alias '*{name}'"
            help = f"did you mean '*{near}'?" if near else "quote the value when it is text that starts with '*'"
        self.problem("alias", start.line, start.column, len(name) + 1, message, help)
        return _Anchor(Node(UNKNOWN, 1, 1), 1, 0, None)

    def merge_key(self, line: int, column: int) -> None:
        message = "YAML 1.2 has no merge key '<<'"
        self.problem("merge-key", line, column, 2, message, "write the keys out, or put shared ones under `defaults:`")

    def complex_key(self, node: Node, text: str | None) -> tuple[str | None, int, int, int]:
        """A key with an anchor, a tag or an alias, or one that is no scalar."""
        if text is None and isinstance(node.value, dict | list):
            line, column = node.line - 1 - self.first_line, node.column - 1
            shape = "a mapping" if isinstance(node.value, dict) else "a list"
            self.problem(
                "key", line, column, node.width, f"{shape} cannot be a key", "quote it when it is meant as text"
            )
        return text, node.line, node.column, node.width

    def settle(self) -> None:
        """What was refused and told of shall not give a second problem later on."""
        for node in self.refused:
            node.value = UNKNOWN
        for items, node in self.merged:
            for name, member in node.value.items() if isinstance(node.value, dict) else ():
                items.setdefault(name, member)
        self.refused.clear()
        self.merged.clear()

    def duplicate(self, name: str, node: Node, first: Node) -> None:
        line, column, width = node.key or (1, 1, 1)
        where = first.key[0] if first.key else first.line
        place = Position(self.file, line, column, width)
        help = f"the first one is at line {where}; remove one of them"
        self.problems.append(Problem(place, "duplicate-key", f"the key '{name}' stands twice", help))

    def measure(self, node: Node, end: Any) -> None:
        """The width of a collection: the first key in block style; in flow style all of it, if it fits on one line."""
        members: Any = node.value
        first = next(iter(members.values() if isinstance(members, dict) else members), None)
        place = first.key if first is not None and first.key else None
        if place and place[:2] == (node.line, node.column):
            node.width = place[2]
        elif end.line + 1 + self.first_line == node.line:
            node.width = max(1, end.column + 1 - node.column)

    def too_deep(self, mark: Any) -> _TooMuch:
        message = f"nested deeper than {MAX_DEPTH} levels"
        self.problem("too-deep", mark.line, mark.column, 1, message, "no document needs more than a few levels")
        return _TooMuch(mark.line + self.first_line)

    def too_many(self, mark: Any) -> _TooMuch:
        message = f"more than {MAX_VALUES:,} values, aliases unfolded"
        self.problem("too-large", mark.line, mark.column, 1, message, "split the document, or use fewer aliases")
        return _TooMuch(mark.line + self.first_line)

    def syntax(self, error: MarkedYAMLError) -> int:
        mark, context = error.problem_mark or error.context_mark, error.context_mark
        line, column = (mark.line, mark.column) if mark else (0, 0)
        sentence = ", ".join(str(part).strip() for part in (error.context, error.problem) if part)
        stopped = line
        blank = line >= len(self.lines) or not self.lines[line].strip()
        if context is not None and (
            blank or "end of stream" in sentence or "simple key" in sentence or _COLON in sentence
        ):
            line, column = context.line, context.column
        help = _syntax_help(sentence, self.lines[line] if line < len(self.lines) else "", column, context)
        width = len(re.match(r"[^\s,\]}]*", self.lines[line][column:])[0]) if _COLON in sentence else 1  # type: ignore[index]
        self.problem("syntax", line, column, width, f"this cannot be read as YAML: {sentence}", help)
        return stopped + self.first_line

    def problem(self, code: str, line: int, column: int, width: int, message: str, help: str | None = None) -> None:
        """Note a problem; line and column count from 0 in this text."""
        place = Position(self.file, line + self.first_line + 1, column + 1, max(1, width))
        self.problems.append(Problem(place, code, message, help))

    def rest_of_line(self, line: int, column: int) -> int:
        written = self.lines[line] if line < len(self.lines) else ""
        header = re.match(r"[|>][-+0-9]*", written[column:])
        return len(header[0]) if header else len(written.rstrip()) - column

    @property
    def lines(self) -> list[str]:
        if self._lines is None:
            self._lines = _LINE_END.split(self.text)
        return self._lines


_COLON = "unexpected ':'"  # libyaml holds to YAML 1.1 here: in brackets no plain text has a ':' in it
_ELEMENT = object()
_MERGE = object()
_LINE_END = re.compile(r"\r\n|\r|\n")


def _count_lines(text: str, start: int, end: int) -> int:
    return sum(1 for _ in _LINE_END.finditer(text, start, end))


def _line_start(text: str, start: int, line: int) -> int:
    """Where the line with this number, counted from 0 at `start`, begins."""
    if line <= 0:
        return start
    for number, found in enumerate(_LINE_END.finditer(text, start), 1):
        if number == line:
            return found.end()
    return len(text)


def _syntax_help(sentence: str, written: str, column: int, context: Any) -> str | None:
    rest = written[column:]
    if "\t" in written[: column + 1] and not written[: column + 1].strip():
        return "indent with spaces: YAML allows no tabs there"
    if "${" in written and ("flow" in sentence or "expected ','" in sentence):
        return 'put "${…}" in quotes: braces have a meaning of their own in YAML'
    if "cannot start any token" in sentence:
        return f"quote a value that starts with '{rest[:1]}'"
    if "mapping values are not allowed" in sentence:
        return "quote a value that holds ': ', or look at the indentation of this line and the one before"
    if "quoted scalar" in sentence:
        return "the quote that opens here is never closed"
    if _COLON in sentence:
        return "inside brackets quote what holds a ':', and put a blank behind the ':' of a key"
    if "flow" in sentence:
        return (
            f"a bracket that opens at line {context.line + 1} is not closed, or a comma is missing" if context else None
        )
    if "block mapping" in sentence or "block collection" in sentence or "simple key" in sentence:
        return "look at the indentation of this line and the one before; every key ends in ':'"
    return None

"""A document as a tree of plain values, each with the place in the file where it stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from runner.errors import Position


class _Unknown:
    """The type of UNKNOWN."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __copy__(self) -> _Unknown:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> _Unknown:
        return self


UNKNOWN: Final = _Unknown()
"""A value that depends on a parameter which has no value yet; it counts as right wherever it stands."""

Value = None | bool | int | float | str | _Unknown | dict[str, "Node"] | list["Node"]


class Node:
    """A value and its place: line and column count from 1, `width` is the length of its first line.

    `key` is line, column and width of its key when it is a mapping's member. Nobody changes a node once it is read;
    several parents may share one (an alias in YAML).
    """

    __slots__ = ("column", "key", "line", "value", "width")

    def __init__(
        self, value: Value, line: int, column: int, width: int = 1, key: tuple[int, int, int] | None = None
    ) -> None:
        self.value: Value = value
        self.line = line
        self.column = column
        self.width = width
        self.key = key

    def __repr__(self) -> str:
        return f"Node({self.plain()!r}, {self.line}, {self.column}, {self.width}, {self.key})"

    def plain(self) -> Any:
        """The value without positions, as new dicts and lists."""
        value = self.value
        if type(value) is dict:
            return {key: _plain(node.value) for key, node in value.items()}
        if type(value) is list:
            return [_plain(node.value) for node in value]
        return value

    def at(self, path: Iterable[str | int]) -> Node:
        """The deepest node that exists on the path."""
        node = self
        for part in path:
            child = node.child(part)
            if child is None:
                break
            node = child
        return node

    def has(self, path: Iterable[str | int]) -> bool:
        """Whether the whole path exists."""
        node: Node | None = self
        for part in path:
            node = node.child(part) if node else None
        return node is not None

    def child(self, part: str | int) -> Node | None:
        """The member under this key or index."""
        value = self.value
        if isinstance(value, dict):
            return value.get(part)  # type: ignore[arg-type]
        if isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value):
            return value[part]
        return None


def _plain(value: Value) -> Any:
    # Apart from Node.plain, so that a scalar costs no call of its own in the common case.
    if type(value) is dict:
        return {key: node.value if type(node.value) is str else _plain(node.value) for key, node in value.items()}
    if type(value) is list:
        return [_plain(node.value) for node in value]
    return value


def planted(value: Any, node: Node) -> Node:
    """Plain data as nodes that all stand where `node` stands: what was filled in for it."""
    line, column, width = node.line, node.column, node.width

    def plant(value: Any, key: tuple[int, int, int] | None) -> Node:
        if isinstance(value, dict):
            place = (line, column, width)
            return Node({str(name): plant(member, place) for name, member in value.items()}, line, column, width, key)
        if isinstance(value, list | tuple):
            return Node([plant(member, None) for member in value], line, column, width, key)
        return Node(value, line, column, width, key)

    return plant(value, node.key)


class Document(NamedTuple):
    """One document of a file. `file` is its name as shown to the user, `text` the whole file's text.

    `revision` is 0 for what stands in a file, else the number under which it was applied.
    """

    file: str
    node: Node
    text: str
    revision: int = 0

    @property
    def kind(self) -> str | None:
        return self._word("kind")

    @property
    def name(self) -> str | None:
        return self._word("name")

    def position(self, path: Iterable[str | int], *, key: bool = False) -> Position:
        """Where the deepest existing node of the path stands, or its key."""
        node = self.node.at(path)
        line, column, width = node.key if key and node.key else (node.line, node.column, node.width)
        return Position(self.file, line, column, width)

    def _word(self, key: str) -> str | None:
        node = self.node.child(key)
        return node.value if node and isinstance(node.value, str) else None

"""`.dockerignore`: which files of a folder are left out.

The rules are those of https://docs.docker.com/build/concepts/context/#dockerignore-files: a pattern that matches a
folder matches all that is in it, `!` takes back, and of several patterns that match a file the last one counts.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Pattern(NamedTuple):
    """One line: `takes_back` for those that begin with `!`; `text` as it stands in that `line`."""

    matches: re.Pattern[str]
    takes_back: bool
    text: str = ""
    line: int = 0


def patterns_of(text: str) -> list[Pattern]:
    """The patterns of a file's text; comments and empty lines are none."""
    found = []
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        pattern = "" if line.startswith("#") else line.strip()
        takes_back = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip()
        if pattern:
            cleaned = posixpath.normpath(pattern)
            cleaned = cleaned.lstrip("/") or cleaned
            matches = re.compile(_expression(cleaned), re.DOTALL)
            found.append(Pattern(matches, takes_back, line.strip(), number))
    return found


def is_left_out(name: str, patterns: Sequence[Pattern]) -> bool:
    """Whether a file is left out; `name` is its path from the folder, with `/`."""
    found = decisive(name, patterns)
    return found is not None and not found.takes_back


def decisive(name: str, patterns: Sequence[Pattern]) -> Pattern | None:
    """The pattern that says whether a file is left out; None where none does."""
    parts = name.split("/")
    prefixes = ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]
    found: Pattern | None = None
    for pattern in patterns:
        left_out = found is not None and not found.takes_back
        if pattern.takes_back == left_out and any(pattern.matches.fullmatch(prefix) for prefix in prefixes):
            found = pattern
    return found


def _expression(pattern: str) -> str:
    """The regular expression of a pattern: `*` and `?` stay within a name, `**` is any number of folders."""
    return "".join(_pieces(pattern))


def _pieces(pattern: str) -> Iterator[str]:
    place = 0
    while place < len(pattern):
        char = pattern[place]
        place += 1
        if char == "*" and pattern[place : place + 1] == "*":
            place += 1
            place += pattern[place : place + 1] == "/"
            yield "(.*/)?" if place < len(pattern) else ".*"
        elif char == "*":
            yield "[^/]*"
        elif char == "?":
            yield "[^/]"
        elif char == "\\" and place < len(pattern):
            yield re.escape(pattern[place])
            place += 1
        elif char == "[" and (end := _end_of_class(pattern, place)):
            yield "[" + pattern[place:end].replace("[", "\\[") + "]"
            place = end + 1
        else:
            yield re.escape(char)


def _end_of_class(pattern: str, place: int) -> int:
    """Where the `]` of a class stands; 0 when there is none, and the bracket is only a bracket."""
    start = place + (pattern[place : place + 1] == "^")
    while start < len(pattern):
        if pattern[start] == "\\":
            start += 1
        elif pattern[start] == "]" and start > place:
            return start
        start += 1
    return 0

"""Problems → text for people (the line and a caret under what is wrong), JSON, and workflow annotations for GitHub."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence

from runner.errors import Problem

_WIDTH = 120  # cells of a source line that are shown; a longer one is cut around its caret
_TAB = "    "
_LINE_END = re.compile(r"\r\n|\r|\n")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
_RED, _BOLD, _CYAN, _DIM, _END = "\x1b[1;31m", "\x1b[1m", "\x1b[36m", "\x1b[2m", "\x1b[0m"


_UNQUOTED = frozenset({"literal-secret"})  # the line may hold a secret's value, and logs keep what is printed


def as_text(problems: Sequence[Problem], sources: Mapping[str, str], *, color: bool = False) -> str:
    """The problems, a blank line between them. `sources` are the files' texts by name; without one no line is shown."""
    lines = {file: _LINE_END.split(text) for file, text in sources.items()}
    return "\n\n".join(_one(problem, lines.get(problem.position.file, []), color) for problem in problems)


def as_json(problems: Sequence[Problem]) -> str:
    """A list of {file, line, column, code, message, help}."""
    return json.dumps([_fields(problem) for problem in problems], indent=2, ensure_ascii=False)


def as_github(problems: Sequence[Problem]) -> str:
    """One `::error` command a line, as GitHub's runner reads them from a job's output."""
    return "\n".join(_annotation(problem) for problem in problems)


def _fields(problem: Problem) -> dict[str, str | int | None]:
    place = problem.position
    return {
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "code": problem.code,
        "message": problem.message,
        "help": problem.help,
    }


def _annotation(problem: Problem) -> str:
    place = problem.position
    properties = f"file={_property(place.file)},line={place.line},col={place.column},title={_property(problem.code)}"
    text = problem.message if problem.help is None else f"{problem.message}\nhelp: {problem.help}"
    return f"::error {properties}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _one(problem: Problem, lines: Sequence[str], color: bool) -> str:
    place = problem.position
    head = _painted(_printable(str(place)), _BOLD, color)
    kind = _painted(f"error[{problem.code}]", _RED, color)
    parts = [f"{head}: {kind}: {_printable(problem.message)}"]
    if 0 < place.line <= len(lines) and problem.code not in _UNQUOTED:
        shown, caret = _pointed(lines[place.line - 1], place.column - 1, place.width)
        gutter = " " * len(str(place.line))
        parts.append(f"   {_painted(f'{place.line} |', _DIM, color)} {shown}".rstrip())
        parts.append(f"   {_painted(f'{gutter} |', _DIM, color)} {_painted(caret, _RED, color)}")
    if problem.help:
        parts.append(f"   {_painted('help', _CYAN, color)}: {_printable(problem.help)}")
    return "\n".join(parts)


def _painted(text: str, paint: str, color: bool) -> str:
    return f"{paint}{text}{_END}" if color else text


def _printable(text: str) -> str:
    """Text that cannot move the cursor or begin a line of its own."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _pointed(line: str, column: int, width: int) -> tuple[str, str]:
    """A source line as it is shown and the carets that go under it, both in cells of the terminal."""
    before, marked, after = line[:column], line[column : column + width], line[column + width :]
    before, marked, after = _drawn(before), _drawn(marked), _drawn(after)
    marked, rest = _cut(marked, _WIDTH)
    after = rest + after
    room = _WIDTH - _cells(marked)
    if _cells(before) + _cells(after) > room:
        spare = max(0, room - min(_cells(after), room // 2))
        kept = before if _cells(before) <= spare else "…" + _cut(before[::-1], max(0, spare - 1))[0][::-1]
        room = max(0, room - _cells(kept))
        after = after if _cells(after) <= room else _cut(after, max(0, room - 1))[0] + "…"
        before = kept
    return f"{before}{marked}{after}", " " * _cells(before) + "^" * max(1, _cells(marked))


def _drawn(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", text.replace("\t", _TAB))


def _cells(text: str) -> int:
    """How many cells of a terminal the text takes."""
    return len(text) if text.isascii() else sum(map(_cell, text))


def _cell(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _cut(text: str, cells: int) -> tuple[str, str]:
    """The beginning of the text that takes at most so many cells, and what is left of it."""
    used = 0
    for index, character in enumerate(text):
        used += _cell(character)
        if used > cells:
            return text[:index], text[index:]
    return text, ""

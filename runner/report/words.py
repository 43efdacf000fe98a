"""Numbers, times and sizes in people's words, and columns of text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from itertools import zip_longest

WIDTH = 100  # columns of a table where no terminal says how many it has
_LEAST = 20  # what a column keeps when it gives way
_TIGHT = 12  # and when that is not enough


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    paint: Mapping[int, Callable[[str], str]] | None = None,
    *,
    width: int = WIDTH,
    gives_way: Sequence[str] = (),
) -> str:
    """Columns as wide as their widest cell, two spaces between them. `paint` colours a column's padded cells.

    A table wider than `width` narrows the columns `gives_way`, the first one first, and wraps their cells at words.
    """
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    giving = [head.index(title) for title in gives_way if title in head]
    for column, least in [*((each, _LEAST) for each in giving), *((each, _TIGHT) for each in reversed(giving))]:
        over = sum(widths) + 2 * (len(widths) - 1) - width
        widths[column] -= max(0, min(over, widths[column] - least))
    padded = [line for cells in lines for line in _wrapped(cells, widths)]
    for line in padded[1:]:
        for column, color in (paint or {}).items():
            line[column] = color(line[column])
    return "\n".join("  ".join(line).rstrip() for line in padded)


def _wrapped(cells: Sequence[str], widths: Sequence[int]) -> Iterator[list[str]]:
    """The lines that one row of a table takes, each cell padded."""
    pieces = [
        [cell] if len(cell) <= width else textwrap.wrap(cell, width) for cell, width in zip(cells, widths, strict=True)
    ]
    for line in zip_longest(*pieces, fillvalue=""):
        yield [f"{piece:<{width}}" for piece, width in zip(line, widths, strict=True)]


def middle(text: str, width: int) -> str:
    """The text, or its beginning and its end around a `…` where it is longer than `width`."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def pairs(facts: Mapping[str, str]) -> str:
    """Names and values, one a line, the values under each other."""
    width = max(map(len, facts), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in facts.items())


def duration(seconds: float) -> str:
    """`12 ms`, `1.2 s`, `2 m 05 s`, `1 h 02 m`, `3 d 04 h`."""
    seconds = max(seconds, 0.0)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} m"
    return f"{whole // 86400} d {whole % 86400 // 3600:02} h"


def size(count: int) -> str:
    """`512 B`, `1.2 KB`, `3.4 GB`: decimal, as in the language's `8GB`."""
    if count < 1000:
        return f"{count} B"
    number = float(count)
    for unit in ("KB", "MB", "GB", "TB"):
        number /= 1000
        if number < 999.95:
            return f"{number:.1f} {unit}"
    return f"{number / 1000:.1f} PB"


def counted(number: int, word: str) -> str:
    """`1 step`, `1,000 steps`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def moment(time: float | None, zone: tzinfo | None = None) -> str:
    """A time of day for people, in their own zone unless another is given."""
    return datetime.fromtimestamp(time, zone).strftime("%Y-%m-%d %H:%M:%S") if time is not None else "-"


def iso(time: float | None) -> str | None:
    """ISO 8601, UTC, milliseconds."""
    if time is None:
        return None
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

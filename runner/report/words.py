"""Numbers, times and sizes in people's words, and columns of text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], paint: Mapping[int, Callable[[str], str]] | None = None
) -> str:
    """Columns as wide as their widest cell, two spaces between them. `paint` colours a column's padded cells."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)] for line in lines]
    for line in padded[1:]:
        for column, color in (paint or {}).items():
            line[column] = color(line[column])
    return "\n".join("  ".join(line).rstrip() for line in padded)


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

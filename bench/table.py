"""The figures as text for a terminal, as JSON, and as Markdown for the README."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from rows import Row

MARKED = re.compile(r"(<!-- bench -->\n).*?(<!-- /bench -->)", re.DOTALL)


class Peer(Row):
    """A row whose floor is another tool: here the ratio says how many times as fast the runner is, and the bar is the
    least that it should be."""

    __slots__ = ()

    @property
    def ratio(self) -> float:
        return (self.floor or 0.0) / self.value

    @property
    def verdict(self) -> str:
        return "" if self.bar is None else "ok" if self.ratio >= self.bar else "over"


def cells(row: Row) -> tuple[str, str, str, str, str, str]:
    """Work, the runner's figure, the other's figure, who that is, ratio with its bar, verdict."""
    peer = isinstance(row, Peer)
    ratio = f"{_digits(row.ratio)} ×" if row.floor else ""
    bar = "" if row.bar is None else f"{'≥' if peer else '≤'} {row.bar:g} {'×' if row.floor else row.unit}"
    return (
        row.work,
        figure(row.value, row.unit),
        figure(row.floor, row.unit),
        row.beside,
        f"{ratio:>8} {bar}".rstrip(),
        row.verdict,
    )


def figure(value: float | None, unit: str) -> str:
    """Three digits: `12.3 ms`, `2.35 s`, `184 MB`."""
    if value is None:
        return ""
    if unit == "s" and value < 1:
        return f"{_digits(value * 1000)} ms"
    return f"{_digits(value)} {unit}"


def as_line(row: Row) -> str:
    work, value, floor, beside, ratio, verdict = cells(row)
    return f"{work:46} {value:>9} {floor:>9}  {beside:41} {ratio:20} {verdict}".rstrip()


def as_markdown(rows: Sequence[Row]) -> str:
    lines = ["| work | runner | beside | | ratio, bar | |", "| --- | ---: | ---: | --- | --- | --- |"]
    lines += ["| " + " | ".join(re.sub(" +", " ", cell).strip() for cell in cells(row)) + " |" for row in rows]
    return "\n".join([*lines, "", f"Measured on {machine()}."])


def as_json(rows: Sequence[Row], failures: Sequence[str]) -> str:
    entries = [{**row._asdict(), "ratio": row.ratio, "verdict": row.verdict} for row in rows]
    return json.dumps({"machine": machine(), "rows": entries, "failures": list(failures)}, indent=2) + "\n"


def write_readme(readme: Path, rows: Sequence[Row]) -> bool:
    """Put the table between `<!-- bench -->` and `<!-- /bench -->`; says whether these were there."""
    text = readme.read_text(encoding="utf-8")
    new, count = MARKED.subn(lambda match: f"{match[1]}{as_markdown(rows)}\n{match[2]}", text)
    if count:
        readme.write_text(new, encoding="utf-8")
    return bool(count)


def _digits(value: float) -> str:
    return f"{value:.{max(0, 3 - len(str(int(value))))}f}"


def machine() -> str:
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"

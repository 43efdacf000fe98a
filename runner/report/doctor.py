"""What `runner doctor` found out, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from runner.checks import Check
from runner.report.words import counted

_NAMES = 15  # columns: the longest name that runner itself has, and two
_COLORS = {"ok": "\x1b[32m", "warn": "\x1b[33m", "FAIL": "\x1b[31m"}


def check_lines(check: Check, *, color: bool = False) -> Iterator[str]:
    """One check, and below it what to do when it is not ok."""
    word = "FAIL" if not check.ok else "warn" if check.warning else "ok"
    painted = f"{_COLORS[word]}{word:<4}\x1b[0m" if color else f"{word:<4}"
    yield f"  {painted}  {check.name:<{_NAMES}}  {check.told}"
    if check.help and word != "ok":
        yield f"{'':<{_NAMES + 10}}→ {check.help}"


def closing_line(checks: Sequence[Check]) -> str:
    """How many are not ok."""
    failed = sum(not check.ok for check in checks)
    warned = sum(check.ok and check.warning for check in checks)
    also = f", {counted(warned, 'warning')}" if warned else ""
    told = f"{failed} of {counted(len(checks), 'check')} failed" if failed else f"all {len(checks)} checks are ok"
    return told + also


def as_json(checks: Iterable[Check]) -> dict[str, Any]:
    """The same as plain data."""
    found = [check._asdict() for check in checks]
    return {"ok": all(each["ok"] for each in found), "checks": found}

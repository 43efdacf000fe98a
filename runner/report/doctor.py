"""What `runner doctor` found out, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from runner.checks import Check
from runner.report.words import counted

_NAMES = 15  # columns: the longest name that runner itself has, and two
_COLORS = {True: "\x1b[32m", False: "\x1b[31m"}


def check_lines(check: Check, *, color: bool = False) -> Iterator[str]:
    """One check, and below it what to do when it is not ok."""
    word = f"{'ok' if check.ok else 'FAIL':<4}"
    painted = f"{_COLORS[check.ok]}{word}\x1b[0m" if color else word
    yield f"  {painted}  {check.name:<{_NAMES}}  {check.told}"
    if check.help and not check.ok:
        yield f"{'':<{_NAMES + 10}}→ {check.help}"


def closing_line(checks: Sequence[Check]) -> str:
    """How many are not ok."""
    failed = sum(not check.ok for check in checks)
    return f"{failed} of {counted(len(checks), 'check')} failed" if failed else f"all {len(checks)} checks are ok"


def as_json(checks: Iterable[Check]) -> dict[str, Any]:
    """The same as plain data."""
    found = [check._asdict() for check in checks]
    return {"ok": all(each["ok"] for each in found), "checks": found}

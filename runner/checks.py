"""What `runner doctor` finds out: one fact, whether it is as it should be, and what to do when it is not."""

from __future__ import annotations

from typing import NamedTuple


class Check(NamedTuple):
    """One thing that was really tried.

    `name` says what, in a word or two: "artifact store". `told` is what happened, as one line without a full stop and
    without any secret's value; `help` what to do next, for a check that is not ok. A `warning` is ok: what was tried
    lacks nothing, and something else will.
    """

    name: str
    ok: bool
    told: str
    help: str | None = None
    warning: bool = False

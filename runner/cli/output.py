"""Where a run's lines go: written at once, and not missed when their reader has gone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TextIO


def write_lines(stream: TextIO, lines: Iterable[str]) -> None:
    """Write whole lines and flush them.

    A run goes on when whoever read its output is gone (`runner run … | head`): what it does must not depend on being
    watched. From then on its lines go nowhere.
    """
    text = "".join([f"{line}\n" for line in lines])
    if not text:
        return
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

"""How images are made, told on stderr: a line for each step of a build, and some while bytes move."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from runner.cli.output import columns, write_lines
from runner.report.images import progress_text

if TYPE_CHECKING:
    from runner.engine.images import Progress

OFTEN = 2.0  # seconds between two lines about bytes


class Telling:
    """Called with each Progress."""

    def __init__(self) -> None:
        self._of = ("", "")
        self._told = 0.0

    def __call__(self, progress: Progress) -> None:
        if (progress.image, progress.action) != self._of:
            self._of = (progress.image, progress.action)
            write_lines(sys.stderr, [f"{progress.action}ing {progress.image}"])
            self._told = time.monotonic()
        now = time.monotonic()
        if progress.action == "build" or now - self._told >= OFTEN or progress.done == progress.total:
            self._told = now
            write_lines(sys.stderr, [f"  {progress_text(progress._asdict(), columns(sys.stderr) - 2)}"])

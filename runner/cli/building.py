"""How images are made, told on stderr: each step of a build with signs of life, and how far bytes have moved."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

from runner.cli.options import colored
from runner.cli.output import columns, write_lines
from runner.report.images import progress_text, sign_of_life

if TYPE_CHECKING:
    from runner.engine.images import Progress

OFTEN = 2.0  # seconds between two lines about bytes
BEAT = 5.0  # seconds between two lines about one step of a build
MOVING = 0.5  # the same on a terminal, where one line is written over and over
SILENT = 30.0  # seconds until it is told that nothing new is printed
_CLEAR = "\r\x1b[K"


class Telling:
    """Called with each Progress."""

    def __init__(self) -> None:
        self._of = ("", "")
        self._told = 0.0
        self._pulse: _Pulse | None = None

    def __call__(self, progress: Progress) -> None:
        if self._pulse is not None and progress.detail:
            self._pulse.detail = progress.detail
            return
        same_step = self._end_pulse() == (progress.image, progress.done)
        if progress.action == "build" and same_step:
            return  # it is over
        if (progress.image, progress.action) != self._of:
            self._of = (progress.image, progress.action)
            write_lines(sys.stderr, [f"{progress.action}ing {progress.image}"])
            self._told = time.monotonic()
        now = time.monotonic()
        if progress.action == "build" or now - self._told >= OFTEN or progress.done == progress.total:
            self._told = now
            write_lines(sys.stderr, [f"  {progress_text(progress._asdict(), columns(sys.stderr) - 2)}"])
        if progress.action == "build":
            self._pulse = _Pulse((progress.image, progress.done))
            self._pulse.start()

    def _end_pulse(self) -> tuple[str, int]:
        pulse, self._pulse = self._pulse, None
        if pulse is None:
            return "", 0
        pulse.end()
        return pulse.step


class _Pulse(threading.Thread):
    """Tells that a step of a build goes on, and what it said last."""

    def __init__(self, step: tuple[str, int]) -> None:
        super().__init__(daemon=True, name="runner-building")
        self.step = step
        self.detail = ""
        self._over = threading.Event()
        self._in_place = colored(sys.stderr)
        self._drawn = False

    def run(self) -> None:
        began = told = time.monotonic()
        before = ""
        while not self._over.wait(MOVING if self._in_place else BEAT):
            now, detail = time.monotonic(), self.detail
            text = f"    {sign_of_life(detail, now - began, columns(sys.stderr) - 5)}"
            if self._in_place:
                self._drawn = True
                sys.stderr.write(f"{_CLEAR}{text}")
                sys.stderr.flush()
            elif detail != before or now - told >= SILENT:
                before, told = detail, now
                write_lines(sys.stderr, [text])

    def end(self) -> None:
        self._over.set()
        self.join()
        if self._drawn:
            sys.stderr.write(_CLEAR)
            sys.stderr.flush()

"""A run on a terminal: what has happened scrolls by, what is going on stands below it and moves."""

from __future__ import annotations

import os
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from runner.records import ENDED, RETRYING, RUNNING, Event, LogLines
from runner.report.text import NAMES, Story
from runner.report.words import duration, middle

ROWS = 8  # steps shown at once below the scrolling lines
STYLES = {
    "step_succeeded": "green",
    "step_cached": "cyan",
    "step_failed": "red",
    "step_waiting": "yellow",
    "step_retrying": "yellow",
    "step_skipped": "yellow",
    "step_cancelled": "yellow",
}


@contextmanager
def view(story: Story, now: Now) -> Iterator[Callable[[Event | LogLines], None]]:
    """A place to tell events to while the view is up."""
    console = Console(highlight=False)
    with _quiet_keys(), Live(now, console=console, refresh_per_second=8, transient=True) as live:

        def tell(item: Event | LogLines) -> None:
            now.see(item)
            style = "dim" if isinstance(item, LogLines) else STYLES.get(item.event, "")
            for line in story.lines(item):
                live.console.print(Text.from_ansi(line, style=style), soft_wrap=True)

        yield tell


@contextmanager
def _quiet_keys() -> Iterator[None]:
    """Keeps the terminal from writing `^C` into the view when it is pressed."""
    if sys.stdin is None or not sys.stdin.isatty():  # None: it was closed
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    quiet = termios.tcgetattr(sys.stdin)
    quiet[3] &= ~termios.ECHOCTL
    _set_keys(quiet)
    try:
        yield
    finally:
        _set_keys(before)


def _set_keys(attributes: list[Any]) -> None:
    # In the background the terminal is not ours to set: trying would stop the process. Nor is one that has hung up.
    with suppress(OSError, termios.error):
        if os.getpgrp() == os.tcgetpgrp(sys.stdin.fileno()):
            termios.tcsetattr(sys.stdin, termios.TCSANOW, attributes)


class Now:
    """What is going on: the steps at work, each with its time, and how far the run is."""

    def __init__(self, waves: Mapping[str, int]) -> None:
        self.waves = waves
        self.started = time.time()
        self.working: dict[str, tuple[str, float]] = {}
        self.ended: set[str] = set()
        self.spinner = Spinner("dots")
        self.stopping = False

    def see(self, item: Event | LogLines) -> None:
        """Take note of an event."""
        if isinstance(item, LogLines) or item.step is None or item.event == "step_waiting":
            return
        status = {"step_started": RUNNING, "step_retrying": RETRYING}.get(item.event)
        # A copy: the view is drawn by a thread of its own, which walks over this mapping meanwhile.
        rest = {name: at for name, at in self.working.items() if name != item.step}
        self.working = {**rest, item.step: (status, item.time)} if status else rest
        if item.event.removeprefix("step_") in ENDED:
            self.ended.add(item.step)

    def stop(self) -> None:
        """The run has been asked to stop. Called by a signal handler: the view says so when it is drawn next."""
        self.stopping = True

    def __rich__(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        working, now = self.working, time.time()
        for name, (status, since) in list(working.items())[:ROWS]:
            table.add_row(
                self.spinner,
                middle(name, NAMES),
                "" if status == RUNNING else "waits to be tried again",
                duration(now - since),
            )
        more = len(working) - ROWS
        if more > 0:
            table.add_row("", f"and {more} more", "", "")
        table.add_row("", self._progress(working), "", duration(now - self.started), style="bold")
        return table

    def _progress(self, working: Mapping[str, object]) -> str:
        if self.stopping:
            return "stopping the run; once more to leave at once"
        last = max(self.waves.values(), default=0)
        first = min(self.waves.values(), default=0)
        wave = min((self.waves.get(name, last) for name in working), default=last)
        return f"{len(self.ended)}/{len(self.waves)} steps, wave {wave - first + 1} of {last - first + 1}"

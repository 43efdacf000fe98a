"""A run shown while it goes: as plain lines, as a live view on a terminal, or as JSON lines."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping

from runner.cli.interrupt import interruptible
from runner.cli.options import colored
from runner.cli.output import columns, write_lines
from runner.engine.history import ledger_of
from runner.engine.record import is_detached
from runner.errors import Interrupted, RunFailed
from runner.project import Project
from runner.records import CANCELLED, RUN_ENDS, RUNNING, SUCCEEDED, Event, LogLines, Run
from runner.report.text import Story, closing, event_facts, log_lines

LIVE = 500  # more steps than this are told in plain lines on a terminal too: drawing would cost more than running
Happened = Iterator[Event | LogLines]


def show(
    events: Happened,
    format_: str,
    *,
    cancel: Callable[[str], None],
    waves: Mapping[str, int] | None = None,
    recorded: Callable[[], Run] | None = None,
) -> int:
    """Show a run until it ends; returns the exit code that its end deserves.

    `cancel` asks the run of this id to stop, at Ctrl-C; `waves` are its steps', for the live view; `recorded` gives the
    whole run where these events are only its later part, as when it is resumed.
    """
    gc.freeze()  # what start-up made stays; from here on a long run's garbage is looked for again
    gc.enable()
    if format_ == "json":
        return _tell_json(interruptible(events, cancel))
    live = waves if waves is not None and len(waves) <= LIVE and _can_draw() else None
    story = Story(short=live is not None)
    try:
        if live is not None:
            _tell_live(events, story, live, cancel)
        else:
            for item in interruptible(events, cancel):
                write_lines(sys.stdout, story.lines(item))
    except KeyboardInterrupt:
        if not story.events:
            raise
        run_id = story.run.run_id
        if is_detached(story.events):
            print(f"\nrun {run_id} goes on without this terminal\n{_how_to_go_on(run_id)}", file=sys.stderr)
            return Interrupted.exit_code
        raise Interrupted(f"run {run_id} was left in the middle", f"go on with: runner runs resume {run_id}") from None
    if story.run.status == RUNNING:
        write_lines(sys.stdout, ["", f"run {story.run.run_id} goes on in its engine", _how_to_go_on(story.run.run_id)])
        return 0
    run = recorded() if recorded else story.run
    later = story.run if recorded else None
    told = closing(run, story.tails, color=colored(sys.stdout), width=columns(sys.stdout), later=later)
    write_lines(sys.stdout, ["", told])
    return exit_code(run.status)


def request_cancel(project: Project, run_id: str) -> None:
    """Ask whoever walks this run to stop it; returns at once."""
    ledger_of(project, run_id).ledger.request_cancel(run_id)


def exit_code(status: str) -> int:
    """What a run that ended so leaves behind, or one that was only started."""
    if status in (SUCCEEDED, RUNNING):
        return 0
    return Interrupted.exit_code if status == CANCELLED else RunFailed.exit_code


def _can_draw() -> bool:
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _tell_live(events: Happened, story: Story, waves: Mapping[str, int], cancel: Callable[[str], None]) -> None:
    from runner.cli.live import Now, view  # rich takes a while to import, and only a terminal needs it

    now = Now(waves)
    with view(story, now) as tell:
        for item in interruptible(events, cancel, now.stop):
            tell(item)


def _how_to_go_on(run_id: str) -> str:
    look, follow = f"look at it: runner runs show {run_id}", f"follow it: runner runs logs -f {run_id}"
    return f"{look}; {follow}; stop it: runner runs cancel {run_id}"


def _tell_json(events: Happened) -> int:
    """One event a line on stdout, what steps print on stderr; returns the exit code."""
    status = ""
    for item in events:
        if isinstance(item, LogLines):
            write_lines(sys.stderr, [f"{item.step} | {line}" for line in log_lines(item.text)])
        else:
            if item.step is None:
                status = item.event.removeprefix("run_") if item.event in RUN_ENDS else RUNNING
            write_lines(sys.stdout, [json.dumps(event_facts(item), ensure_ascii=False, default=str)])
    return exit_code(status)

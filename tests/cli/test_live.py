"""What stands below the scrolling lines on a terminal."""

from __future__ import annotations

import io
import time

import pytest
from rich.console import Console

from runner.cli import live
from runner.cli.live import Now, view
from runner.records import Event, LogLines
from runner.report.text import Story


def drawn(now: Now) -> str:
    stream = io.StringIO()
    Console(file=stream, width=100).print(now)
    return stream.getvalue()


def test_it_shows_the_steps_at_work_and_the_wave() -> None:
    now = Now({"load": 1, "fit": 2, "tune": 2})
    now.see(Event("step_started", "r", 1.0, "load", 1))
    now.see(Event("step_succeeded", "r", 2.0, "load", 1))
    now.see(Event("step_started", "r", time.time(), "fit", 1))
    text = drawn(now)
    assert "fit" in text and "load" not in text
    assert "1/3 steps, wave 2 of 2" in text


def test_a_step_between_two_attempts_is_shown_as_waiting() -> None:
    now = Now({"fit": 1})
    now.see(Event("step_retrying", "r", time.time(), "fit", 1))
    assert "waits to be tried again" in drawn(now)


def test_a_step_that_waits_for_room_stays_in_view() -> None:
    now = Now({"fit": 1})
    now.see(Event("step_started", "r", time.time(), "fit", 1))
    now.see(Event("step_waiting", "r", time.time(), "fit", 1, {"reason": "no room"}))
    assert "fit" in drawn(now)


def test_more_steps_than_rows_are_counted() -> None:
    now = Now({f"s{n}": 1 for n in range(20)})
    for n in range(20):
        now.see(Event("step_started", "r", 1.0, f"s{n}", 1))
    assert f"and {20 - live.ROWS} more" in drawn(now)


def test_lines_scroll_above(capsys: pytest.CaptureFixture[str]) -> None:
    with view(Story(), Now({"load": 1})) as tell:
        tell(Event("step_started", "r", time.time(), "load", 1))
        tell(LogLines("load", 1, "[not markup]\n"))
    assert "load        | [not markup]" in capsys.readouterr().out


def test_a_run_that_stops_says_so_in_the_view() -> None:
    now = Now({"load": 1})
    now.stop()
    assert "stopping the run" in drawn(now)


def test_long_names_are_cut_in_the_middle(capsys: pytest.CaptureFixture[str]) -> None:
    with view(Story(short=True), Now({"x" * 60: 1})) as tell:
        tell(Event("step_started", "r", time.time(), "x" * 60, 1))
    assert "xxx…xxx" in capsys.readouterr().out

"""How a run is shown: in lines, as JSON, on a terminal; and what its end is worth."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator

import pytest

from runner.cli.output import write_lines
from runner.cli.show import exit_code, show
from runner.errors import Interrupted
from runner.records import Event, LogLines, Run

Happened = Event | LogLines


def never(run_id: str) -> None:
    raise AssertionError("nobody asked to cancel")


def train(end: str = "run_succeeded") -> Iterator[Happened]:
    yield Event("run_started", "r1", 0.0, data={"pipeline": "train", "stack": "default", "steps": ["load"]})
    yield Event("step_started", "r1", 1.0, "load", 1)
    yield LogLines("load", 1, "hello\n")
    yield Event("step_succeeded", "r1", 2.5, "load", 1, {"outputs": {}})
    yield Event(end, "r1", 3.0)


def test_plain_lines_and_a_closing_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(train(), "text", cancel=never) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "run r1: train on stack default",
        "load        started",
        "load        | hello",
        "load        succeeded in 1.5 s",
    ]
    assert lines[-1] == "run r1 succeeded in 3.0 s: 1 step, 1 succeeded"


def test_json_has_one_event_a_line_and_log_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(train(), "json", cancel=never) == 0
    captured = capsys.readouterr()
    events = [json.loads(line) for line in captured.out.splitlines()]
    assert [event["event"] for event in events] == ["run_started", "step_started", "step_succeeded", "run_succeeded"]
    assert events[1] == {
        "event": "step_started",
        "run_id": "r1",
        "time": "1970-01-01T00:00:01.000Z",
        "step": "load",
        "attempt": 1,
    }
    assert captured.err == "load | hello\n"


@pytest.mark.parametrize("format_", ["text", "json"])
@pytest.mark.parametrize(("end", "code"), [("run_succeeded", 0), ("run_failed", 1), ("run_cancelled", 130)])
def test_the_exit_code_is_how_it_ended(format_: str, end: str, code: int) -> None:
    assert show(train(end), format_, cancel=never) == code


def test_a_run_without_an_end_has_not_succeeded() -> None:
    assert exit_code("") == 1


def test_a_resumed_run_closes_with_the_whole_record(capsys: pytest.CaptureFixture[str]) -> None:
    whole = Run("r1", "train", "default", "succeeded", 0.0, 60.0)
    show(train(), "text", cancel=never, recorded=lambda: whole)
    assert "run r1 succeeded in 3.0 s since it was resumed" in capsys.readouterr().out


def test_a_run_goes_on_when_its_reader_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert show(train(), "text", cancel=never) == 0
        write_lines(stream, ["nothing is raised"])


def test_nothing_is_written_for_no_lines() -> None:
    stream = io.StringIO()
    write_lines(stream, [])
    assert stream.getvalue() == ""


def test_a_run_that_is_left_says_how_to_go_on() -> None:
    def left() -> Iterator[Happened]:
        yield next(train())
        raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        show(left(), "text", cancel=never)
    assert caught.value.help == "go on with: runner runs resume r1"

"""Recorded runs, told as text: beside each recording stands what a user reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest

from runner.records import Artifact, Event, Failure, LogLines, Run, StepRun
from runner.report.text import (
    Story,
    artifacts_table,
    closing,
    event_facts,
    failure_line,
    failure_report,
    log_lines,
    run_details,
    runs_table,
    steps_table,
    summary,
)

FOLDER = Path(__file__).parents[1] / "golden" / "report"
RECORDINGS = ["succeeded", "failed", "cancelled"]
Golden = Callable[[str, str], None]


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    def compare(name: str, text: str) -> None:
        path = FOLDER / name
        if request.config.getoption("--golden", default=False):
            path.write_text(text + "\n")
        assert text + "\n" == path.read_text()

    return compare


def recorded(name: str) -> list[Event | LogLines]:
    items = [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]
    return [LogLines(item["log"], item["attempt"], item["text"]) if "log" in item else Event(**item) for item in items]


def told(name: str) -> tuple[Story, list[str]]:
    story = Story()
    return story, [line for item in recorded(name) for line in story.lines(item)]


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_run_as_it_goes_and_its_closing(name: str, golden: Golden) -> None:
    story, lines = told(name)
    golden(f"{name}.run.txt", "\n".join([*lines, "", closing(story.run, story.tails)]))


@pytest.mark.parametrize("name", RECORDINGS)
def test_a_run_looked_at_later(name: str, golden: Golden) -> None:
    golden(f"{name}.show.txt", run_details(told(name)[0].run, zone=UTC))


def test_runs_in_a_table(golden: Golden) -> None:
    golden("runs.txt", runs_table([told(name)[0].run for name in RECORDINGS], zone=UTC))


def test_artifacts_in_a_table(golden: Golden) -> None:
    run = told("succeeded")[0].run
    golden(
        "artifacts.txt",
        artifacts_table([(s.name, name, artifact) for s in run.steps.values() for name, artifact in s.outputs.items()]),
    )


def test_events_as_json_lines(golden: Golden) -> None:
    events = [item for item in recorded("failed") if isinstance(item, Event)]
    golden("failed.json.txt", "\n".join(json.dumps(event_facts(event)) for event in events))


def test_no_runs_says_how_to_start_one() -> None:
    assert "runner run PIPELINE" in runs_table([])


def test_no_artifacts() -> None:
    assert artifacts_table([]) == "no artifacts"


def test_log_lines_show_the_last_state_of_a_progress_bar() -> None:
    assert log_lines(" 10%\r 99%\r\nnext\r\n") == [" 99%", "next"]


def test_an_empty_log_line_stays() -> None:
    assert log_lines("a\n\nb\n") == ["a", "", "b"]


def test_only_the_last_twenty_lines_are_shown_again() -> None:
    text = failure_report(StepRun("fit", "failed"), [str(n) for n in range(50)])
    assert "| 30\n" in text and "| 29\n" not in text


def test_a_traceback_is_not_shown_twice() -> None:
    error = Failure("exception", "no", "ValueError", traceback="Traceback:\n  line\nValueError: no\n")
    text = failure_report(StepRun("fit", "failed", error=error), ["before", "Traceback:", "  line", "ValueError: no"])
    assert text.endswith("its last lines:\n    | before")


def test_a_new_attempt_forgets_what_the_last_one_printed() -> None:
    story = Story()
    story.lines(LogLines("fit", 1, "old\n"))
    story.lines(Event("step_started", "r", 0.0, "fit", 2))
    assert "fit" not in story.tails


def test_a_reason_stands_in_for_an_exception() -> None:
    assert failure_line(Failure("out-of-memory", "")) == "it took more memory than it was given"
    assert failure_line(Failure("timeout", "it took longer than its timeout of 2 s")) == (
        "it took longer than its timeout of 2 s"
    )


def test_an_exception_without_a_message_is_its_type() -> None:
    assert failure_line(Failure("exception", "", "KeyError")) == "KeyError"


def test_a_failure_without_a_record_says_so() -> None:
    assert failure_report(StepRun("fit", "failed")) == "step 'fit' failed\n  no reason was recorded"


def test_a_large_run_closes_with_what_needs_a_look() -> None:
    steps = {f"s{n}": StepRun(f"s{n}", "succeeded", 1) for n in range(500)}
    steps["bad"] = StepRun("bad", "failed", 1, error=Failure("exception", "no", "ValueError"))
    text = closing(Run("r", "p", "s", "failed", 0.0, 1.0, steps=steps))
    assert "bad " in text and "s17" not in text
    assert "501 steps, 500 succeeded, 1 failed" in text


def test_colour_is_on_the_status_alone() -> None:
    line = steps_table([StepRun("failed", "failed", 1)], color=True).splitlines()[1]
    assert line.startswith("failed  \x1b[31mfailed\x1b[0m")


def test_a_run_that_has_not_ended_has_no_time() -> None:
    assert summary(Run("r", status="running", started=1.0, steps={})) == "run r running: 0 steps"


def test_many_outputs_are_cut_short() -> None:
    outputs = {f"o{n}": Artifact("u", "json", 10, "d") for n in range(6)}
    assert steps_table([StepRun("s", "succeeded", 1, outputs=outputs)], width=200).endswith(
        "o3 (json, 10 B), and 2 more"
    )


def test_a_run_without_steps_or_parameters_is_told_all_the_same() -> None:
    assert steps_table([]) == ""
    text = run_details(Run("r1", "p", "s", "failed", started=0.0, reason="it could not start"), zone=UTC)
    assert "status    failed: it could not start" in text and "parameters" not in text


def test_an_error_at_the_end_of_a_log_is_not_told_twice() -> None:
    story = Story()
    error = {"reason": "exception", "type": "ValueError", "message": "no"}
    assert story.lines(LogLines("fit", 1, "Traceback:\nValueError: no\n")) == ["fit         | Traceback:"]
    lines = story.lines(Event("step_failed", "r", 1.0, "fit", 1, {"error": error}))
    assert lines == ["fit         failed: ValueError: no"]
    assert list(story.tails["fit"]) == ["Traceback:", "ValueError: no"]


def test_a_line_that_only_looks_like_the_error_is_told_before_what_follows() -> None:
    story = Story()
    story.lines(LogLines("fit", 1, "ValueError: caught\n"))
    assert story.lines(LogLines("fit", 1, "on\n")) == ["fit         | ValueError: caught", "fit         | on"]


def test_the_last_lines_are_left_out_when_they_repeat_the_error() -> None:
    error = Failure("cannot-save", "the disk is full")
    text = failure_report(StepRun("fit", "failed", error=error), ["error: the disk is full"])
    assert text.endswith("\n  the disk is full")


def test_several_failed_steps_are_counted_in_the_closing_line() -> None:
    steps = {name: StepRun(name, "failed", 1) for name in "abc"}
    assert "(step 'b' and 2 more failed)" in summary(Run("r", status="failed", steps=steps, reason="step 'b' failed"))


def test_tables_fit_a_terminal() -> None:
    outputs = {f"output-{n}": Artifact("u", "json", 10, "d") for n in range(4)}
    lines = steps_table([StepRun("s" * 40, "succeeded", 1, outputs=outputs)], width=80).splitlines()
    assert len(lines) > 2 and max(map(len, lines)) <= 80


def test_parameters_are_shown_as_json() -> None:
    run = Run("r1", "p", "s", "succeeded", parameters={"quick": True, "sizes": [1, 2], "name": "ü"})
    assert "  quick  true\n  sizes  [1, 2]\n  name   ü" in run_details(run, zone=UTC)


def test_an_attempt_that_was_taken_over_goes_on() -> None:
    event = Event("step_started", "r1", 10.0, "a", 2, {"adopted": True, "running_for": 12.3})
    assert Story().lines(event) == ["a           goes on (attempt 2, begun 12.3 s ago)"]


def test_what_a_step_waits_for_and_its_time_goes_on() -> None:
    story = Story()
    events = [
        Event("step_started", "r", 1.0, "greedy", 1),
        Event("step_waiting", "r", 2.0, "greedy", 1, {"reason": "1 Insufficient cpu."}),
        Event("step_failed", "r", 4.0, "greedy", 1),
    ]
    told = [line for event in events for line in story.lines(event)]
    assert told[1] == "greedy      waits: 1 Insufficient cpu." and "failed after 3" in told[2]


def test_of_an_engine_that_tries_again_by_itself_nobody_says_when() -> None:
    error = {"reason": "exception", "message": "no", "type": "ValueError", "frames": [], "traceback": ""}
    lines = {
        delay: Story().lines(Event("step_retrying", "r1", 2.0, "a", 1, {"error": error} | said))[-1]
        for delay, said in {"": {}, "now": {"delay": 0.0}, "later": {"delay": 3.0}}.items()
    }
    assert [lines[each].rpartition("; ")[2] for each in lines] == [
        "tried again",
        "tried again at once",
        "tried again in 3 s",
    ]


def test_what_a_step_waits_for_and_where_its_engine_shows_it_are_told() -> None:
    waits = StepRun("a", reason="0/3 nodes are available")
    text = run_details(Run("r1", "p", "s", "running", 1.0, steps={"a": waits}, url="https://engine.example.com/r1"))
    assert "engine    https://engine.example.com/r1" in text and "waits for\n  a  0/3 nodes are available" in text

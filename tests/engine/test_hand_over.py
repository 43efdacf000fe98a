"""A run handed over to an engine that carries it without whoever submitted it: here an orchestrator of one's own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

AWAY = '''
"""Steps as on this machine, walked by a controller of their own, which is started anew when it was killed."""
import json, os, subprocess, sys, time
from pathlib import Path
from runner.errors import EngineError
from runner.orchestrators.base import Submission
from runner.orchestrators.flavors.local.orchestrator import LocalOrchestrator
from runner.records import LogLines

AGAIN = """
import os, subprocess, sys
for _ in range(9):  # and not for ever: a test that fails leaves it behind
    if not subprocess.call(sys.argv[1:]) or "AWAY_ONCE" in os.environ:
        break
"""

class Away(LocalOrchestrator):
    flavor = "away"
    detaches = True

    def submit(self, bundle, stack):
        if os.environ.get("AWAY_REFUSES"):
            raise EngineError("the engine is closed today", "come back tomorrow")
        if os.path.exists(bundle.run_id) and stack.done is None:  # submitted twice
            return Submission(bundle.run_id, self.flavor, {})
        Path(bundle.run_id).touch()
        command = [sys.executable, "-m", "runner", "controller", "--run-id", bundle.run_id]
        command += ["--artifact-store", json.dumps(stack.ledger.settings)]
        away = {"cwd": bundle.deployment.project, "start_new_session": True, "stdin": subprocess.DEVNULL}
        with open("controller.txt", "ab") as out:
            process = subprocess.Popen([sys.executable, "-c", AGAIN, *command], stdout=out, stderr=out, **away)
        return Submission(bundle.run_id, self.flavor, {"pid": process.pid})

    def control(self, submission, stack):
        deployment = stack.ledger.deployment(submission.run_id)
        Path(deployment.project, "controller.pid").write_text(str(os.getpid()))
        yield from LocalOrchestrator.watch(self, submission, stack._replace(folder=Path(deployment.project, ".away")))

    def watch(self, submission, stack):
        Path("watched.txt").touch()
        told, lines = 0, {}
        while True:
            events = stack.ledger.events(submission.run_id) or []
            for attempt in {(each.step, each.attempt) for each in events if each.event == "step_started"}:
                if text := stack.ledger.log(submission.run_id, *attempt)[lines.get(attempt, 0) :]:
                    lines[attempt] = lines.get(attempt, 0) + len(text)
                    yield LogLines(*attempt, text)
            yield from events[told:]
            told = max(told, len(events))
            if told and events[-1].event in ("run_succeeded", "run_failed", "run_cancelled"):
                return
            time.sleep(0.1)

    def cancel(self, submission, stack):
        Path("cancelled.txt").write_text(json.dumps(submission.handle))
        folder = Path(stack.ledger.deployment(submission.run_id).project, ".away")
        LocalOrchestrator.cancel(self, submission, stack._replace(folder=folder))
'''


@pytest.fixture
def away(machines: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The project `a`, whose runs are carried by such an engine; `b` and `c` look on."""
    monkeypatch.setenv("PYTHONPATH", str(machines.a.folder))
    for folder in (machines.a.folder, machines.c.folder):
        (folder / "away.py").write_text(AWAY)
        stack = folder / "stacks" / "parallel.yaml"
        stack.write_text(stack.read_text().replace("flavor: local,", 'flavor: "away:Away",', 1))
    return machines


TALK = """
import sys, time
def talk(text, until):
    for number in range(3):
        print(text, number, flush=True)
    while not __import__("os").path.exists(until):
        time.sleep(0.05)
    print(text, "ends", flush=True)
"""
TALKS = """
kind: pipeline
name: talks
stack: parallel
defaults: {cache: false}
steps:
  left: {entrypoint: "talk:talk", parameters: {text: from the left, until: heard}}
  right: {entrypoint: "talk:talk", parameters: {text: from the right, until: heard}}
"""


def talks(away: Any, tools: Any) -> str:
    """The id of a run whose steps talk until there is a file `heard`."""
    (away.a.folder / "talk.py").write_text(TALK)
    (away.a.folder / "talks.yaml").write_text(TALKS)
    run_id: str = away.a.json("run", "talks.yaml", "--detach")["run_id"]
    tools.until(lambda: "from the left 2" in away.b("runs", "logs", run_id))
    return run_id


def lines(text: str) -> list[str]:
    return [f"{text} {word}" for word in (0, 1, 2, "ends")]


def controller(away: Any) -> int:
    return int((away.a.folder / "controller.pid").read_text())


def is_carried(away: Any, run_id: str) -> bool:
    return away.status(run_id) == "running" and (away.a.folder / "controller.pid").exists()


def test_a_run_is_followed_to_its_end(away: Any) -> None:
    run = away.a.start("run", "work.yaml")
    assert run.end() == 0, run.errors
    assert [run.told[0]["event"], run.told[-1]["event"]] == ["run_started", "run_succeeded"]
    assert sum(told["event"] == "run_started" for told in run.told) == 1
    assert set(away.a.ran().values()) == {1}
    assert away.a.json("runs", "show", "last")["status"] == away.status(run.run_id) == "succeeded"


def test_its_controller_says_at_its_end_what_it_took(away: Any, tools: Any) -> None:
    assert away.a.start("run", "quick.yaml").end() == 0
    said = away.a.folder / "controller.txt"
    tools.until(lambda: "requests: none\n" in said.read_text())
    took = said.read_text().splitlines()[-1]
    assert re.fullmatch(r"controller: peak memory [1-9]\d* MB; requests: none", took)


def test_a_failed_run_is_told_and_resumed(away: Any) -> None:
    run = away.a.start("run", "broken.yaml")
    assert run.end() == 1, run.errors
    (away.a.folder / "fixed").touch()
    resumed = away.a.start("runs", "resume", run.run_id)
    assert resumed.end() == 0, resumed.errors
    assert (away.a.ran(), away.status(run.run_id)) == ({"good": 1, "bad": 2}, "succeeded")


def test_a_run_goes_on_when_nobody_follows_it(away: Any, tools: Any) -> None:
    told = away.a.json("run", "work.yaml", "--detach")
    assert told["event"] == "run_started"
    tools.until(lambda: away.status(told["run_id"]) == "succeeded")
    assert away.a.json("runs", "show", "last")["status"] == "succeeded"
    assert away.a.json("runs", "list")[0]["status"] == "succeeded"


def test_who_follows_may_leave(away: Any, tools: Any) -> None:
    run = away.a.start("run", "work.yaml")
    assert run.read("step_started")
    run.process.send_signal(signal.SIGINT)
    assert run.end() == 130
    tools.until(lambda: away.status(run.run_id) == "succeeded")
    assert set(away.a.ran().values()) == {1}


def test_a_killed_controller_is_followed_by_another_one(away: Any, tools: Any) -> None:
    run = away.a.start("run", "work.yaml")
    tools.until(lambda: away.a.ran()["left"])  # the events of a bucket come every few seconds, and it may be over then
    os.kill(controller(away), signal.SIGKILL)
    assert run.end() == 0, run.errors
    assert away.a.ran()["first"] == 1
    assert away.status(run.run_id) == "succeeded"


def test_a_controller_that_is_told_to_leave_leaves_the_run_to_the_next(away: Any, tools: Any) -> None:
    run = away.a.start("run", "work.yaml")
    tools.until(lambda: away.a.ran()["left"])
    os.kill(controller(away), signal.SIGTERM)
    assert run.end() == 0, run.errors
    assert (away.a.ran()["first"], away.status(run.run_id)) == (1, "succeeded")


def test_a_run_that_is_submitted_twice_is_one_run(away: Any, tools: Any) -> None:
    first = away.a.start("run", "work.yaml", "--run-id", "one")
    assert first.read("step_succeeded", "first")
    second = away.a.start("run", "work.yaml", "--run-id", "one")
    assert (first.end(), second.end()) == (0, 0), second.errors
    assert set(away.a.ran().values()) == {1}
    assert {run["status"] for run in away.a.json("runs", "list")} == {away.status("one")} == {"succeeded"}


def test_until_another_controller_comes_it_goes_on(away: Any, tools: Any) -> None:
    run = away.a.start("run", "slow.yaml", env=os.environ | {"AWAY_ONCE": "1"})
    assert run.read("step_started", "slow")
    os.kill(controller(away), signal.SIGKILL)
    told = "running" if "s3" in (away.folder / "shared.yaml").read_text() else "interrupted"
    tools.until(lambda: away.status(run.run_id) == told)
    assert away.b("runs", "cancel", run.run_id) == f"run {run.run_id} is cancelled\n"


def test_what_was_not_followed_is_known_here_when_it_is_resumed(away: Any, tools: Any) -> None:
    run_id = away.a.json("run", "slow.yaml", "--detach")["run_id"]
    tools.until(lambda: {"slow", "other"} <= set(away.a.ran()))
    away.b("runs", "cancel", run_id)
    steps = away.a.folder / "kept_steps.py"
    steps.write_text(steps.read_text().replace("work(name, 60)", "work(name)"))
    resumed = away.a.start("runs", "resume", run_id)
    assert resumed.end() == 0, resumed.errors
    told = away.a.json("runs", "show", run_id)["steps"]
    assert {name: step["status"] for name, step in told.items()} == dict.fromkeys(told, "succeeded")


def test_it_is_cancelled_from_elsewhere(away: Any, tools: Any) -> None:
    run = away.a.start("run", "slow.yaml")
    assert run.read("step_started", "slow")
    tools.until(lambda: is_carried(away, run.run_id))
    assert away.b("runs", "cancel", run.run_id) == f"run {run.run_id} is cancelled\n"
    assert (run.end(), away.status(run.run_id)) == (130, "cancelled")
    assert not (Path(away.folder) / "cancelled.txt").exists()


def test_an_engine_that_refuses_a_run_ends_it(away: Any) -> None:
    done = away.a.runner("run", "quick.yaml", env=os.environ | {"AWAY_REFUSES": "1"})
    assert (done.returncode, "the engine is closed today" in done.stderr) == (5, True)
    (run,) = away.a.json("runs", "list")
    assert (run["status"], run["reason"]) == ("failed", "the engine is closed today")
    assert away.status(run["run_id"]) == "failed"


def test_its_lines_are_followed_where_it_runs(away: Any, tools: Any) -> None:
    run_id = talks(away, tools)
    with following(away, run_id) as logs:
        tools.until((away.folder / "watched.txt").exists)
        (away.a.folder / "heard").touch()
        told, notes = logs.communicate(timeout=120)
    found = [(line.split("|")[0].strip(), line.partition("| ")[2]) for line in told.splitlines()]
    assert [text for step, text in found if step == "left"] == lines("from the left")
    assert [text for step, text in found if step == "right"] == lines("from the right")
    assert notes.endswith(": succeeded\n") and notes.count("\n") == 1


def test_the_lines_of_one_step_are_followed(away: Any, tools: Any) -> None:
    run_id = talks(away, tools)
    with following(away, run_id, "--step", "right") as logs:
        (away.a.folder / "heard").touch()
        told, _ = logs.communicate(timeout=120)
    assert told.splitlines() == lines("from the right")


def test_where_its_engine_is_not_known_its_lines_come_from_the_artifact_store(
    away: Any, tools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = talks(away, tools)
    monkeypatch.delenv("PYTHONPATH")
    with following(away, run_id) as logs:
        assert logs.stdout is not None and "from the" in logs.stdout.readline()
        (away.a.folder / "heard").touch()
        told, notes = logs.communicate(timeout=120)
    assert [line for line in told.splitlines() if "ends" in line] and not (away.folder / "watched.txt").exists()
    note, end = notes.splitlines()
    assert note.startswith("note: its engine cannot be followed from here: ") and end.startswith("run ")


def following(away: Any, run_id: str, *options: str) -> subprocess.Popen[str]:
    """`runs logs -f`, in the folder that has the stack's file and nothing else."""
    command = [sys.executable, "-m", "runner", "runs", "logs", "-f", run_id, "--stack", "shared.yaml", *options]
    return subprocess.Popen(command, cwd=away.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

"""A run handed over to an engine that carries it without whoever submitted it: here an orchestrator of one's own."""

from __future__ import annotations

import os
import signal
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

AGAIN = """
import os, subprocess, sys
while subprocess.call(sys.argv[1:]):
    if "AWAY_ONCE" in os.environ:
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
        told = 0
        while True:
            events = stack.ledger.events(submission.run_id) or []
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
    assert run.read("step_succeeded", "first")
    os.kill(controller(away), signal.SIGKILL)
    assert run.end() == 0, run.errors
    assert away.a.ran()["first"] == 1
    assert away.status(run.run_id) == "succeeded"


def test_a_controller_that_is_told_to_leave_leaves_the_run_to_the_next(away: Any, tools: Any) -> None:
    run = away.a.start("run", "work.yaml")
    assert run.read("step_succeeded", "join")
    os.kill(controller(away), signal.SIGTERM)
    assert run.end() == 0, run.errors
    assert {name: away.a.ran()[name] for name in ("first", "left", "join")} == {"first": 1, "left": 1, "join": 1}


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

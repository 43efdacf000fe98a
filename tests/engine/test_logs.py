"""What the steps of a run printed: read attempt by attempt, told once, whichever way it comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.local import LocalArtifactStore
from runner.engine import history
from runner.engine.logs import Printed, logs
from runner.errors import UsageError
from runner.project import Project
from runner.records import Event, LogLines, Run, StepRun
from runner.run_store.sqlite import SqliteRunStore


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(LocalArtifactStore(tmp_path / ".runner" / "artifacts"))


def test_logs_come_attempt_by_attempt(tmp_path: Path, ledger: Ledger) -> None:
    project = Project(tmp_path)
    store = SqliteRunStore(project.state / "runner.db")
    data = {"pipeline": "p", "stack": "s", "parameters": {}, "steps": ["a"], "artifact_store": ledger.settings}
    store.append(Event("run_started", "r1", 1.0, data=data), Event("run_failed", "r1", 2.0))
    store.close()
    ledger.put_log("r1", "a", 1, "one\nhalf")
    ledger.put_log("r1", "a", 2, "two\n")
    found = history.find(project, "r1")
    assert [(log.attempt, log.text) for log in logs(project, found)] == [(1, "one\nhalf"), (2, "two\n")]
    with pytest.raises(UsageError, match="has no step 'b'"):
        list(logs(project, found, "b"))


def run(**steps: str) -> Run:
    return Run("r1", status="running", steps={name: StepRun(name, status) for name, status in steps.items()})


def test_a_line_that_is_not_whole_waits_for_its_rest(ledger: Ledger) -> None:
    printed = Printed(ledger, ["a"])
    ledger.put_log("r1", "a", 1, "one\nha")
    assert [log.text for log in printed.new(run(a="running"))] == ["one\n"]
    ledger.put_log("r1", "a", 1, "one\nhalf")
    assert [log.text for log in printed.new(run(a="succeeded"))] == ["half"]
    assert list(printed.new(run(a="succeeded"))) == []


def test_what_the_ledger_told_an_engine_does_not_tell_again(ledger: Ledger) -> None:
    printed, heard = Printed(ledger, ["a"]), dict[tuple[str, int], int]()
    ledger.put_log("r1", "a", 1, "one\ntwo\n")
    assert [log.text for log in printed.new(run(a="running"))] == ["one\ntwo\n"]
    assert printed.beyond(LogLines("a", 1, "one\n"), heard) is None
    assert printed.beyond(LogLines("a", 1, "two\nthree\n"), heard) == LogLines("a", 1, "three\n")
    assert printed.beyond(LogLines("b", 1, "of a step that nobody asked for\n"), heard) is None


def test_what_an_engine_told_the_ledger_does_not_tell_again(ledger: Ledger) -> None:
    printed = Printed(ledger, ["a"])
    assert printed.beyond(LogLines("a", 1, "one\n"), {}) == LogLines("a", 1, "one\n")
    ledger.put_log("r1", "a", 1, "one\ntwo\n")
    assert [log.text for log in printed.new(run(a="succeeded"))] == ["two\n"]

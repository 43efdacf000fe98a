"""What has run: found, listed, stopped and forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.local import LocalArtifactStore
from runner.engine import history, lookup
from runner.engine.lock import walking
from runner.errors import StateError, UsageError
from runner.plan.deployment import DeployedStep, Deployment
from runner.project import Project
from runner.records import Event
from runner.run_store.sqlite import SqliteRunStore


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def record(project: Project, run_id: str, *events: str, time: float = 1.0, step: str | None = None) -> None:
    """A run with these events behind its first."""
    ledger = Ledger(LocalArtifactStore(project.state / "artifacts"))
    steps = {"a": DeployedStep("a", "m:f")}
    fields = {"orchestrator": {"flavor": "local"}}
    ledger.write_deployment(Deployment(run_id, "p", "s", "local", steps, ledger.settings, "/", **fields))
    store = SqliteRunStore(project.state / "runner.db")
    data = {"pipeline": "p", "stack": "s", "parameters": {}, "steps": ["a"], "artifact_store": ledger.settings}
    store.append(
        Event("run_started", run_id, time, data=data),
        *(Event(event, run_id, time, "a" if event.startswith("step_") else None, None, {}) for event in events),
    )
    store.close()


def test_nothing_has_run_yet(project: Project) -> None:
    assert history.recent(project, 5) == []
    with pytest.raises(UsageError, match="nothing has run"):
        history.find(project, "last")
    assert not project.state.exists()


def test_a_run_is_found_by_id_by_its_beginning_and_as_the_last(project: Project) -> None:
    record(project, "ab1", "run_succeeded", time=1.0)
    record(project, "ab2", "run_failed", time=2.0)
    assert [history.find(project, which).run_id for which in ("ab1", "ab2", "last")] == ["ab1", "ab2", "ab2"]
    with pytest.raises(UsageError, match="the start of 2 runs"):
        history.find(project, "ab")
    with pytest.raises(UsageError, match="there is no run 'x'"):
        history.find(project, "x")


def test_a_run_that_nobody_walks_is_interrupted(project: Project) -> None:
    record(project, "r1")
    found = history.find(project, "r1")
    assert found.status == history.recent(project, 1)[0].status == "interrupted"
    assert found.reason == "its process is gone; go on with: runner runs resume r1"
    with walking(project.state, "r1"):
        assert history.find(project, "r1").status == "running"


def test_a_run_that_ends_while_it_is_looked_at_is_not_called_interrupted(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(project, "r1")

    def ends(state: Path, run_id: str) -> bool:
        store = SqliteRunStore(state / "runner.db")
        store.append(Event("run_succeeded", run_id, 2.0))
        store.close()
        return False

    monkeypatch.setattr(lookup, "is_walked", ends)
    assert history.recent(project, 1)[0].status == "succeeded"


def test_an_interrupted_run_is_cancelled_with_its_steps(project: Project) -> None:
    record(project, "r1", "step_started")
    assert history.cancel(project, "r1") == "cancelled"
    found = history.find(project, "r1")
    assert (found.status, found.steps["a"].status) == ("cancelled", "cancelled")
    with pytest.raises(UsageError, match="has ended already: cancelled"):
        history.cancel(project, "r1")


def test_a_process_that_does_not_answer_is_told(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    record(project, "r1")
    monkeypatch.setattr(history, "CANCEL_PATIENCE", 0.1)
    with walking(project.state, "r1"), pytest.raises(StateError, match="is still going"):
        history.cancel(project, "r1")


def test_a_run_is_deleted_unless_it_is_going(project: Project) -> None:
    record(project, "r1")
    with walking(project.state, "r1"), pytest.raises(UsageError, match="still going"):
        history.delete(project, "r1")
    history.delete(project, "r1")
    assert history.recent(project, 5) == []
    assert not (project.state / "artifacts/runs/r1").exists()

"""A run from a request to its record, and what a resume may and may not do."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.stores import open_store
from runner.engine import history, lease
from runner.engine.prepare import Request, deployment_of, new_run_id, prepare
from runner.engine.run import changed_since, resume, start
from runner.errors import CannotPlan, StateError, UsageError
from runner.project import Project
from runner.records import Event
from runner.run_store.sqlite import SqliteRunStore

PIPELINE = """
kind: pipeline
name: p
defaults: {cache: false}
steps:
  a: {entrypoint: "run_steps:good"}
  b: {entrypoint: "run_steps:bad", inputs: {x: a}, resources: {cpu_count: 1}}
"""
STEPS = "def good(): return 1\ndef bad(x): raise ValueError('no')\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "runner.toml").touch()
    (tmp_path / "p.yaml").write_text(PIPELINE)
    (tmp_path / "run_steps.py").write_text(STEPS)
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def run(project: Project, run_id: str = "r1") -> list[str]:
    prepared = prepare(project, Request(project.root / "p.yaml"), {})
    return [event.event for event in start(prepared, run_id) if isinstance(event, Event)]


def mend(project: Project) -> None:
    (project.root / "run_steps.py").write_text(STEPS.replace("raise ValueError('no')", "return x + 1"))


def test_run_ids_sort_by_time() -> None:
    assert new_run_id(0.0).startswith("19700101-000000-")
    assert new_run_id(1.0) > new_run_id(0.0)


def test_every_event_is_on_disk_before_it_is_told(project: Project) -> None:
    told = 0
    for item in start(prepare(project, Request(project.root / "p.yaml"), {}), "r1"):
        if isinstance(item, Event):
            told += 1
            store = SqliteRunStore(project.state / "runner.db")
            assert len(store.events("r1")) == told
            store.close()
    assert told == 6


def test_preparing_writes_nothing(project: Project) -> None:
    prepared = prepare(project, Request(project.root / "p.yaml"), {})
    assert list(deployment_of(prepared, "r1").steps) == ["a", "b"]
    assert not project.state.exists()


def test_a_resume_needs_the_code_whatever_packages_a_step_requires(project: Project) -> None:
    text = PIPELINE.replace("defaults:", "settings: {image: {requirements: [pydantic]}}\ndefaults:")
    (project.root / "p.yaml").write_text(text)
    run(project)
    (project.root / "run_steps.py").unlink()
    with pytest.raises(StateError, match="there is no module 'run_steps'"):
        list(resume(project, "r1"))


def test_a_resume_runs_what_is_left(project: Project) -> None:
    assert run(project)[-1] == "run_failed"
    mend(project)
    events = [item for item in resume(project, "r1") if isinstance(item, Event)]
    assert [(event.event, event.step) for event in events] == [
        ("run_started", None),
        ("step_started", "b"),
        ("step_succeeded", "b"),
        ("run_succeeded", None),
    ]
    with pytest.raises(UsageError, match="nothing to resume"):
        list(resume(project, "r1"))


def test_a_resume_that_this_machine_cannot_carry_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    run(project)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set())
    with pytest.raises(StateError, match="cannot go on here: step 'b' asks for cpu_count 1"):
        list(resume(project, "r1"))
    assert history.find(project, "r1").status == "failed"


def test_a_plan_that_this_machine_cannot_carry_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set())
    with pytest.raises(CannotPlan):
        prepare(project, Request(project.root / "p.yaml"), {})


def test_a_run_store_that_fills_up_during_the_run_leaves_a_run_to_resume(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    mend(project)
    append = SqliteRunStore.append

    def full(self: SqliteRunStore, *events: Event) -> None:
        if any(event.event != "run_started" for event in events):
            raise StateError("the disk is full", "make room")
        append(self, *events)

    monkeypatch.setattr(SqliteRunStore, "append", full)
    with pytest.raises(StateError, match="the disk is full"):
        run(project)
    monkeypatch.undo()
    assert history.find(project, "r1").status == "interrupted"
    assert [item.event for item in resume(project, "r1") if isinstance(item, Event)][-1] == "run_succeeded"


def test_an_orchestrator_that_fails_before_the_first_event_leaves_a_failed_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.orchestrators.flavors.local.orchestrator import LocalOrchestrator

    def refuse(*given: Any) -> Any:
        raise StateError("out of reach", "try later")

    monkeypatch.setattr(LocalOrchestrator, "submit", refuse)
    with pytest.raises(StateError, match="out of reach"):
        run(project)
    found = history.find(project, "r1")
    assert (found.status, found.reason, list(found.steps)) == ("failed", "out of reach", ["a", "b"])


def test_a_document_changed_since_is_named(tmp_path: Path) -> None:
    project = Project(tmp_path)
    file = tmp_path / "p.yaml"
    (tmp_path / "noted.py").write_text("def f(): return 1\n")
    file.write_text('kind: pipeline\nname: p\nsteps:\n  a: {entrypoint: "noted:f"}\n')
    list(start(prepare(project, Request(file), {}), "r1"))
    assert changed_since(project, "r1") is None
    file.write_text(file.read_text() + "# another thought\n")
    assert changed_since(project, "r1") == project.shown(file)


def test_a_run_that_another_machine_has_taken_stops_and_leaves_the_record_to_it(
    project: Project, s3_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.root / "run_steps.py").write_text("import time\ndef good(): time.sleep(600)\ndef bad(x): return x\n")
    stack = f"kind: stack\nname: s\norchestrator: {{flavor: local}}\nartifact_store: {s3_settings}\n"
    (project.root / "s.yaml").write_text(stack)
    monkeypatch.setattr(lease, "PACE", lease.Pace(beat=0.1))
    prepared = prepare(project, Request(project.root / "p.yaml", str(project.root / "s.yaml")), {})
    ledger = Ledger(open_store(s3_settings))
    theirs = [Event("run_started", "r1", 1.0), Event("run_started", "r1", 2.0), Event("run_succeeded", "r1", 3.0)]
    with pytest.raises(lease.LeaseLost, match="no longer this machine's"):
        for item in start(prepared, "r1"):
            if isinstance(item, Event) and item.event == "step_started":
                ledger.announce_walk("r1", 2, {"host": "far", "pid": 1, "time": time.time()})
                ledger.write_events("r1", theirs)
    assert ledger.events("r1") == theirs
    assert history.find(project, "r1").status == "succeeded"

"""Where runs are found: here, in the artifact store of the active stack, or in that of a stack that is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store import bucket
from runner.artifact_store.ledger import Ledger
from runner.artifact_store.stores import open_store
from runner.engine.lookup import Lookup
from runner.errors import RunnerError, UsageError
from runner.plan.deployment import DeployedStep, Deployment, facts_of
from runner.project import Project
from runner.records import Event
from runner.run_store.sqlite import SqliteRunStore

STACK = "kind: stack\nname: shared\norchestrator: {{flavor: local}}\nartifact_store: {}\n"


@pytest.fixture
def store(tmp_path: Path) -> dict[str, Any]:
    return {"flavor": "local", "path": str(tmp_path / "shared")}


@pytest.fixture
def project(tmp_path: Path, store: dict[str, Any]) -> Project:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/stacks").mkdir()
    (tmp_path / "project/stacks/shared.yaml").write_text(STACK.format(store))
    return Project(tmp_path / "project")


def events_of(run_id: str, pipeline: str, *ends: str, time: float = 1.0) -> list[Event]:
    deployment = Deployment(run_id, pipeline, "shared", "local", {"a": DeployedStep("a", "m:f")}, {}, "/p")
    return [Event("run_started", run_id, time, data=facts_of(deployment)), *(Event(end, run_id, time) for end in ends)]


def there(store: dict[str, Any], run_id: str, *ends: str, pipeline: str = "p", time: float = 1.0) -> None:
    """A run in the artifact store."""
    ledger = Ledger(open_store(store))
    ledger.write_deployment(
        Deployment(run_id, pipeline, "shared", "local", {"a": DeployedStep("a", "m:f")}, store, "/p")
    )
    ledger.write_events(run_id, events_of(run_id, pipeline, *ends or ("run_succeeded",), time=time))


def here(project: Project, store: dict[str, Any], run_id: str, *ends: str, time: float = 1.0) -> None:
    """A run in the project's run store, whose artifact store that is."""
    runs = SqliteRunStore(project.state / "runner.db")
    first, *rest = events_of(run_id, "p", *ends, time=time)
    runs.append(first._replace(data=first.data | {"artifact_store": store}), *rest)
    runs.close()


def ids(lookup: Lookup, **options: Any) -> list[str]:
    return [run.run_id for run in lookup.recent(options.pop("limit", 20), **options)]


def test_runs_of_a_stack_are_found_by_its_name_and_its_file(project: Project, store: dict[str, Any]) -> None:
    there(store, "20260101-000000-aa")
    for stack in ("shared", str(project.root / "stacks/shared.yaml")):
        assert Lookup(project, stack).known("last").run.run_id == "20260101-000000-aa"
        assert ids(Lookup(project, stack)) == ["20260101-000000-aa"]
    assert ids(Lookup(project)) == []
    assert not project.state.exists()


def test_both_are_merged_newest_first(project: Project, store: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNER_STACK", "shared")
    there(store, "20260102-000000-aa", time=2.0)
    here(project, store, "20260101-000000-aa", "run_succeeded", time=1.0)
    there(store, "20260101-000000-aa", time=1.0)
    here(project, store, "20260103-000000-aa", "run_succeeded", time=3.0)
    days = [run_id[7] for run_id in ids(Lookup(project))]
    assert days == ["3", "2", "1"]
    assert [run_id[7] for run_id in ids(Lookup(project), limit=2)] == ["3", "2"]
    assert Lookup(project).known("20260102").run.run_id == "20260102-000000-aa"


def test_the_last_of_several_of_one_second_is_the_one_that_began_last(project: Project, store: dict[str, Any]) -> None:
    for end, began in (("ff", 1.1), ("aa", 1.9), ("cc", 1.5)):
        there(store, f"20260101-000000-{end}", time=began)
    assert Lookup(project, "shared").known("last").run.run_id == "20260101-000000-aa"


def test_a_run_of_a_pipeline_is_found_behind_others(project: Project, store: dict[str, Any]) -> None:
    for day in range(1, 6):
        there(store, f"2026010{day}-000000-aa", pipeline="old" if day == 1 else "new")
    assert ids(Lookup(project, "shared"), limit=2, pipeline="old") == ["20260101-000000-aa"]


def test_a_run_that_another_machine_has_gone_on_with_is_told_as_it_is_there(
    project: Project, store: dict[str, Any]
) -> None:
    here(project, store, "r1", "run_failed")
    there(store, "r1", "run_failed")
    assert Lookup(project).known("r1").run.status == "failed"
    there(store, "r1", "run_failed", "run_started", "run_succeeded")
    assert Lookup(project).known("r1").run.status == Lookup(project).recent(1)[0].status == "succeeded"


def test_what_never_began_is_no_run(project: Project, store: dict[str, Any]) -> None:
    Ledger(open_store(store)).announce_walk("20260101-000000-aa", 1, {})
    assert ids(Lookup(project, "shared")) == []
    with pytest.raises(UsageError, match="nothing has run on stack 'shared'"):
        Lookup(project, "shared").known("last")
    with pytest.raises(UsageError, match="there is no run '2026' in the artifact store of stack 'shared'"):
        Lookup(project, "shared").known("2026")


def test_a_stack_that_cannot_be_opened_does_not_hide_runs_that_are_here(
    project: Project, store: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNNER_STACK", "nowhere")
    missed: list[RunnerError] = []
    with pytest.raises(RunnerError, match="nowhere"):
        ids(Lookup(project), missed=missed.append)
    here(project, store, "r1", "run_succeeded")
    assert (ids(Lookup(project), missed=missed.append), len(missed)) == (["r1"], 1)
    assert Lookup(project).known("last").run.run_id == "r1"


def test_requests_to_a_bucket_are_few(
    tmp_path: Path, s3_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s.yaml").write_text(STACK.format(s3_settings))
    for number in range(12):
        there(s3_settings, f"20260101-0000{number}-aa", time=float(number))
    count, request = [0], bucket.Patience.request

    async def counted(self: Any, make: Any) -> Any:
        count[0] += 1
        return await request(self, make)

    monkeypatch.setattr(bucket.Patience, "request", counted)
    assert len(ids(Lookup(Project(tmp_path), str(tmp_path / "s.yaml")), limit=5)) == 5
    assert count[0] == 1 + 5  # one listing, and a record of each run that is shown
    count[0] = 0
    assert Lookup(Project(tmp_path), str(tmp_path / "s.yaml")).known("20260101-00003-aa").run.status == "succeeded"
    assert count[0] == 2

"""What orchestrators need in their engines: told first, made once, and nothing is registered when that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.catalog import open_catalog
from runner.cli.main import main
from runner.engine.apply import Applied, apply
from runner.errors import EngineError
from runner.project import Project

# An engine that is a folder, and an object in it that is a file.
FLAVOR = """
import json
from pathlib import Path

from runner.errors import EngineError
from runner.orchestrators.base import BaseOrchestrator
from runner.plan.changes import change
from runner.spec.common import Spec


class Settings(Spec):
    engine: str = "engine"
    verbs: str = "get"


class Folder(BaseOrchestrator):
    Settings = Settings

    def prepare_or_run_pipeline(self, deployment, stack):
        raise NotImplementedError

    def provision(self, dry_run):
        path = Path(self.settings.engine)
        if not path.is_dir():
            raise EngineError(f"'{path}' does not answer", "start it")
        file, after = path / "role.json", {"verbs": self.settings.verbs}
        yield change("Role", "ours", json.loads(file.read_text()) if file.exists() else None, after, str(path))
        if not dry_run:
            file.write_text(json.dumps(after))
"""
STACK = 'kind: stack\nname: s\norchestrator: {flavor: "engine_of_files:Folder", verbs: get}\n'
NAMED = 'kind: stack\nname: t\norchestrator: o\n---\nkind: orchestrator\nname: o\nflavor: "engine_of_files:Folder"\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "runner.toml").touch()
    (tmp_path / "engine_of_files.py").write_text(FLAVOR)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "s.yaml").write_text(STACK)
    (tmp_path / "engine").mkdir()
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def actions(applied: Applied) -> list[str]:
    return [f"{each.action} {each.kind}" for each in applied.provided]


def test_it_is_made_once(project: Project) -> None:
    assert actions(apply(project, [])) == ["create Role"]
    assert actions(apply(project, [])) == ["same Role"]


def test_a_dry_run_makes_nothing(project: Project) -> None:
    assert actions(apply(project, [], dry_run=True)) == ["create Role"]
    assert list(Path("engine").iterdir()) == [] and not project.state.exists()


def test_what_somebody_changed_in_the_engine_comes_back(project: Project) -> None:
    apply(project, [])
    Path("engine/role.json").write_text('{"verbs": "nothing"}')
    again = apply(project, [], dry_run=True)
    assert again.differs and [each.action for each in again.changes] == ["same"]
    assert [tuple(field)[:1] + tuple(field)[2:] for field in again.provided[0].fields] == [("verbs", "nothing", "get")]
    apply(project, [])
    assert not apply(project, [], dry_run=True).differs


def test_an_engine_that_does_not_answer_leaves_nothing_half_done(project: Project) -> None:
    Path("stacks/t.yaml").write_text(STACK.replace("name: s", "name: t").replace("verbs: get", "engine: nowhere"))
    with pytest.raises(EngineError) as caught:
        apply(project, [])
    assert caught.value.message == "stack 't' at stacks/t.yaml:3:15: 'nowhere' does not answer"
    assert caught.value.help == "start it; or register it without asking its engine: add --no-engine"
    assert open_catalog(project.state) is None and list(Path("engine").iterdir()) == []


def test_without_its_engine_a_stack_is_registered_all_the_same(project: Project) -> None:
    Path("engine").rmdir()
    done = apply(project, [], engines=False)
    assert [each.action for each in done.changes] == ["create"] and done.provided == []


def test_one_orchestrator_of_several_documents_is_asked_once(project: Project) -> None:
    Path("stacks/s.yaml").write_text(NAMED)
    assert actions(apply(project, [])) == ["create Role"]


def test_an_orchestrator_alone_has_needs_too(project: Project) -> None:
    Path("stacks/s.yaml").write_text(NAMED.split("---\n")[1])
    assert actions(apply(project, [])) == ["create Role"]


def test_what_is_pruned_stays_in_the_engine(project: Project) -> None:
    apply(project, [])
    Path("stacks/s.yaml").write_text("kind: resources\nname: small\ncpu_count: 1\n")
    done = apply(project, [], prune=True)
    assert [each.action for each in done.changes] == ["create", "delete"] and done.provided == []
    assert Path("engine/role.json").exists()


def test_what_a_person_reads(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    Path("engine/role.json").write_text('{"verbs": "list"}')
    assert main(["apply", "--dry-run"]) == 2
    assert capsys.readouterr().out == (
        "create  stack s  stacks/s.yaml:1\n\n1 document: 1 to create (nothing was written)\n\n"
        "change  Role ours  engine\n          verbs: list → get\n\n1 object: 1 to change (nothing was written)\n"
    )


def test_what_a_program_reads(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["apply", "--format", "json"]) == 0
    assert '"kind": "Role"' in capsys.readouterr().out

"""Apply: what differs is told, written all or nothing, and twice changes nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runner.catalog import Catalog
from runner.engine.apply import Applied, apply
from runner.errors import InvalidDocuments, UsageError
from runner.project import Project, load_stack

STACK = """\
# production
kind: stack
name: prod
orchestrator: fast
---
kind: orchestrator   # shared by several
name: fast
flavor: local
max_parallel: 2
---
kind: resources
name: large
cpu_count: 4
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "runner.toml").touch()
    (tmp_path / "infra").mkdir()
    (tmp_path / "infra" / "prod.yaml").write_text(STACK)
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


INFRA = [Path("infra")]


def actions(applied: Applied) -> list[str]:
    return [f"{each.action} {each.kind} {each.name}" for each in applied.changes]


def rewrite(project: Project, old: str, new: str) -> None:
    path = project.root / "infra" / "prod.yaml"
    path.write_text(path.read_text().replace(old, new))


def catalog(project: Project) -> Catalog:
    return Catalog(project.state / "catalog.db")


def test_what_stacks_name_is_registered_before_them(project: Project) -> None:
    assert actions(apply(project, INFRA)) == ["create resources large", "create orchestrator fast", "create stack prod"]


def test_twice_changes_nothing(project: Project) -> None:
    apply(project, INFRA)
    before = catalog(project).history("stack", "prod")
    again = apply(project, INFRA)
    assert not again.differs
    assert catalog(project).history("stack", "prod") == before


def test_a_change_is_told_field_by_field_and_is_a_revision(project: Project) -> None:
    apply(project, INFRA)
    rewrite(project, "max_parallel: 2", "max_parallel: 8")
    (changed,) = [each for each in apply(project, INFRA).changes if each.action == "change"]
    assert [(field.path, field.before, field.after) for field in changed.fields] == [("max_parallel", 2, 8)]
    first, second = catalog(project).history("orchestrator", "fast")
    assert ("max_parallel: 2" in first.text, "max_parallel: 8" in second.text) == (True, True)


def test_a_comment_is_no_change(project: Project) -> None:
    apply(project, INFRA)
    rewrite(project, "# production", "# production, and\n# for everyone")
    assert not apply(project, INFRA).differs
    assert catalog(project).current()[2].text.startswith("# production, and\n")


def test_a_revision_has_text_place_author_and_time(project: Project) -> None:
    apply(project, INFRA)
    found = catalog(project).history("orchestrator", "fast")[0]
    assert found.text == "kind: orchestrator   # shared by several\nname: fast\nflavor: local\nmax_parallel: 2\n"
    assert (found.source, found.line, found.number) == ("infra/prod.yaml", 6, 1)
    assert found.author and found.time > 1e9 and len(found.digest) == 64


def test_a_dry_run_writes_nothing(project: Project) -> None:
    assert apply(project, INFRA, dry_run=True).differs
    assert not project.state.exists()
    apply(project, INFRA)
    rewrite(project, "max_parallel: 2", "max_parallel: 8")
    assert apply(project, INFRA, dry_run=True).differs
    assert "max_parallel: 2" in catalog(project).current()[0].text


def test_pruning_deletes_what_those_files_no_longer_declare(project: Project) -> None:
    (project.root / "infra" / "other.yaml").write_text("kind: resources\nname: small\ncpu_count: 1\n")
    apply(project, INFRA)
    rewrite(project, "---\nkind: resources\nname: large\ncpu_count: 4\n", "")
    assert "delete resources large" not in actions(apply(project, INFRA))
    assert actions(apply(project, [Path("infra/prod.yaml")], prune=True))[-1] == "delete resources large"
    (project.root / "infra" / "other.yaml").unlink()
    assert actions(apply(project, INFRA, prune=True))[-1] == "delete resources small"


def test_what_was_applied_from_a_file_that_is_gone_is_pruned(project: Project) -> None:
    apply(project, INFRA)
    (project.root / "infra" / "prod.yaml").unlink()
    (project.root / "infra").rmdir()
    with pytest.raises(UsageError) as caught:
        apply(project, INFRA)
    assert caught.value.help == "delete what was applied from there: add --prune"
    assert {each.action for each in apply(project, INFRA, prune=True).changes} == {"delete"}
    with pytest.raises(UsageError, match="no file or folder"):
        apply(project, INFRA, prune=True)


def test_what_is_still_used_is_not_pruned(project: Project) -> None:
    (project.root / "infra" / "fast.yaml").write_text(STACK.split("---\n")[1])
    rewrite(project, STACK.split("---\n")[1] + "---\n", "")
    apply(project, INFRA)
    (project.root / "infra" / "fast.yaml").write_text("kind: resources\nname: other\n")
    with pytest.raises(UsageError, match="'fast' cannot go: stack 'prod' uses it"):
        apply(project, [Path("infra/fast.yaml")], prune=True)


def test_all_problems_are_told_and_nothing_is_written(project: Project) -> None:
    rewrite(project, "orchestrator: fast", "orchestrator: fats")
    rewrite(project, "cpu_count: 4", "cpu_count: many")
    with pytest.raises(InvalidDocuments) as caught:
        apply(project, INFRA)
    assert [problem.position.line for problem in caught.value.problems] == [4, 13]
    assert not project.state.exists()


def test_an_applied_stack_is_used_by_its_name_from_then_on(project: Project) -> None:
    apply(project, INFRA)
    (project.root / "infra" / "prod.yaml").unlink()
    stack = load_stack(project, "prod", "--stack", {})
    assert stack.orchestrator.settings.max_parallel == 2


def test_problems_in_what_was_applied_stand_where_it_stood(project: Project) -> None:
    rewrite(project, "max_parallel: 2", "max_parallel: 2\nisolation: ${env.ISOLATION}")
    apply(project, INFRA, env={"ISOLATION": "none"})
    with pytest.raises(InvalidDocuments) as caught:
        load_stack(project, "prod", "--stack", {})
    assert str(caught.value.problems[0].position) == "infra/prod.yaml (revision 1):10:12"


def test_pipelines_are_passed_over(project: Project) -> None:
    (project.root / "p.yaml").write_text("kind: pipeline\nname: p\nsteps: {a: {entrypoint: 'm:f'}}\n")
    assert apply(project, [Path("p.yaml")]) == ([], ["p"], [])


def test_a_toml_document(project: Project) -> None:
    (project.root / "s.toml").write_text('kind = "stack"\nname = "t"\norchestrator = {flavor = "local"}\n')
    apply(project, [Path("s.toml")])
    assert load_stack(project, "t", "", {}).flavor == "local"
    assert not apply(project, [Path("s.toml")]).differs


def test_many_at_once_leave_one_of_their_states(project: Project) -> None:
    for number in (3, 4, 5, 6):
        folder = project.root / f"infra{number}"
        folder.mkdir()
        text = STACK.replace("max_parallel: 2", f"max_parallel: {number}").replace(
            "cpu_count: 4", f"cpu_count: {number}"
        )
        (folder / "prod.yaml").write_text(text)
    command = "import sys; from runner.cli.main import main; sys.exit(main(['apply', sys.argv[1]]))"
    processes = [subprocess.Popen([sys.executable, "-c", command, f"infra{number}"]) for number in (3, 4, 5, 6)]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    found = {each.name: each for each in catalog(project).current()}
    number = found["fast"].text.rpartition("max_parallel: ")[2].strip()
    assert f"cpu_count: {number}" in found["large"].text

"""Stacks and components by command, and the stack that is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.engine import declare
from runner.engine.apply import apply
from runner.engine.stacks import overview, revisions, show
from runner.errors import UsageError
from runner.project import Project, choose_stack, load_stack

FILE = "# ours\nkind: stack\nname: filed\norchestrator: {flavor: local} # here\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "runner.toml").touch()
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "filed.yaml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def test_a_stack_is_put_together(project: Project) -> None:
    declare.register(project, "orchestrator", "fast", {"flavor": "local", "max_parallel": 8})
    declare.copy(project, "default", "production")
    changed = declare.update(project, "stack", "production", {"orchestrator": "fast"})
    assert changed.fields == (("orchestrator", "changed", {"flavor": "local"}, "fast"),)
    assert load_stack(project, "production", "", {}).orchestrator.settings.max_parallel == 8


@pytest.mark.parametrize(("kind", "name"), [("stack", "filed"), ("stack", "default"), ("orchestrator", "fast")])
def test_a_name_that_is_taken(project: Project, kind: str, name: str) -> None:
    declare.register(project, "orchestrator", "fast", {"flavor": "local"})
    with pytest.raises(UsageError, match=f"there is an? {kind} '{name}' already"):
        declare.register(project, kind, name, {"flavor": "local"})


def test_a_wrong_value_is_told_by_its_field(project: Project) -> None:
    with pytest.raises(UsageError) as caught:
        declare.register(project, "orchestrator", "fast", {"flavor": "local", "max_parallel": "many"})
    assert caught.value.message == "max_parallel: 'many' is text, not a whole number"


def test_several_wrong_values_are_told_each_with_its_help(project: Project) -> None:
    with pytest.raises(UsageError) as caught:
        declare.register(project, "orchestrator", "o", {"flavor": "local", "max_parallel": "x", "isolation": "none "})
    assert caught.value.message.splitlines() == [
        "several things are wrong:",
        "  max_parallel: 'x' is text, not a whole number (write a whole number)",
        "  isolation: 'none ' is not allowed here (did you mean 'none'? allowed: process, none)",
    ]


def test_a_file_is_no_name(project: Project) -> None:
    with pytest.raises(UsageError) as caught:
        declare.set_active(project, "stacks/filed.yaml")
    assert caught.value.help == "apply it first: runner apply stacks/filed.yaml"


def test_the_default_stays(project: Project) -> None:
    for verb in (
        lambda: declare.update(project, "stack", "default", {}),
        lambda: declare.delete(project, "stack", "default"),
    ):
        with pytest.raises(UsageError, match="'default' is built in"):
            verb()


def test_what_is_used_or_active_cannot_go(project: Project) -> None:
    declare.register(project, "orchestrator", "fast", {"flavor": "local"})
    declare.register(project, "stack", "mine", {"orchestrator": "fast"})
    with pytest.raises(UsageError, match="orchestrator 'fast' cannot go: stack 'mine' uses it"):
        declare.delete(project, "orchestrator", "fast")
    declare.set_active(project, "mine")
    with pytest.raises(UsageError, match="stack 'mine' cannot go: it is the active one"):
        declare.delete(project, "stack", "mine")
    declare.set_active(project, "default")
    assert declare.delete(project, "stack", "mine").action == "delete"
    assert declare.delete(project, "orchestrator", "fast").action == "delete"


def test_what_stands_in_a_file_only_is_deleted_there(project: Project) -> None:
    with pytest.raises(UsageError, match=r"it stands in stacks/filed\.yaml:2:1"):
        declare.delete(project, "stack", "filed")


def test_an_unknown_name_is_told_the_nearest(project: Project) -> None:
    with pytest.raises(UsageError) as caught:
        declare.set_active(project, "fild")
    assert caught.value.help == "did you mean 'filed'? known: filed, default"


def test_an_update_keeps_comments_and_the_file_is_told_to_differ(project: Project) -> None:
    apply(project, [])
    declare.update(project, "stack", "filed", {"description": "for all"})
    assert "# here" in declare.export(project, "filed")
    notes = load_stack(project, "filed", "", {}).notes
    assert len(notes) == 1 and "stacks/filed.yaml:2:1 says otherwise: runner apply stacks/filed.yaml" in notes[0]
    assert [each.action for each in apply(project, [], dry_run=True).changes] == ["change"]


def test_what_is_exported_can_be_applied(project: Project) -> None:
    declare.register(project, "orchestrator", "fast", {"flavor": "local", "max_parallel": 8})
    declare.register(project, "stack", "mine", {"orchestrator": "fast", "description": "on: off"})
    (project.root / "exported.yaml").write_text(declare.export(project, "mine"))
    assert not apply(project, [Path("exported.yaml")]).differs


@pytest.mark.parametrize(
    ("given", "env", "pipeline", "chosen"),
    [
        ("a", {"RUNNER_STACK": "b"}, ("p", "c"), ("a", "--stack")),
        (None, {"RUNNER_STACK": "b"}, ("p", "c"), ("b", "RUNNER_STACK")),
        (None, {}, ("p", "c"), ("c", "the pipeline 'p'")),
        (None, {}, ("p", None), ("filed", "runner stack set")),
        (None, {}, None, ("filed", "runner stack set")),
    ],
)
def test_the_order_in_which_a_stack_is_chosen(project: Project, given, env, pipeline, chosen) -> None:
    declare.set_active(project, "filed")
    assert choose_stack(project, given, env, pipeline) == chosen
    declare.set_active(project, "default")
    assert choose_stack(project, None, {}) == (None, "nothing else was named")


def test_which_one_is_shown_and_why(project: Project) -> None:
    declare.set_active(project, "filed")
    facts = show(project, None, {})
    assert (facts["name"], facts["chosen_by"], facts["declared"]) == (
        "filed",
        "runner stack set",
        "stacks/filed.yaml:2:1",
    )
    assert [(each["name"], each["active"]) for each in overview(project, {})] == [("filed", True), ("default", False)]


def test_revisions(project: Project) -> None:
    with pytest.raises(UsageError, match="was never applied"):
        revisions(project, "filed", None)
    apply(project, [])
    declare.update(project, "stack", "filed", {"description": "x"})
    assert [each.number for each in revisions(project, "filed", None)] == [1, 2]
    assert revisions(project, "filed", 1)[0].text == FILE
    with pytest.raises(UsageError, match="no revision 3"):
        revisions(project, "filed", 3)

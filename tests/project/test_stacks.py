"""Which stack is meant, and one that can be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import InvalidDocuments, UsageError
from runner.project import Project, load_stack, orchestrator_from


def write(project: Project, name: str, text: str) -> Path:
    path = project.root / name
    path.write_text(text)
    return path


def refused(project: Project, chosen: str, by: str = "--stack") -> tuple[str, str | None]:
    with pytest.raises(UsageError) as caught:
        load_stack(project, chosen, by, {})
    return caught.value.message, caught.value.help


@pytest.mark.parametrize("chosen", ["good", "stacks/s.yaml"])
def test_a_stack_by_its_name_or_its_file(project: Project, chosen: str) -> None:
    stack = load_stack(project, chosen, "--stack", {})
    assert (stack.name, stack.flavor, stack.orchestrator.settings.max_parallel) == ("good", "local", 4)
    assert stack.artifact_store == {"flavor": "local", "path": str(project.root / "kept")}


@pytest.mark.parametrize("chosen", [None, "default"])
def test_the_default_stack_needs_no_document(project: Project, chosen: str | None) -> None:
    stack = load_stack(project, chosen, "", {})
    assert (stack.name, stack.artifact_store["path"]) == ("default", str(project.state / "artifacts"))


def test_a_stack_of_ones_own_may_be_called_default(project: Project) -> None:
    write(project, "stacks/d.yaml", "kind: stack\nname: default\norchestrator: {flavor: local, max_parallel: 7}\n")
    assert load_stack(project, "default", "", {}).orchestrator.settings.max_parallel == 7


def test_an_unknown_stack_is_told_who_names_it(project: Project) -> None:
    message, help = refused(project, "goood", "RUNNER_STACK")
    assert message == "there is no stack 'goood', which RUNNER_STACK names"
    assert help == "did you mean 'good'? known: good, default"


def test_a_stack_whose_file_cannot_be_read_is_not_called_unknown(project: Project) -> None:
    write(project, "stacks/new.yaml", "kind: stack\nname: new\norchestrator: {flavor: [}\n")
    with pytest.raises(InvalidDocuments) as caught:
        load_stack(project, "new", "--stack", {})
    assert [problem.code for problem in caught.value.problems] == ["syntax"]
    assert refused(project, "nowhere", "--stack")[0] == "there is no stack 'nowhere', which --stack names"


def test_a_file_without_a_stack_and_one_of_several(project: Project) -> None:
    assert refused(project, "pipelines/p.yaml")[0] == "'pipelines/p.yaml' declares no stack"
    two = "kind: stack\nname: one\norchestrator: four\n---\nkind: stack\nname: two\norchestrator: four\n"
    write(project, "two.yaml", two)
    assert refused(project, "two.yaml") == ("'two.yaml' declares several stacks: one, two", "choose one by its name")


def test_two_stacks_of_one_name(project: Project) -> None:
    write(project, "stacks/t.yaml", "kind: stack\nname: good\norchestrator: four\n")
    assert refused(project, "good")[0] == "there are 2 stacks 'good': at stacks/s.yaml:3:7 and stacks/t.yaml:2:7"


@pytest.mark.parametrize(
    ("text", "place", "code"),
    [
        ("orchestrator: fuor", "3:15", "unknown-orchestrator"),
        ("orchestrator: {flavor: lcal}", "3:24", "unknown-flavor"),
        ("orchestrator: {max_parallel: 2}", "3:1", "missing-key"),
        ("orchestrator: {flavor: local, max_paralel: 2}", "3:31", "unknown-key"),
        ("orchestrator: {flavor: 'json:dumps'}", "3:24", "unknown-flavor"),
        ("orchestrator: four\nartifact_store: kept", "4:17", "unknown-artifact-store"),
        ("orchestrator: four\nartifact_store: {flavor: s4}", "4:26", "unknown-flavor"),
        ("orchestrator: four\nartifact_store: {path: x}", "4:1", "missing-key"),
    ],
)
def test_a_stack_with_a_problem(project: Project, text: str, place: str, code: str) -> None:
    write(project, "stacks/t.yaml", f"kind: stack\nname: broken\n{text}\n")
    with pytest.raises(InvalidDocuments) as caught:
        load_stack(project, "broken", "", {})
    assert [(str(problem.position), problem.code) for problem in caught.value.problems] == [
        (f"stacks/t.yaml:{place}", code)
    ]
    assert caught.value.problems[0].help


def test_a_broken_stack_file_is_told_when_it_is_chosen(project: Project) -> None:
    write(project, "broken.yaml", "kind: stack\nname: [")
    with pytest.raises(InvalidDocuments):
        load_stack(project, "broken.yaml", "", {})


def test_stacks_may_take_values_from_the_environment(project: Project) -> None:
    text = "kind: stack\nname: env\norchestrator: four\nartifact_store: {flavor: local, path: '${env.KEPT}'}\n"
    write(project, "stacks/t.yaml", text)
    assert load_stack(project, "env", "", {"KEPT": "/kept"}).artifact_store["path"] == "/kept"


def test_an_orchestrator_comes_back_from_its_fields(project: Project) -> None:
    stack = load_stack(project, "good", "", {})
    again = orchestrator_from(stack.orchestrator_fields, project.root)
    assert again.settings.max_parallel == 4

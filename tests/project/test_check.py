"""Every problem of every document."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.project import Project, validate_paths


def write(project: Project, name: str, text: str) -> Path:
    path = project.root / name
    path.write_text(text)
    return path


def problems(project: Project, *paths: Path) -> list[tuple[str, str, str | None]]:
    found, _, _ = validate_paths(project, paths, env={})
    return [(str(problem.position), problem.code, problem.help) for problem in found]


def test_a_whole_project_without_problems(project: Project) -> None:
    found, texts, count = validate_paths(project, [], env={})
    assert (found, set(texts), count) == ([], {"pipelines/p.yaml", "stacks/s.yaml"}, 4)


def test_names_may_point_into_the_stacks_folder(project: Project) -> None:
    assert problems(project, project.root / "pipelines") == []


def test_a_stack_that_the_pipeline_names_must_be_there(project: Project) -> None:
    text = (project.root / "pipelines" / "p.yaml").read_text().replace("name: p\n", "name: q\nstack: goood\n")
    file = write(project, "pipelines/q.yaml", text)
    assert problems(project, file) == [
        ("pipelines/q.yaml:4:8", "unknown-stack", "did you mean 'good'? known: good, default")
    ]


@pytest.mark.parametrize("stack", ["good", "default"])
def test_a_stack_that_is_there(project: Project, stack: str) -> None:
    text = f"kind: pipeline\nname: q\nstack: {stack}\nsteps: {{a: {{entrypoint: 's:f'}}}}\n"
    assert problems(project, write(project, "q.yaml", text)) == []


def test_two_documents_of_one_kind_and_name(project: Project) -> None:
    write(project, "stacks/t.yaml", "kind: resources\nname: large\n")
    assert problems(project) == [
        ("stacks/t.yaml:2:7", "duplicate-name", "the first one is at stacks/s.yaml:13:7; rename one of them")
    ]


def test_settings_of_flavors_are_bound_by_the_flavor(project: Project) -> None:
    text = "kind: pipeline\nname: q\nsettings: {local: {environmet: venv}}\nsteps: {a: {entrypoint: 's:f'}}\n"
    assert problems(project, write(project, "q.yaml", text)) == [
        ("q.yaml:3:20", "unknown-key", "did you mean 'environment'?")
    ]


def test_entrypoints_are_imported_when_asked_for(project: Project) -> None:
    file = project.root / "pipelines" / "p.yaml"
    found, _, _ = validate_paths(project, [file], imports=True, env={})
    assert {problem.code for problem in found} == {"unknown-module"}


def test_an_artifact_store_of_its_own_is_checked(project: Project) -> None:
    file = write(project, "store.yaml", "kind: artifact_store\nname: kept\nflavor: local\npaht: x\n")
    assert problems(project, file) == [("store.yaml:4:1", "unknown-key", "did you mean 'path'?")]

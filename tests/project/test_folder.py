"""A project's folder and the files in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import UsageError
from runner.project import Project, files_of, find_project, validate_paths


def write(project: Project, name: str, text: str) -> Path:
    path = project.root / name
    path.write_text(text)
    return path


def test_a_project_is_the_nearest_folder_with_a_marker(project: Project) -> None:
    (project.root / "deep" / "er").mkdir(parents=True)
    assert find_project(project.root / "deep" / "er") == project
    assert project.state == project.root / ".runner"


def test_a_folder_without_a_marker_is_a_project_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.project.folder.MARKERS", ())
    assert find_project(tmp_path) == Project(tmp_path.resolve())


def test_files_are_shown_from_here_else_from_the_root(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project.shown(project.root / "pipelines" / "p.yaml") == "pipelines/p.yaml"
    monkeypatch.chdir(project.root / "pipelines")
    assert project.shown(project.root / "pipelines" / "p.yaml") == "p.yaml"
    assert project.shown(project.root / "stacks" / "s.yaml") == "stacks/s.yaml"
    assert project.shown(Path("/elsewhere/x.yaml")) == "/elsewhere/x.yaml"


def test_documents_are_the_yaml_and_toml_files_that_are_not_hidden(project: Project) -> None:
    (project.root / "pipelines" / ".hidden").mkdir()
    for name in ("a.yml", "b.toml", "c.txt", ".hidden/d.yaml"):
        write(project, f"pipelines/{name}", "")
    assert [path.name for path in files_of(project, [])] == ["a.yml", "b.toml", "p.yaml", "s.yaml"]


def test_a_file_named_twice_is_read_once(project: Project) -> None:
    file = project.root / "pipelines" / "p.yaml"
    assert files_of(project, [file, file.parent]) == [file]
    assert validate_paths(project, [file, Path("pipelines/p.yaml")], env={})[2] == 1


def test_nothing_to_validate(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder 'pipelines' or 'stacks'"):
        files_of(Project(tmp_path), [])


def test_a_path_that_is_not_there_is_told_its_neighbour(project: Project) -> None:
    with pytest.raises(UsageError, match=r"no file or folder 'pipelines/q\.yaml'") as caught:
        files_of(project, [Path("pipelines/q.yaml")])
    assert caught.value.help == "did you mean 'pipelines/p.yaml'?"


def test_a_folder_is_searched_but_for_hidden_files_and_the_projects_marker(project: Project) -> None:
    (project.root / ".venv" / "lib").mkdir(parents=True)
    write(project, ".venv/lib/broken.yaml", "kind: nothing")
    write(project, ".hidden.yaml", "kind: nothing")
    assert [path.name for path in files_of(project, [project.root])] == ["p.yaml", "s.yaml"]


def test_a_link_that_leads_nowhere_is_not_told_itself(project: Project) -> None:
    link = project.root / "dangling.yaml"
    link.symlink_to("nowhere")
    with pytest.raises(UsageError) as caught:
        files_of(project, [link])
    assert caught.value.help == f"nothing in the folder '{project.root}' is named like it"

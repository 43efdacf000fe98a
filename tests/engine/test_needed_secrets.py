"""A secret that is not there is told before anything starts, at the value that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.engine.run import Request, prepare
from runner.errors import CannotPlan
from runner.project import Project

PIPELINE = """\
kind: pipeline
name: p
steps:
  a: {entrypoint: "s:f", parameters: {token: "${secrets.TOKEN}"}, environment: {OTHER: "${secrets.OTHER}"}}
"""
STACK = "kind: stack\nname: s\norchestrator: {flavor: local}\nsecret_store: {flavor: file, path: secrets.env}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name, text in (("runner.toml", ""), ("s.py", "def f(token): pass\n"), ("p.yaml", PIPELINE), ("st.yaml", STACK)):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def refused(project: Project, stack: str) -> list[tuple[str, str]]:
    with pytest.raises(CannotPlan) as caught:
        prepare(project, Request(Path("p.yaml"), stack=stack), {}, to_run=True)
    return [(str(problem.position), problem.message) for problem in caught.value.problems]


def test_a_file_without_it(project: Project) -> None:
    file = project.root / "secrets.env"
    file.write_text("TOKEN=long-enough\n")
    file.chmod(0o600)
    ((position, message),) = refused(project, "st.yaml")
    assert position == "p.yaml:4:88" and "OTHER" in message


def test_a_file_that_others_can_read(project: Project) -> None:
    file = project.root / "secrets.env"
    file.write_text("TOKEN=long-enough\nOTHER=long-enough\n")
    file.chmod(0o644)
    assert {"0644" in message or "644" in message for _, message in refused(project, "st.yaml")} == {True}


def test_the_environment(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER", "long-enough")
    monkeypatch.delenv("TOKEN", raising=False)
    assert [position for position, _ in refused(project, "default")] == ["p.yaml:4:46"]
    monkeypatch.setenv("TOKEN", "long-enough")
    prepare(project, Request(Path("p.yaml"), stack="default"), {}, to_run=True)


def test_a_plan_needs_no_secrets(project: Project) -> None:
    prepare(project, Request(Path("p.yaml"), stack="st.yaml"), {})

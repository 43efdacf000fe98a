"""A secret that is not there is told before anything starts, at the value that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.engine.prepare import Request, prepare
from runner.engine.run import resume, start
from runner.errors import CannotPlan, StateError
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


def test_what_the_cache_answers_needs_no_secret(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKEN", "OTHER"):
        monkeypatch.setenv(name, "long-enough")
    request = Request(Path("p.yaml"), stack="default")
    assert list(start(prepare(project, request, {}, to_run=True)))[-1].event == "run_succeeded"
    monkeypatch.delenv("TOKEN")
    prepare(project, request, {}, to_run=True)


def test_a_resume_looks_for_them_too(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TOKEN", "OTHER"):
        monkeypatch.setenv(name, "long-enough")
    (project.root / "s.py").write_text("def f(token): raise ValueError\n")
    list(start(prepare(project, Request(Path("p.yaml"), stack="default"), {}, to_run=True), "r1"))
    monkeypatch.delenv("TOKEN")
    with pytest.raises(StateError, match=r"cannot go on here: .*TOKEN"):
        list(resume(project, "r1"))


def test_a_plan_needs_no_secrets(project: Project) -> None:
    prepare(project, Request(Path("p.yaml"), stack="st.yaml"), {})

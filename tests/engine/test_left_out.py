"""A step's own module that .dockerignore keeps from it is told before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.engine.left_out import left_out
from runner.engine.prepare import Request, prepare
from runner.errors import CannotPlan
from runner.plan.deployment import DeployedStep
from runner.project import Project

STACK = "kind: stack\nname: s\norchestrator: {flavor: local_docker}\n"
PIPELINE = "kind: pipeline\nname: p\nsteps:\n  a: {entrypoint: 'steps.work:f'}\n"
IGNORED = "# what is large\ndata\n\nsteps/*\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    texts = {"runner.toml": "", "p.yaml": PIPELINE, "s.yaml": STACK, ".dockerignore": IGNORED}
    (tmp_path / "steps").mkdir()
    for name, text in {**texts, "steps/__init__.py": "", "steps/work.py": "def f(): pass\n"}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def told(project: Project, **image: Any) -> list[str | None]:
    step = DeployedStep("a", "steps.work:f", image=image)
    return [refusal.help for refusal in left_out([step], project.root)]


def test_it_is_told_at_the_entrypoint_with_the_line_that_leaves_it_out(project: Project) -> None:
    with pytest.raises(CannotPlan) as caught:
        prepare(project, Request(Path("p.yaml"), "s.yaml"))
    (problem,) = caught.value.problems
    assert (str(problem.position), problem.code) == ("p.yaml:4:19", "left-out")
    assert problem.message == "'steps/__init__.py', which step 'a' begins in, is left out by .dockerignore"
    assert problem.help == "take 'steps/*' out of it, line 4, or write '!steps/__init__.py' below that"


def test_what_is_taken_back_travels(project: Project) -> None:
    (project.root / ".dockerignore").write_text(f"{IGNORED}!**/*.py\n")
    assert told(project) == []


def test_a_ready_image_may_have_its_code(project: Project) -> None:
    assert told(project, image="mine:1", code="baked") == [] != told(project, image="mine:1")

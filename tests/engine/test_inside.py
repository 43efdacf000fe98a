"""What `runner doctor` tries from inside of an engine: in which image, when, and that nothing of it is lost."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from runner.checks import Check
from runner.engine.doctor import examined
from runner.engine.stack import open_stack
from runner.plan.deployment import DeployedStep, Deployment, facts_of
from runner.project import Project
from runner.records import Event
from runner.run_store.sqlite import SqliteRunStore

PATIENT = 60.0
FLAVOR = """
from runner.checks import Check
from runner.errors import EngineError
from runner.orchestrators.base import BaseOrchestrator


class Well(BaseOrchestrator):
    def prepare_or_run_pipeline(self, deployment, stack):
        raise NotImplementedError

    def inside(self, components, image):
        yield Check("inside", True, f"{components['artifact_store']['flavor']} in {image}")
        raise EngineError("it went away", "look for it")


class Ill(Well):
    def checks(self, secret):
        yield Check("engine", False, "it is ill", "wait")
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "runner.toml").touch()
    (tmp_path / "engine_with_an_inside.py").write_text(FLAVOR)
    return Project(tmp_path)


def found(project: Project, flavor: str, *, outside: bool = False) -> list[Check]:
    stack = project.root / "s.yaml"
    stack.write_text(f'kind: stack\nname: s\norchestrator: {{flavor: "engine_with_an_inside:{flavor}"}}\n')
    checks = list(examined(project, str(stack), {}, PATIENT, outside=outside))
    return [check for check in checks if check.name == "inside"]


def test_what_a_flavor_tries_and_what_breaks_are_checks(project: Project) -> None:
    tried, broken = found(project, "Well")
    assert tried == Check("inside", True, "local in None")
    assert broken == Check("inside", False, "it went away", "look for it")


def test_the_image_is_that_of_a_step_of_the_stacks_newest_run(project: Project) -> None:
    store = {"flavor": "local", "path": str(project.state / "artifacts")}
    step = DeployedStep("one", "m:one", container={"image": "step@sha256:1"})
    run = Deployment("20270131-094500-3f9a1c", "p", "s", "Well", {"one": step}, store, str(project.root))
    open_stack(store, project.state).ledger.write_deployment(run)
    with closing(SqliteRunStore(project.state / "runner.db")) as runs:
        runs.append(Event("run_started", run.run_id, 1.0, data=facts_of(run)))
    assert found(project, "Well")[0].told == "local in step@sha256:1"


def test_an_engine_that_is_not_well_is_not_gone_into(project: Project) -> None:
    assert found(project, "Ill") == []


def test_nothing_is_started_when_that_is_asked_for(project: Project) -> None:
    assert found(project, "Well", outside=True) == []

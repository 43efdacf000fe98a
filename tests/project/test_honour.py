"""What a stack's flavor cannot honour of a pipeline, at the places that ask for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.project import Project, load_pipeline, validate_paths
from runner.project.honour import on_all_flavors

PIPELINE = """\
kind: pipeline
name: large
stack: lab
parameters: {size: {type: string}}
defaults: {resources: {disk: 1GB}}
settings: {local: {environment: "${parameters.size}"}}
steps:
  a: {entrypoint: "s:f", resources: {shm: 1GB}}
  b: {entrypoint: "s:f", timeout: 5m, resources: {memory: "${parameters.size}"}}
"""
STACKS = """\
kind: stack
name: lab
orchestrator: {flavor: local}
---
kind: stack
name: cluster
orchestrator: {flavor: kubernetes, kubernetes_context: c}
artifact_store: {flavor: s3, path: "s3://bucket/prefix"}
---
kind: stack
name: broken
orchestrator: {flavor: kubernetes}
"""


@pytest.fixture
def lab(project: Project) -> Path:
    (project.root / "stacks" / "lab.yaml").write_text(STACKS)
    path = project.root / "pipelines" / "large.yaml"
    path.write_text(PIPELINE)
    return path


def told(project: Project, path: Path, stack: str | None = None) -> list[tuple[int, int, str]]:
    problems, _, _ = validate_paths(project, [path], env={}, stack=stack)
    return [(problem.position.line, problem.position.column, problem.message) for problem in problems]


def test_what_the_pipelines_own_stack_cannot_honour_is_a_problem_once_for_each_place(
    project: Project, lab: Path
) -> None:
    message = "step 'a' sets disk, which flavor 'local' cannot honour (and so for 1 more step)"
    assert told(project, lab) == [
        (5, 30, message),
        (8, 43, "step 'a' sets shm, which flavor 'local' cannot honour"),
    ]


def test_another_stack_may_be_named(project: Project, lab: Path) -> None:
    assert told(project, lab, "cluster") == []
    assert len(told(project, lab, "default")) == 2
    assert told(project, lab, str(project.root / "stacks" / "s.yaml")) == told(project, lab)


def test_a_pipeline_that_names_no_stack_is_not_judged(project: Project, lab: Path) -> None:
    lab.write_text(PIPELINE.replace("stack: lab\n", ""))
    assert told(project, lab) == []


def test_a_broken_stack_is_told_with_its_own_document(project: Project, lab: Path) -> None:
    lab.write_text(PIPELINE.replace("stack: lab", "stack: broken"))
    assert told(project, lab) == []


def test_this_machine_makes_no_difference(project: Project, lab: Path) -> None:
    lab.write_text(PIPELINE.replace("disk: 1GB", "cpu_count: 90000").replace("shm: 1GB", "gpu_count: 900"))
    assert told(project, lab) == []


def test_every_flavor_is_asked(project: Project, lab: Path) -> None:
    lab.write_text(
        PIPELINE.replace("{type: string}", "{type: string, default: current}").replace("memory:", "gpu_type:")
    )
    found, problems = on_all_flavors(project, load_pipeline(project, lab, {}, {}))
    assert [flavor for flavor, refused in problems.items() if not refused] == ["kubernetes"]
    assert {problem.position.line for problem in problems["local"]} == {5, 8, 9}
    assert (found.flavors[0], found.steps) == ("local", ("a", "b"))


def test_what_happens_after_a_failure_is_refused_where_it_is_said(project: Project) -> None:
    path = project.root / "pipelines" / "go-on.yaml"
    path.write_text('kind: pipeline\nname: p\non_failure: continue\nsteps: {a: {entrypoint: "s:f"}}\n')
    _, problems = on_all_flavors(project, load_pipeline(project, path, {}, {}))
    message = "the pipeline sets on_failure: continue, which flavor 'kubeflow' cannot honour"
    assert [(each.position.line, each.message) for each in problems["kubeflow"]] == [(3, message)]
    assert problems["vertex"] == problems["kubernetes"] == []

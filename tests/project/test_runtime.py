"""Which parameters may get their values when a run starts."""

from __future__ import annotations

from typing import Any

from runner.project import Project, load_pipeline
from runner.project.runtime import runtime_parameters

HEAD = "kind: pipeline\nname: p\nparameters: {n: {type: integer, default: 1}, w: {type: string, default: a}}\nsteps:\n"


def found(project: Project, steps: str, head: str = HEAD) -> dict[str, Any]:
    path = project.root / "pipelines" / "p.yaml"
    path.write_text(head + steps)
    return runtime_parameters(load_pipeline(project, path, {}, {}))


def test_one_that_is_only_ever_a_whole_value(project: Project) -> None:
    steps = '  a: {entrypoint: "s:f", parameters: {x: "${parameters.n}", y: "${ parameters.n }"}}\n'
    assert found(project, steps) == {"n": {"type": "integer", "arguments": [["a", "x"], ["a", "y"]]}}


def test_one_that_nobody_uses_is_none(project: Project) -> None:
    assert found(project, '  a: {entrypoint: "s:f", parameters: {x: "$${parameters.n}"}}\n') == {}


def test_what_something_is_planned_by_is_planned(project: Project) -> None:
    begin = '  a: {entrypoint: "s:f", parameters: {x: "${parameters.n}", y: "${parameters.w}"}'
    assert list(found(project, f'{begin}, resources: {{cpu_count: "${{parameters.n}}"}}}}\n')) == ["w"]
    assert list(found(project, f'{begin}, environment: {{W: "${{parameters.w}}"}}}}\n')) == ["n"]
    inside = '  b: {entrypoint: "s:f", parameters: {x: ["${parameters.n}"], y: "a-${parameters.w}"}}\n'
    assert found(project, f"{begin}}}\n{inside}") == {}


def test_one_of_no_declared_type_is_planned(project: Project) -> None:
    head = HEAD.replace("n: {type: integer, default: 1}", "n: {default: 1}")
    assert found(project, '  a: {entrypoint: "s:f", parameters: {x: "${parameters.n}"}}\n', head) == {}

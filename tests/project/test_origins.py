"""Where a value of a step was set."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.engine.prepare import Request, prepare
from runner.errors import CannotPlan
from runner.project import Project, load_pipeline, locate


def write(project: Project, name: str, text: str) -> Path:
    path = project.root / name
    path.write_text(text)
    return path


def test_a_value_is_located_where_it_was_written(project: Project) -> None:
    pipeline = load_pipeline(project, Path("pipelines/p.yaml"), {}, {})
    assert locate(pipeline, ("steps", "b", "resources")).line == 11
    assert locate(pipeline, ("steps", "a", "timeout")).line == 8
    assert locate(pipeline, ("steps", "b", "settings", "image", "apt")).line == 7
    assert locate(pipeline, ("steps", "b", "retry")).line == 11


STACK = """
kind: stack
name: based
orchestrator: {flavor: local}
defaults:
  resources: little
  timeout: 2m
  retry: {max_retries: 1}
  environment: {LEVEL: "1", TOP: "1"}
---
kind: resources
name: little
cpu_count: 0.5
"""
LAYERED = """
kind: pipeline
name: layered
environment: {LEVEL: "2"}
defaults: {retry: {delay: 3s}}
steps:
  a: {entrypoint: "s:f", resources: {cpu_count: 1}, environment: {OWN: "3"}}
  b: {entrypoint: "s:f", timeout: 5s}
  c: {entrypoint: "s:f", retry: null}
"""


def test_each_value_is_told_where_it_was_set(project: Project) -> None:
    (project.root / "s.py").write_text("def f(): pass\n")
    (project.root / "stacks" / "based.yaml").write_text(STACK)
    prepared = prepare(project, Request(write(project, "l.yaml", LAYERED), stack="based"), {})
    steps, places = {p.step.name: p.step for p in prepared.plan.steps}, prepared.origins()
    assert (steps["a"].resources, steps["b"].timeout, steps["a"].timeout) == ({"cpu_count": 1}, 5, 120)
    assert steps["a"].environment == {"LEVEL": "2", "TOP": "1", "OWN": "3"}
    assert steps["a"].retry == {"max_retries": 1, "delay": 3, "backoff": 2, "max_delay": 300}
    assert steps["c"].retry is None
    assert places["a"] == {
        "resources.cpu_count": "l.yaml:7:49",
        "retry.max_retries": "stacks/based.yaml:8:24",
        "retry.delay": "l.yaml:5:27",
        "retry.backoff": "default",
        "retry.max_delay": "default",
        "timeout": "stacks/based.yaml:7:12",
        "environment.LEVEL": "l.yaml:4:22",
        "environment.TOP": "stacks/based.yaml:9:34",
        "environment.OWN": "l.yaml:7:72",
    }
    assert places["b"]["resources.cpu_count"] == "stacks/based.yaml:13:12"


def test_a_refusal_stands_where_the_value_was_set(project: Project) -> None:
    write(project, "stacks/big.yaml", STACK.replace("resources: little", "resources: {gpu_count: 64}"))
    (project.root / "s.py").write_text("def f(): pass\n")
    with pytest.raises(CannotPlan) as caught:
        prepare(project, Request(write(project, "l.yaml", LAYERED), stack="stacks/big.yaml"), {})
    assert str(caught.value.problems[0].position) == "stacks/big.yaml:6:26"


TRACKED = """
kind: stack
name: tracked
orchestrator: {flavor: local}
experiment_tracker: {flavor: mlflow, tracking_uri: "http://127.0.0.1:5000"}
"""


def test_steps_find_the_experiment_tracker_and_their_cache_does_not_depend_on_it(project: Project) -> None:
    (project.root / "s.py").write_text("def f(): pass\n")
    write(project, "stacks/tracked.yaml", TRACKED)
    file = write(project, "l.yaml", LAYERED)
    plain, tracked = (prepare(project, Request(file, stack=name), {}) for name in ("default", "tracked"))
    step = tracked.plan.steps[0].step
    assert step.environment["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5000"
    assert step.environment["MLFLOW_EXPERIMENT_NAME"] == "layered"
    assert step.fingerprint == plain.plan.steps[0].step.fingerprint
    assert tracked.origins()["a"]["environment.MLFLOW_TRACKING_URI"] == "stacks/tracked.yaml:5:21"

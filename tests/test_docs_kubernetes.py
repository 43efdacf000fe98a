"""The page about the kubernetes flavor says what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.engine.prepare import Request, compiled, prepare
from runner.orchestrators.flavors.kubernetes.access import named
from runner.orchestrators.flavors.kubernetes.manifests import RESTARTS, RIGHTS
from runner.orchestrators.flavors.kubernetes.pod_schema import POD, TAKEN
from runner.orchestrators.flavors.kubernetes.rights import USERS
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings, KubernetesStepSettings
from runner.project import find_project
from runner.spec.resources import Resources

PAGE = (Path(__file__).parent.parent / "docs" / "kubernetes.md").read_text("utf-8")
STACK = """
kind: stack
name: cluster
orchestrator: {flavor: kubernetes, kubernetes_context: c}
artifact_store: {flavor: s3, path: "s3://bucket/prefix"}
secret_store: {flavor: kubernetes, secret: ml-secrets}
"""


def table(*head: str) -> list[list[str]]:
    """The cells of a table's rows, with what stands in `…` only where anything does."""
    rows = PAGE.split(f"| {' | '.join(head)} |\n")[1].partition("\n\n")[0].splitlines()[1:]
    return [[re.sub("^`(.*)`$", r"\1", cell.strip()) for cell in row.strip("|").split(" | ")] for row in rows]


SPEC, METADATA = table("of a step", "in the pod's spec"), table("of a step", "in the pod's metadata")
ALWAYS = table("whatever a step says", "its pod has")


@pytest.fixture
def pods(tmp_path: Path) -> list[dict[str, Any]]:
    """The templates of the pods of steps, one for each row of both tables."""
    said = [yaml.safe_load(step) for step, _ in (*SPEC, *METADATA)]
    steps = {f"row-{number}": {"entrypoint": "steps:work", **step} for number, step in enumerate(said)}
    files = {
        "runner.toml": "",
        "steps.py": "def work(key=None):\n    return 1\n",
        "stack.yaml": STACK,
        "table.yaml": yaml.safe_dump({"kind": "pipeline", "name": "table", "steps": steps}, sort_keys=False),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    request = Request(tmp_path / "table.yaml", stack=str(tmp_path / "stack.yaml"))
    prepared = prepare(find_project(tmp_path), request, {}, to_run=True, ask=False)
    return [
        each["template"] for name, each in compiled(prepared, "${run.id}").documents.items() if name.startswith("steps")
    ]


def holds(whole: Any, part: Any) -> bool:
    """Whether a part of a JSON value is in it."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and holds(whole[key], part[key]) for key in part)
    if isinstance(part, list):
        return isinstance(whole, list) and all(any(holds(each, wanted) for each in whole) for wanted in part)
    return bool(whole == part)


def test_each_row_is_what_becomes_of_a_step(pods: list[dict[str, Any]]) -> None:
    found = [(pod["spec"], cell) for pod, (_, cell) in zip(pods, SPEC, strict=False)]
    found += [(pod["metadata"], cell) for pod, (_, cell) in zip(pods[len(SPEC) :], METADATA, strict=True)]
    assert [cell for whole, cell in found if not holds(whole, yaml.safe_load(cell))] == []


def test_what_every_pod_has(pods: list[dict[str, Any]]) -> None:
    plain = pods[0]["spec"]
    assert [cell for cell, _ in ALWAYS if not holds(plain, yaml.safe_load(cell))] == []


def test_nothing_that_a_step_may_say_is_left_out() -> None:
    said = " ".join(step for step, _ in (*SPEC, *METADATA))
    names = [*Resources.model_fields, *KubernetesStepSettings.model_fields, "timeout", "environment", "parameters"]
    assert [name for name in names if f"{name}:" not in said] == []


def test_nothing_that_a_stack_may_say_is_left_out() -> None:
    rows = " ".join(name for name, _ in table("of the stack's orchestrator", "where it is found"))
    assert sorted(re.findall(r"\w+", rows)) == sorted(KubernetesSettings.model_fields)


def test_the_rights_of_the_controller() -> None:
    rows = [(resource, tuple(re.findall(r"\w+", verbs))) for resource, verbs in table("resource", "verbs")]
    assert rows == [(resource, verbs) for _, resource, verbs in RIGHTS]
    assert f"up to {RESTARTS} controllers" in PAGE


def test_the_rights_of_users() -> None:
    rows = [(resource, tuple(re.findall(r"\w+", verbs))) for resource, verbs in table("resource", "verbs of users")]
    assert rows == [(named(group, resource), verbs) for group, resource, verbs in USERS]


def test_what_is_runners_own() -> None:
    rows = [re.findall(r"\w+", names) for names, _ in table("field", "of")]
    assert rows[0] == [field for kind, field in TAKEN if kind == POD]
    assert rows[1] == [field for kind, field in TAKEN if kind != POD]

"""The pages about the kubeflow and vertex flavors say what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.engine.prepare import Request, compiled, prepare
from runner.errors import CannotPlan
from runner.orchestrators import registry
from runner.orchestrators.flavors.kubeflow.refusals import RETRYING
from runner.orchestrators.flavors.kubeflow.settings import KubeflowStepSettings
from runner.orchestrators.flavors.vertex.settings import VertexSettings
from runner.project import find_project
from runner.spec.resources import Resources

DOCS = Path(__file__).parent.parent / "docs"
STACKS = {
    "kubeflow": """
kind: stack
name: cluster
orchestrator: {flavor: kubeflow, kubernetes_context: c}
artifact_store: {flavor: s3, path: "s3://bucket/prefix"}
secret_store: {flavor: kubernetes, secret: ml-secrets}
""",
    "vertex": """
kind: stack
name: cluster
orchestrator: {flavor: vertex, project: my-project-123, location: europe-west4}
artifact_store: {flavor: gcs, path: "gs://bucket/prefix"}
""",
}
KINDS = ("in its container", "in its task", "on Kubernetes")


def table(flavor: str, *head: str) -> list[list[str]]:
    """The cells of a table's rows, with what stands in `…` only where anything does; none where there is no table."""
    page = (DOCS / f"{flavor}.md").read_text("utf-8")
    _, found, rest = page.partition(f"| {' | '.join(head)} |\n")
    rows = rest.partition("\n\n")[0].splitlines()[1:] if found else []
    return [[re.sub("^`(.*)`$", r"\1", cell.strip()) for cell in row.strip("|").split(" | ")] for row in rows]


def rows_of(flavor: str) -> list[tuple[str, str, str]]:
    """Of all tables about steps: the table, what a step says, what becomes of it."""
    return [(kind, step, cell) for kind in KINDS for step, cell in table(flavor, "of a step", kind)]


def documents(flavor: str, folder: Path, *said: str, head: str = "") -> dict[str, Any]:
    """A pipeline with a step for each thing said, compiled."""
    steps = {f"row-{number}": {"entrypoint": "steps:work", **yaml.safe_load(step)} for number, step in enumerate(said)}
    (folder / "runner.toml").touch()
    (folder / "steps.py").write_text("def work(key=None):\n    return 1\n")
    (folder / "stack.yaml").write_text(STACKS[flavor])
    text = yaml.safe_dump({"kind": "pipeline", "name": "table", "steps": steps}, sort_keys=False)
    (folder / "table.yaml").write_text(text + head)
    request = Request(folder / "table.yaml", stack=str(folder / "stack.yaml"))
    return compiled(prepare(find_project(folder), request, {}, to_run=True, ask=False), "${run.id}").documents


def holds(whole: Any, part: Any) -> bool:
    """Whether a part of a JSON value is in it."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and holds(whole[key], part[key]) for key in part)
    if isinstance(part, list):
        return isinstance(whole, list) and all(any(holds(each, wanted) for each in whole) for wanted in part)
    return bool(whole == part)


@pytest.mark.parametrize("flavor", STACKS)
def test_each_row_is_what_becomes_of_a_step(flavor: str, tmp_path: Path) -> None:
    rows = rows_of(flavor)
    made = documents(flavor, tmp_path, *(step for _, step, _ in rows))["pipeline.yaml"]
    pipeline, platform = made if isinstance(made, tuple) else (made, {})
    on_kubernetes = platform.get("platforms", {}).get("kubernetes", {}).get("deploymentSpec", {}).get("executors", {})
    wrong = []
    for number, (kind, step, cell) in enumerate(rows):
        whole = {
            KINDS[0]: pipeline["deploymentSpec"]["executors"][f"exec-row-{number}"]["container"],
            KINDS[1]: pipeline["root"]["dag"]["tasks"][f"row-{number}"],
            KINDS[2]: on_kubernetes.get(f"exec-row-{number}"),
        }[kind]
        wrong += [] if holds(whole, yaml.safe_load(cell)) else [(step, cell)]
    assert wrong == []


def test_nothing_that_a_step_may_say_is_left_out() -> None:
    said = " ".join(step for _, step, _ in rows_of("kubeflow"))
    names = [*(name for name in Resources.model_fields if name != "disk"), *KubeflowStepSettings.model_fields]
    assert [name for name in (*names, "retry", "environment", "parameters", "cache") if f"{name}:" not in said] == []
    assert f"backoffMaxDuration: {RETRYING}s" in (DOCS / "kubeflow.md").read_text("utf-8")


def test_nothing_that_a_stack_of_vertex_may_say_is_left_out() -> None:
    said = " ".join(name for name, _ in table("vertex", "of the stack or the pipeline", "in `job.yaml`"))
    assert [name for name in VertexSettings.model_fields if not re.search(rf"\b{name}\b", said)] == []


@pytest.mark.parametrize("flavor", STACKS)
def test_an_address_of_this_machine_is_out_of_reach(flavor: str) -> None:
    kind = registry.flavor(flavor)
    settings = kind.Settings.model_construct(location="europe-west4")
    here = {"artifact_store": {"flavor": "gcs", "path": "gs://b", "endpoint_url": "http://localhost:9000"}}
    assert [each.code for each in kind(settings).beside([], here)] == ["unreachable-address"]
    assert "`unreachable-address`" in (DOCS / f"{flavor}.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("flavor", "step", "head", "code"),
    [
        ("kubeflow", "{}", "on_failure: continue\n", "cannot-honour"),
        ("kubeflow", "{resources: {disk: 1GB}}", "", "cannot-honour"),
        ("kubeflow", "{retry: {max_retries: 3, delay: 1m, max_delay: 2m}}", "", "cannot-honour"),
        ("kubeflow", "{retry: {max_retries: 2, backoff: 1.5}}", "", "cannot-honour"),
        ("kubeflow", "{environment: {A: '{{x}}'}}", "", "cannot-honour"),
        ("kubeflow", "{settings: {kubeflow: {annotations: {a: '${run.id}'}}}}", "", "cannot-honour"),
        ("kubeflow", "{resources: {gpu_type: 'a b', gpu_count: 1}}", "", "bad-label"),
        ("kubeflow", "{resources: {gpu_type: T4}}", "", "missing-gpu-count"),
        (
            "kubeflow",
            "{settings: {kubeflow: {volumes: [{mount_path: /a, secret: s}, {mount_path: /a, empty_dir: 1GB}]}}}",
            "",
            "said-twice",
        ),
        ("vertex", "{resources: {cpu_count: 97}}", "", "cannot-honour"),
        ("vertex", "{resources: {shm: 1GB}}", "", "cannot-honour"),
        ("vertex", "{resources: {gpu_count: 1, gpu_type: nvidia-tesla-t4}}", "", "bad-gpu-type"),
        ("vertex", "{environment: {A: '{{x}}'}}", "", "cannot-honour"),
        ("vertex", "{environment: {A: '${secrets.B}'}}", "", "unreachable-secret"),
    ],
)
def test_what_cannot_be_done_is_said_with_its_place(
    flavor: str, step: str, head: str, code: str, tmp_path: Path
) -> None:
    with pytest.raises(CannotPlan) as error:
        documents(flavor, tmp_path, step, head=head)
    (problem,) = error.value.problems
    assert (problem.code, problem.position.file.endswith("table.yaml")) == (code, True)
    assert f"`{code}`" in (DOCS / f"{flavor}.md").read_text("utf-8")

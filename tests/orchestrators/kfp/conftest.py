"""Pipelines compiled for both engines, far from this project's own runs and version."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runner.engine.prepare import Request, deployment_of, prepare
from runner.orchestrators.base import BaseOrchestrator
from runner.plan.deployment import Deployment
from runner.plan.fingerprint import PARTS
from runner.project import find_project

ROOT = Path(__file__).parents[3]
OWN = Path(__file__).parent / "documents"
IMAGE = {"image": f"registry.example.com/ml/step@sha256:{'0' * 64}", "code": None}
CASES = {
    f"{flavor}/{name}": files
    for flavor in ("kubeflow", "vertex")
    for name, files in {
        "train": (ROOT / "pipelines/train.yaml", ROOT / f"stacks/{flavor}.yaml"),
        "everything": (OWN / f"{flavor}.yaml", OWN / f"{flavor}-stack.yaml"),
    }.items()
}
GIVEN = {"vertex/everything": {"trees": 5}}


class Compiled(NamedTuple):
    """A pipeline's deployment, who compiles it, and what that gives."""

    deployment: Deployment
    orchestrator: BaseOrchestrator
    documents: dict[str, Any]


@pytest.fixture
def compiled(tmp_path: Path) -> dict[str, Compiled]:
    """Flavor and pipeline → what was compiled, without what differs with the machine and its Python."""
    shutil.copytree(ROOT / "pipelines", tmp_path / "pipelines")
    shutil.copy(OWN / "steps.py", tmp_path)
    (tmp_path / "runner.toml").touch()
    found = {}
    for name, files in CASES.items():
        pipeline, stack = (shutil.copy(path, tmp_path / f"{name.replace('/', '-')}-{path.name}") for path in files)
        request = Request(Path(pipeline), stack=str(stack), parameters=GIVEN.get(name, {}))
        prepared = prepare(find_project(tmp_path), request, {}, to_run=True, ask=False)
        deployment = deployment_of(prepared, "${run.id}")
        fixed = {part: f"<{part}>" for part in PARTS}
        steps = {name: step._replace(container=IMAGE, fingerprint=fixed) for name, step in deployment.steps.items()}
        deployment = deployment._replace(steps=steps, document=("", "<document>"))
        made = prepared.stack.orchestrator.compile(deployment).documents
        found[name] = Compiled(deployment, prepared.stack.orchestrator, made)
    return found

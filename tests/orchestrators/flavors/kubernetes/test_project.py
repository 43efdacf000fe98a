"""The example pipeline by the command line, on the example stack of a cluster: as whoever has one would run it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kube import Kube
from object_stores import SECRETS

from runner.orchestrators.cluster_api import Cluster

pytestmark = [pytest.mark.engine("kubernetes"), pytest.mark.engine("docker"), pytest.mark.engine("registry")]
ROOT = Path(__file__).parents[4]
TRAIN = ["pipelines/train.yaml", "--format", "json"]
# What these are stored as depends on the versions of libraries, which may be others here than in a new image.
OF_LIBRARIES = {"pandas", "pickle", "file"}


class Project:
    """A copy of the project's examples, whose stack names the cluster, the bucket and the registry of the tests."""

    def __init__(self, folder: Path, kubeconfig: str, changed: dict[str, str]) -> None:
        self.folder = folder
        for name in ("pipelines", "stacks"):
            shutil.copytree(ROOT / name, folder / name)
        (folder / "runner.toml").touch()
        self.stack = folder / "stacks/kubernetes.yaml"
        text = self.stack.read_text()
        for old, new in changed.items():
            assert old in text
            text = text.replace(old, new)
        self.stack.write_text(f"{text}\nsecret_store: {{flavor: kubernetes, secret: stores}}\n")
        secrets = {f"RUNNER_SECRET_{name}": value for name, value in SECRETS.items()}
        self.env = {name: value for name, value in os.environ.items() if name != "RUNNER_STACK"}
        self.env |= {"KUBECONFIG": kubeconfig, **secrets}

    def runner(self, *arguments: str, cwd: Path | None = None) -> str:
        command = [sys.executable, "-m", "runner", *arguments]
        done = subprocess.run(command, cwd=cwd or self.folder, env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    def events(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.runner("run", *TRAIN, *arguments).splitlines()]


@pytest.fixture
def project(
    tmp_path: Path, kube: Kube, in_cluster: Cluster, kube_s3_settings: dict[str, Any], registry: str, python_image: str
) -> Project:
    if in_cluster.get("secrets", "stores") is None:
        in_cluster.create("secrets", {"metadata": {"name": "stores"}, "stringData": SECRETS})
    bucket = "\n".join(f"  {field}: {value}" for field, value in kube_s3_settings.items() if field != "flavor")
    changed = {
        "kubernetes_context: my-context": f"kubernetes_context: {kube.context}",
        "kubernetes_namespace: ml": f"kubernetes_namespace: {in_cluster.namespace}",
        "  path: s3://ml-artifacts/runner\n  region: eu-central-1": bucket,
        "registry.example.com/ml": f"{registry}/runner-test",
    }
    return Project(tmp_path, kube.kubeconfig, changed)


def digests(events: list[dict[str, Any]]) -> dict[str, str]:
    """Of the outputs that depend on nothing but the pipeline."""
    found = [(each["step"], output) for each in events for output in each.get("outputs", {}).items()]
    return {
        f"{step}.{name}": artifact["digest"] for step, (name, artifact) in found if artifact["type"] not in OF_LIBRARIES
    }


def test_it_runs_as_on_this_machine_and_is_answered_from_the_cache(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = project.events("--stack", "stacks/kubernetes.yaml")
    assert first[-1]["event"] == "run_succeeded"
    here = digests(project.events("--stack", "local"))
    assert digests(first) == here and {"choose.name", "report.metrics", "evaluate_forest.confusion"} <= set(here)
    again = project.events("--stack", "stacks/kubernetes.yaml")
    assert {each["event"] for each in again if each.get("step")} == {"step_cached"} and digests(again) == here
    # Elsewhere, with the stack's file and nothing else.
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(project.stack, elsewhere)
    there = {"cwd": elsewhere}
    shown = project.runner("runs", "show", "last", "--stack", "kubernetes.yaml", "--format", "json", **there)
    found = json.loads(shown)
    assert (found["run_id"], found["status"]) == (again[0]["run_id"], "succeeded")
    printed = project.runner("runs", "logs", first[0]["run_id"], "--stack", "kubernetes.yaml", **there)
    assert "evaluate_forest    | 450 images: accuracy" in printed

"""The example pipeline by the command line, on the example stack, with a double of Kubeflow that runs containers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kube import until
from kubeflow_service import KubeflowService
from object_stores import SECRETS

from runner.orchestrators.flavors.kubeflow.service import connect
from runner.orchestrators.flavors.kubeflow.settings import KubeflowSettings

pytestmark = [pytest.mark.engine("kubernetes"), pytest.mark.engine("docker"), pytest.mark.engine("registry")]
ROOT = Path(__file__).parents[4]
TRAIN = "pipelines/train.yaml"
STACK = ("--stack", "stacks/kubeflow.yaml")
# What these are stored as depends on the versions of libraries, which may be others here than in a new image.
OF_LIBRARIES = {"pandas", "pickle", "file"}
KEYS = "  access_key_id: ${secrets.S3_ID}\n  secret_access_key: ${secrets.S3_KEY}"
WAIT = """
kind: pipeline
name: wait
defaults: {cache: false}
steps:
  first: {entrypoint: "pipelines.steps.wait:first"}
  second: {entrypoint: "pipelines.steps.wait:second", inputs: {number: first}}
"""
STEPS = """
import time
def first():
    return 1
def second(number):
    print("waiting", flush=True)
    time.sleep(600)
"""


class Project:
    """A copy of the project's examples, whose stack names the double, the bucket and the registry of the tests."""

    def __init__(self, folder: Path, changed: dict[str, str]) -> None:
        self.folder = folder
        for name in ("pipelines", "stacks"):
            shutil.copytree(ROOT / name, folder / name)
        (folder / "runner.toml").touch()
        (folder / "pipelines/wait.yaml").write_text(WAIT)
        (folder / "pipelines/steps/wait.py").write_text(STEPS)
        self.stack = folder / "stacks/kubeflow.yaml"
        text = self.stack.read_text()
        for old, new in changed.items():
            assert old in text, old
            text = text.replace(old, new)
        self.stack.write_text(text)
        secrets = SECRETS | {"KUBEFLOW_TOKEN": "a-token"}
        self.env = {name: value for name, value in os.environ.items() if name != "RUNNER_STACK"}
        self.env |= {f"RUNNER_SECRET_{name}": value for name, value in secrets.items()}

    def runner(self, *arguments: str, cwd: Path | None = None, code: int = 0) -> str:
        command = [sys.executable, "-m", "runner", *arguments]
        done = subprocess.run(command, cwd=cwd or self.folder, env=self.env, capture_output=True, text=True)
        assert done.returncode == code, done.stderr + done.stdout
        return done.stdout + done.stderr * (code != 0)

    def events(self, *arguments: str) -> list[dict[str, Any]]:
        told = self.runner("run", *arguments, "--format", "json")
        return [json.loads(line) for line in told.splitlines()]

    def run(self, *arguments: str, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.runner("runs", "show", *arguments, "--format", "json", **options))
        return found


@pytest.fixture
def project(
    tmp_path: Path,
    kube_s3_settings: dict[str, Any],
    registry: str,
    python_image: str,
    kubeflow_service: KubeflowService,
) -> Project:
    kubeflow_service.require(token="a-token")
    in_pods = {f"RUNNER_SECRET_{name}": value for name, value in SECRETS.items()}
    kubeflow_service.configure(root=str(tmp_path), docker={"environment": in_pods}, multi_user=True)
    bucket = "\n".join(f"  {field}: {value}" for field, value in kube_s3_settings.items() if field != "flavor")
    endpoint = "  endpoint_url: https://minio.example.com # a service of your own that speaks S3's protocol"
    changed = {
        "https://kubeflow.example.com/pipeline": f"{kubeflow_service.url}/pipeline",
        f"  path: s3://ml-artifacts/runner\n{endpoint}\n{KEYS}": bucket,
        "registry.example.com/ml": f"{registry}/runner-test",
    }
    return Project(tmp_path, changed)


def digests(events: list[dict[str, Any]]) -> dict[str, str]:
    """Of the outputs that depend on nothing but the pipeline."""
    found = [(each["step"], output) for each in events for output in each.get("outputs", {}).items()]
    return {
        f"{step}.{name}": artifact["digest"] for step, (name, artifact) in found if artifact["type"] not in OF_LIBRARIES
    }


def test_it_runs_as_on_this_machine_and_is_answered_from_the_cache(
    project: Project, kubeflow_service: KubeflowService, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = project.events(TRAIN, *STACK)
    assert (first[1]["event"], first[-1]["event"]) == ("run_submitted", "run_succeeded")
    (run,) = kubeflow_service.runs()
    assert first[1]["url"] == f"{kubeflow_service.url}/pipeline/#/runs/details/{run['run_id']}"
    assert "a-token" not in json.dumps(run)
    here = digests(project.events(TRAIN, "--stack", "local"))
    assert digests(first) == here and {"choose.name", "report.metrics", "evaluate_forest.confusion"} <= set(here)
    again = project.events(TRAIN, *STACK)
    assert {each["event"] for each in again if each.get("step")} == {"step_cached"} and digests(again) == here
    # Elsewhere, with the stack's file and nothing else.
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shutil.copy(project.stack, elsewhere)
    found = project.run("last", "--stack", "kubeflow.yaml", cwd=elsewhere)
    assert (found["run_id"], found["status"], found["url"]) == (again[0]["run_id"], "succeeded", again[1]["url"])
    printed = project.runner("runs", "logs", first[0]["run_id"], "--stack", "kubeflow.yaml", cwd=elsewhere)
    assert "evaluate_forest    | 450 images: accuracy" in printed


def test_a_run_is_left_looked_at_cancelled_and_gone_on_with(
    project: Project, kubeflow_service: KubeflowService
) -> None:
    run_id = project.events("pipelines/wait.yaml", *STACK, "--detach")[0]["run_id"]
    until(lambda: project.run(run_id)["steps"]["second"]["status"] == "running")
    assert "still going in its engine" in project.runner("runs", "resume", run_id, code=5)
    until(
        lambda: "second      | waiting" in project.runner("runs", "logs", run_id)
    )  # a bucket has it some seconds later
    assert project.runner("runs", "cancel", run_id) == f"run {run_id} is cancelled\n"
    (run,) = kubeflow_service.runs()
    kubeflow_service.wait(run["run_id"])
    (project.folder / "pipelines/steps/wait.py").write_text("def second(number):\n    return number + 1\n")
    assert "1 cached" not in project.runner("runs", "resume", run_id)
    found = project.run(run_id)
    assert (found["status"], found["steps"]["second"]["attempt"]) == ("succeeded", 2)
    assert [each["display_name"][-4:] for each in kubeflow_service.runs()][1:] == [" (2)"]
    assert set(kubeflow_service.runs()[1]["pipeline_spec"]["pipeline_spec"]["components"]) == {"comp-second"}


def test_a_run_that_was_ended_in_kubeflow_is_told_to_have_been(
    project: Project, kubeflow_service: KubeflowService
) -> None:
    run_id = project.events("pipelines/wait.yaml", *STACK, "--detach")[0]["run_id"]
    until(lambda: project.run(run_id)["steps"]["second"]["status"] == "running")
    (run,) = kubeflow_service.runs()
    stack = KubeflowSettings(kubeflow_hostname=kubeflow_service.url, token="${secrets.T}")
    connect(stack, lambda name: "a-token").terminate(run["run_id"])
    kubeflow_service.wait(run["run_id"])
    found = project.run(run_id)
    assert (found["status"], found["steps"]["second"]["status"]) == ("failed", "failed")
    assert found["steps"]["second"]["error"]["message"] == "it was told to stop (SIGTERM)"

"""The verbs of the command line on a stack of the kubernetes flavor."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from runner.cli.main import main
from runner.orchestrators.container import mark_of
from runner.orchestrators.flavors.kubernetes.names import job_name
from runner.orchestrators.flavors.kubernetes.orchestrator import KubernetesOrchestrator
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings
from runner.plan.deployment import Deployment

STACK = """
kind: stack
name: cluster
orchestrator: {flavor: kubernetes, kubernetes_context: nowhere}
artifact_store: {flavor: s3, path: "s3://bucket/prefix"}
"""


PIPELINE = """
kind: pipeline
name: small
stack: cluster
steps:
  a: {entrypoint: "work:a", settings: {image: {image: "python:3"}}}
"""
UNKNOWN = """
kind: pipeline
name: unknown
stack: cluster
parameters: {claim: {type: string}}
steps:
  a:
    entrypoint: work:a
    settings: {kubernetes: {pod: {volumes: [{name: "${parameters.claim}"}]}}}
"""


class Pods:
    """Stands for a cluster whose pods are called by their phases."""

    def get(self, plural: str, name: str) -> dict[str, Any] | None:
        phase = name.rpartition("-")[2]
        return None if phase == "gone" else {"status": {"phase": phase}}

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "runner.toml").touch()
    (tmp_path / "work.py").write_text("def a():\n    return 1\n")
    (tmp_path / "stacks").mkdir()
    for name, text in (("stacks/cluster.yaml", STACK), ("small.yaml", PIPELINE), ("unknown.yaml", UNKNOWN)):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("RUNNER_STACK", raising=False)
    return tmp_path


def test_compile_writes_a_folder_that_kubectl_takes(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", "small.yaml", "-o", "made"]) == 0
    files = capsys.readouterr().out.split()
    assert [Path(file).name for file in files][-2:] == ["04-job.yaml", "a.yaml"]
    for file in files:
        kubernetes_validate.validate(yaml.safe_load(Path(file).read_text()), "1.37", strict=True)


def test_what_compile_prints_is_one_text_of_several_documents(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compile", "small.yaml"]) == 0
    kinds = [each["kind"] for each in yaml.safe_load_all(capsys.readouterr().out)]
    assert kinds == ["ServiceAccount", "Role", "RoleBinding", "Job", "PodTemplate"]


def test_what_compile_writes_names_the_controllers_image_by_its_tag(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compile", "small.yaml"]) == 0
    (job,) = [each for each in yaml.safe_load_all(capsys.readouterr().out) if each["kind"] == "Job"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert re.fullmatch("runner-controller:[0-9a-f]{20}", container["image"])


def test_a_ready_image_for_the_controller_is_used_as_it_is(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = STACK.replace("nowhere}", "nowhere, controller_image: 'mine:1'}")
    (project / "stacks/cluster.yaml").write_text(text)
    assert main(["plan", "small.yaml"]) == 0
    rows = [line.split()[:3] for line in capsys.readouterr().out.splitlines() if "(controller)" in line]
    assert rows == [["mine:1", "ready", "(controller)"]]


def test_only_its_own_controllers_may_be_over(monkeypatch: pytest.MonkeyPatch) -> None:
    orchestrator = KubernetesOrchestrator(KubernetesSettings(kubernetes_context="c"))
    monkeypatch.setattr(KubernetesOrchestrator, "_cluster", lambda self: Pods())
    deployment = Deployment("r1", "p", "s", "kubernetes", {}, {"flavor": "s3", "path": "s3://b/p"}, "/p")
    job = job_name("r1", "p", mark_of("r1", deployment.artifact_store))
    found = [orchestrator.is_gone(deployment, f"{job}-{phase}") for phase in ("Running", "Succeeded", "Failed", "gone")]
    assert found == [False, True, True, True]
    assert not orchestrator.is_gone(deployment, "a-laptop")


@pytest.mark.parametrize("verb", ["plan", "compile"])
def test_what_no_pod_can_have_cannot_be_planned(verb: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "small.yaml").write_text(f"{PIPELINE}environment: {{TOKEN: '${{secrets.TOKEN}}'}}\n")
    assert main([verb, "small.yaml"]) == 4
    assert "small.yaml:7:22: error[unreachable-secret]" in capsys.readouterr().err


def test_a_pod_that_waits_for_a_parameter_is_told_when_it_has_a_value(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", "unknown.yaml"]) == 0
    assert main(["compile", "unknown.yaml", "-p", "claim=data"]) == 0
    assert "name: data" in capsys.readouterr().out


def test_compiling_needs_neither_sdk_nor_cluster(project: Path) -> None:
    code = (
        "import sys\nfrom runner.cli.main import main\ncode = main(['compile', 'small.yaml', '-o', 'made'])\n"
        "sdks = {'kubernetes', 'docker', 'fsspec', 'obstore', 'boto3', 'requests'} & set(sys.modules)\n"
        "sys.exit(code or ', '.join(sdks) or None)"
    )
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(project)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_schema_of_pods_is_loaded_where_a_pod_is_written_only() -> None:
    code = (
        "import sys\nfrom runner.orchestrators.registry import flavor\n"
        "flavor('kubernetes').StepSettings.model_validate({'labels': {'a': 'b'}})\n"
        "from runner.orchestrators.flavors.kubernetes.pod_schema import _types\n"
        "sys.exit(_types.cache_info().currsize)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

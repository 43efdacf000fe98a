"""The verbs of the command line on a stack of the kubernetes flavor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from runner.cli.main import main

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


def test_running_is_not_there_yet(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "small.yaml"]) == 5
    told = capsys.readouterr().err
    assert "cannot run anything on flavor 'kubernetes' yet" in told and "`compile` work with it" in told


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
        "sdks = {'kubernetes', 'docker', 'fsspec', 's3fs', 'boto3', 'requests'} & set(sys.modules)\n"
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

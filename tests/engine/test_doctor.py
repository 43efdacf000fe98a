"""What `runner doctor` finds out about stacks that work, and about stacks where everything is broken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.checks import Check
from runner.engine.doctor import _Subject, _tried, examined
from runner.project import Project

PATIENT = 60.0  # seconds: this machine may be busy with other tests
OPEN = "kind: stack\nname: s\norchestrator: {flavor: local}\n"
SECRETS = """kind: pipeline
name: p
steps: {one: {entrypoint: "m:one", parameters: {a: "${secrets.FIRST_ONE}", b: "x${secrets.SECOND_ONE}"}}}
"""
BROKEN = """kind: stack
name: s
orchestrator: {flavor: airflow, dag_output_dir: no-such-folder, airflow_url: "http://127.0.0.1:1"}
artifact_store: {flavor: s3, path: "s3://bucket/here", endpoint_url: "http://127.0.0.1:1", region: us-east-1,
    access_key_id: "${secrets.STORE_ID}", secret_access_key: "${secrets.STORE_KEY}"}
container_registry: {flavor: generic, uri: "127.0.0.1:1/ml", username: me, password: "${secrets.PASSWORD}"}
secret_store: {flavor: file, path: no-such-file}
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "runner.toml").touch()
    (tmp_path / "stacks").mkdir()
    (tmp_path / "pipelines").mkdir()
    return Project(tmp_path)


def found(
    project: Project, stack: str | None = None, text: str | None = None, **environ: str
) -> dict[str, list[Check]]:
    """Name → the checks of this name."""
    if text is not None:
        (project.root / "stacks/s.yaml").write_text(text)
        stack = "s"
    checks: dict[str, list[Check]] = {}
    for check in examined(project, stack, environ, PATIENT):
        checks.setdefault(check.name, []).append(check)
    return checks


def test_all_is_well_with_the_default_stack(project: Project) -> None:
    checks = found(project)
    names = ["versions", "packages", "project", "catalog", "run store", "stack", "machine", "artifact store"]
    assert list(checks) == [*names, "secret store"]
    assert [each for group in checks.values() for each in group if not each.ok] == []


def test_nothing_is_left_behind(project: Project) -> None:
    found(project)
    left = [path for path in (project.root / ".runner").rglob("*") if path.is_file()]
    assert left == [] and not (project.root / ".runner/artifacts/doctor").exists()


def test_an_artifact_store_over_a_real_socket(project: Project, s3_settings: dict[str, Any]) -> None:
    store = "".join(f"  {key}: {value}\n" for key, value in s3_settings.items())
    (check,) = found(project, text=f"{OPEN}artifact_store:\n{store}")["artifact store"]
    assert check.ok and check.told.startswith(f"{s3_settings['path']}: wrote, read and deleted an object in ")
    assert check.told.endswith("conditional put works")


def test_a_bucket_that_is_not_there(project: Project, s3_settings: dict[str, Any]) -> None:
    store = "".join(f"  {key}: {value}\n" for key, value in (s3_settings | {"path": "s3://no-such-bucket"}).items())
    (check,) = found(project, text=f"{OPEN}artifact_store:\n{store}")["artifact store"]
    assert not check.ok and "no-such-bucket" in check.told and check.help


def test_secrets_are_told_by_name_alone(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.root / "pipelines/p.yaml").write_text(f"stack: default\n{SECRETS}")
    monkeypatch.setenv("FIRST_ONE", "a-value-of-it")
    monkeypatch.delenv("SECOND_ONE", raising=False)
    missing, there = found(project)["secret store"]
    assert there == Check("secret store", True, "env: has FIRST_ONE")
    assert not missing.ok and "SECOND_ONE" in missing.told and missing.help


def test_a_secret_of_a_pipeline_of_another_stack_is_a_warning(project: Project) -> None:
    (project.root / "pipelines/p.yaml").write_text(SECRETS.replace("FIRST_ONE", "SECOND_ONE"))
    (warning,) = found(project)["secret store"]
    assert warning.ok and warning.warning and warning.told.endswith("(for pipeline 'p')") and warning.help


@pytest.mark.engine("registry")
def test_the_right_to_push_is_tried(project: Project, registry: str) -> None:
    text = f"{OPEN}container_registry: {{flavor: generic, uri: '{registry}/ml'}}\n"
    (check,) = found(project, text=text, DOCKER_CONFIG=str(project.root))["registry"]
    assert check == Check("registry", True, f"{registry}/ml: can be pushed to, without a login")


@pytest.mark.engine("registry")
def test_a_registry_with_the_login_of_the_stack(
    project: Project, closed_registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "a-password")
    login = "username: nobody, password: '${secrets.PASSWORD}'"
    text = f"{OPEN}container_registry: {{flavor: generic, uri: '{closed_registry}', {login}}}\n"
    (check,) = found(project, text=text)["registry"]
    assert check == Check("registry", True, f"{closed_registry}: can be pushed to, as 'nobody'")


@pytest.mark.engine("docker")
def test_the_engine_of_local_docker(project: Project) -> None:
    checks = found(project, text="kind: stack\nname: s\norchestrator: {flavor: local_docker}\n")
    assert checks["engine"][0].ok and "API 1." in checks["engine"][0].told


def test_a_dead_engine(project: Project) -> None:
    (check,) = found(project, text=f"{OPEN}image_builder: {{flavor: local}}\n", DOCKER_HOST="unix:///none")[
        "image builder"
    ]
    assert not check.ok and "DOCKER_HOST" in (check.help or "")


def test_every_line_of_a_broken_stack_says_what_to_do(project: Project) -> None:
    checks = found(project, text=BROKEN, DOCKER_HOST="unix:///none")
    broken = {name for name, group in checks.items() if any(not each.ok for each in group)}
    assert broken >= {"DAG folder", "Airflow", "artifact store", "secret store", "registry", "image builder"}
    assert [each for group in checks.values() for each in group if not each.ok and not each.help] == []


def test_a_stack_with_problems_is_told_line_by_line(project: Project) -> None:
    checks = found(project, text="kind: stack\nname: s\norchestrator: {flavor: locl}\n")
    (check,) = checks["stack"]
    assert not check.ok and "stacks/s.yaml:3:" in check.told
    assert "did you mean 'local'?" in (check.help or "") and "artifact store" not in checks


def test_a_state_folder_that_is_a_file(project: Project) -> None:
    (project.root / ".runner").touch()
    checks = found(project)
    assert not checks["project"][0].ok and not checks["artifact store"][0].ok


def test_credentials_of_a_cloud_are_tried(project: Project, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "x"), ("ENDPOINT_URL_STS", s3_endpoint)):
        monkeypatch.setenv(f"AWS_{name}", value)
    role = "execution_role: 'arn:aws:iam::123456789012:role/ml'"
    text = f"kind: stack\nname: s\norchestrator: {{flavor: sagemaker, {role}, region: eu-central-1}}\n"
    (check,) = found(project, text=text)["credentials"]
    assert check.ok and "in account 123456789012, region eu-central-1" in check.told


# -- side by side ------------------------------------------------------------------------------------------------------


def silent() -> Iterator[Check]:
    yield Check("a", True, "one")
    threading.Event().wait()


def fails() -> Iterator[Check]:
    raise ValueError("of a flavor of one's own")
    yield


def test_what_says_nothing_is_given_up() -> None:
    first, second = _tried([_Subject("a", silent, "look there")], 0.2)
    assert first.ok and second == Check("a", False, "no answer within 0.2 s", "look there")


def test_a_mistake_in_what_tries_is_a_check_too() -> None:
    (check,) = _tried([_Subject("a", fails)], PATIENT)
    assert not check.ok and check.told == "ValueError: of a flavor of one's own"


def test_subjects_are_tried_side_by_side_and_told_in_order() -> None:
    barrier = threading.Barrier(2, timeout=PATIENT)

    def meets(name: str) -> Iterator[Check]:
        barrier.wait()
        yield Check(name, True, "met")

    subjects = [_Subject("a", lambda: meets("a")), _Subject("b", lambda: meets("b"))]
    assert [check.name for check in _tried(subjects, PATIENT)] == ["a", "b"]

"""What a run is made of in a cluster: held against golden files and Kubernetes' own schemas."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from runner.document.write import to_manifest
from runner.engine.prepare import Request, deployment_of, prepare
from runner.errors import EngineError
from runner.orchestrators.flavors.kubernetes.manifests import RIGHTS, documents
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings
from runner.plan.deployment import DeployedStep, Deployment
from runner.project import find_project

ROOT = Path(__file__).parents[4]
GOLDEN = ROOT / "tests" / "golden" / "kubernetes"
OWN = Path(__file__).parent / "documents"
PIPELINES = {
    "train": (ROOT / "pipelines/train.yaml", ROOT / "stacks/kubernetes.yaml"),
    "everything": (OWN / "everything.yaml", OWN / "everything-stack.yaml"),
}
VERSIONS = ("1.25", kubernetes_validate.latest_version())
CONTROLLER = {"image": f"registry.example.com/ml/runner-controller@sha256:{'1' * 64}"}
IMAGE = {"image": f"registry.example.com/ml/step@sha256:{'0' * 64}", "code": None}


@pytest.fixture
def compiled(tmp_path: Path) -> dict[str, dict[str, Any]]:
    """Pipeline → file name → object, as compiled far from this project's own runs and version."""
    shutil.copytree(ROOT / "pipelines", tmp_path / "pipelines")
    shutil.copy(OWN / "steps.py", tmp_path)
    (tmp_path / "runner.toml").touch()
    found = {}
    for name, (pipeline, stack) in PIPELINES.items():
        copied = [shutil.copy(path, tmp_path / path.name) for path in (pipeline, stack)]
        request = Request(Path(copied[0]), stack=str(copied[1]))
        prepared = prepare(find_project(tmp_path), request, {}, to_run=True, ask=False)
        deployment = deployment_of(prepared, "${run.id}")
        steps = {name: step._replace(container=IMAGE) for name, step in deployment.steps.items()}
        deployment = deployment._replace(steps=steps, controller=CONTROLLER)
        found[name] = prepared.stack.orchestrator.compile(deployment).documents
    return found


def objects(made: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Everything that a cluster is told, the pods as they will be."""
    for each in made.values():
        yield each
        if each["kind"] == "PodTemplate":
            yield {"apiVersion": "v1", "kind": "Pod", **each["template"]}


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_files_that_compile_writes(
    pipeline: str, compiled: dict[str, dict[str, Any]], request: pytest.FixtureRequest
) -> None:
    texts = {name: to_manifest(made) for name, made in compiled[pipeline].items()}
    folder = GOLDEN / pipeline
    if request.config.getoption("--golden"):
        shutil.rmtree(folder, ignore_errors=True)
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, "utf-8")
    assert texts == {
        str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("pipeline", PIPELINES)
def test_kubernetes_takes_every_file(pipeline: str, version: str, compiled: dict[str, dict[str, Any]]) -> None:
    for each in objects({name: yaml.safe_load(to_manifest(made)) for name, made in compiled[pipeline].items()}):
        kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_its_own_pods_meet_the_restricted_standard(pipeline: str, compiled: dict[str, dict[str, Any]]) -> None:
    found = list(objects(compiled[pipeline]))
    specs = [each["spec"] for each in found if each["kind"] == "Pod"]
    for spec in [*specs, *(each["spec"]["template"]["spec"] for each in found if each["kind"] == "Job")]:
        assert spec["restartPolicy"] == "Never" and spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = spec["containers"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_no_secret_stands_in_a_manifest_but_where_it_is(compiled: dict[str, dict[str, Any]]) -> None:
    pod = compiled["everything"]["steps/all.yaml"]["template"]["spec"]
    found = {
        each["name"]: each["valueFrom"]["secretKeyRef"]
        for each in pod["containers"][0]["env"]
        if "secretKeyRef" in each.get("valueFrom", {})
    }
    keys = ["TOKEN", "API_KEY", "S3_ACCESS_KEY", "S3_SECRET_KEY"]
    assert list(found) == [f"RUNNER_SECRET_{key}" for key in keys]
    assert found["RUNNER_SECRET_TOKEN"] == {"name": "ml-secrets", "key": "TOKEN", "optional": True}


def test_the_controller_has_the_secrets_of_the_stores_alone(compiled: dict[str, dict[str, Any]]) -> None:
    job = compiled["everything"]["04-job.yaml"]["spec"]["template"]["spec"]
    names = [each["name"] for each in job["containers"][0]["env"]]
    assert [name for name in names if "SECRET_" in name] == [
        "RUNNER_SECRET_S3_ACCESS_KEY",
        "RUNNER_SECRET_S3_SECRET_KEY",
    ]


def test_the_role_is_what_the_controller_does_and_no_more(compiled: dict[str, dict[str, Any]]) -> None:
    rules = compiled["train"]["02-role.yaml"]["rules"]
    assert [(rule["resources"], rule["verbs"]) for rule in rules] == [
        ([what], list(verbs)) for _, what, verbs in RIGHTS
    ]
    assert not any("*" in text for rule in rules for part in rule.values() for text in part)


def test_an_account_of_ones_own_is_used_as_it_is() -> None:
    settings = KubernetesSettings(kubernetes_context="c", service_account_name="mine")
    made = documents(deployment("a"), settings)
    assert list(made) == ["01-job.yaml", "steps/a.yaml"]
    assert made["01-job.yaml"]["spec"]["template"]["spec"]["serviceAccountName"] == "mine"


def test_the_pods_of_steps_end_with_the_job() -> None:
    made = documents(deployment("a"), KubernetesSettings(kubernetes_context="c"))
    (owner,) = made["steps/a.yaml"]["template"]["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Job", made["04-job.yaml"]["metadata"]["name"])
    assert "controller" not in owner


def test_one_run_id_is_one_job_and_another_is_another() -> None:
    settings = KubernetesSettings(kubernetes_context="c")
    names = [
        documents(deployment("a")._replace(run_id=run_id), settings)["04-job.yaml"]["metadata"]["name"]
        for run_id in ("r-1", "r-1", "R_1")
    ]
    assert names[0] == names[1] != names[2]


def test_names_that_collide_are_no_manifests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.orchestrators.flavors.kubernetes.names.name_of", lambda *given: "same")
    with pytest.raises(EngineError, match="'a' and 'b' would both be named 'same'"):
        documents(deployment("a", "b"), KubernetesSettings(kubernetes_context="c"))


def deployment(*steps: str) -> Deployment:
    store = {"flavor": "s3", "path": "s3://b/p"}
    return Deployment("r1", "p", "s", "kubernetes", {name: DeployedStep(name, "m:f") for name in steps}, store, "/p")

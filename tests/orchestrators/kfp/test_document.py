"""Deployments as Kubeflow's documents: held against golden files, and what stands in them for whom."""

from __future__ import annotations

import base64
import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.ledger import Ledger
from runner.cli.compile import as_text
from runner.cli.main import main
from runner.orchestrators.kfp.document import parameter_types, pipeline_document, refusals, resources_of
from runner.plan.deployment import DeployedStep, Deployment, digest_of, job_from

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = [f"{flavor}/{name}" for flavor in ("kubeflow", "vertex") for name in ("train", "everything")]


def jobs_of(documents: dict[str, Any]) -> dict[str, Any]:
    """The worker's job of each executor, taken out of the document, where `${job}` stands then."""
    made = documents["pipeline.yaml"]
    found = {}
    for name, executor in (made[0] if isinstance(made, tuple) else made)["deploymentSpec"]["executors"].items():
        command = executor["container"]["command"]
        found[name] = json.loads(base64.b64decode(command[3]))
        command[3] = "${job}"
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_files_that_compile_writes(case: str, compiled: dict[str, Any], request: pytest.FixtureRequest) -> None:
    documents = copy.deepcopy(compiled[case].documents)
    documents["worker-jobs.yaml"] = jobs_of(documents)
    texts = {name: as_text(name, made) for name, made in documents.items()}
    folder = GOLDEN / case
    if request.config.getoption("--golden"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, text in texts.items():
            (folder / name).write_text(text, "utf-8")
    assert texts == {path.name: path.read_text("utf-8") for path in folder.iterdir()}


@pytest.mark.parametrize("case", CASES)
def test_every_job_is_one_that_a_worker_reads(case: str, compiled: dict[str, Any]) -> None:
    made = compiled[case]
    digest = digest_of(made.deployment)
    for told in jobs_of(copy.deepcopy(made.documents)).values():
        job = job_from(told)
        assert (job.run_id, job.attempt, job.project, job.bound, job.announce, job.echo) == (
            "",
            0,
            "",
            False,
            True,
            True,
        )
        assert job.given["deployment"] == digest


def test_no_secret_stands_in_a_document_but_where_it_is(compiled: dict[str, Any]) -> None:
    _, platform = compiled["kubeflow/everything"].documents["pipeline.yaml"]
    executor = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-all"]
    (secret,) = executor["secretAsEnv"]
    assert [each["secretKey"] for each in secret["keyToEnv"]] == ["TOKEN", "API_KEY", "S3_ACCESS_KEY", "S3_SECRET_KEY"]
    assert (secret["secretName"], secret["optional"]) == ("ml-secrets", True)


def deployment(*steps: DeployedStep, **fields: Any) -> Deployment:
    by_name = {step.name: step for step in steps}
    return Deployment("r", "p", "s", "vertex", by_name, {"flavor": "gcs", "path": "gs://b"}, "/p", **fields)


def written(made: Deployment) -> dict[str, Any]:
    return pipeline_document(made, lambda step: "NVIDIA_L4", 3600)


def test_one_document_is_the_same_wherever_and_whenever_it_is_made() -> None:
    made = deployment(DeployedStep("a", "m:f"))
    elsewhere = made._replace(run_id="x", created=5.0, project="/elsewhere", file="q.yaml")
    assert written(made) == written(elsewhere)
    assert digest_of(made) != digest_of(made._replace(parameters={"a": 1}))


def test_steps_that_were_selected_wait_for_none_that_were_not() -> None:
    made = written(deployment(DeployedStep("b", "m:f", after=("a",))))
    assert "dependentTasks" not in made["root"]["dag"]["tasks"]["b"]


def test_who_is_first_hears_of_all_parameters_and_others_of_their_own() -> None:
    runtime = {
        "x": {"type": "integer", "arguments": [["a", "one"]]},
        "y": {"type": "string", "arguments": [["b", "two"]]},
    }
    steps = (DeployedStep("a", "m:f"), DeployedStep("b", "m:f", after=("a",)))
    tasks = written(deployment(*steps, parameters={"x": 1, "y": "u"}, runtime=runtime))["root"]["dag"]["tasks"]
    assert list(tasks["a"]["inputs"]["parameters"]) == ["run_id", "x", "y", "engine_run_id"]
    assert list(tasks["b"]["inputs"]["parameters"]) == ["run_id", "y", "engine_run_id"]


def test_what_the_engine_would_take_for_its_own_is_not_filled_in_by_it() -> None:
    runtime = {name: {"type": "string", "arguments": [["a", name]]} for name in ("run_id", "engine_run_id", "t", "u")}
    values = {"run_id": "", "engine_run_id": "", "t": "{{$}}", "u": "}}"}
    assert parameter_types(deployment(parameters=values, runtime=runtime)) == {"u": "string"}


def test_a_variable_that_the_engine_would_fill_in_is_refused() -> None:
    step = DeployedStep("a", "m:f", environment={"A": "x {{workflow.name}}", "B": "}} {"})
    (found,) = refusals([step], 3600, whole=True)
    assert (found.path, found.code) == (("steps", "a", "environment", "A"), "cannot-honour")


def test_no_accelerator_and_nothing_else_is_asked_for_by_zero() -> None:
    assert resources_of({"gpu_count": 0}, "x") == {}
    assert resources_of({}, "x") == {}


def test_a_thousand_bytes_are_written_as_both_sdk_and_cluster_take_them() -> None:
    assert resources_of({"memory": 1500}, "x")["resourceMemoryLimit"] == "1500"
    assert resources_of({"memory": 5000}, "x")["resourceMemoryLimit"] == "5000"


@pytest.mark.parametrize("flavor", ["kubeflow", "vertex"])
def test_compile_needs_no_sdk(flavor: str, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom runner.cli.main import main\ncode = main(sys.argv[1:])\n"
        "assert not {'kfp', 'kfp_server_api', 'kubernetes', 'gcsfs', 'google.auth', 'grpc'} & set(sys.modules)\n"
        "sys.exit(code)"
    )
    arguments = ["compile", "pipelines/train.yaml", "--stack", f"stacks/{flavor}.yaml", "-o", str(tmp_path)]
    subprocess.run([sys.executable, "-c", code, *arguments], cwd=GOLDEN.parents[1], check=True)
    assert (tmp_path / "pipeline.yaml").read_text().startswith("pipelineInfo:\n  name: train\n")


def test_compile_asks_no_store_although_there_were_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runner.toml").touch()
    (tmp_path / "s.py").write_text("def f(): return 1\n")
    (tmp_path / "p.yaml").write_text('kind: pipeline\nname: p\nsteps: {a: {entrypoint: "s:f"}}\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["run", "p.yaml"]) == 0
    monkeypatch.setattr(Ledger, "_read", lambda *given: pytest.fail("the store was asked"))
    assert main(["compile", "p.yaml"]) == 0

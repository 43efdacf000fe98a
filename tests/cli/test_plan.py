"""`runner plan --all-flavors` and `runner validate --stack`: what could run where."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.cli.main import main
from runner.orchestrators import registry

GOLDEN = Path(__file__).parents[1] / "golden" / "flavors"
PIPELINE = """\
kind: pipeline
name: digits
parameters: {size: {type: string, default: 8GB}}
defaults: {resources: {cpu_count: 1}, timeout: 10m}
settings:
  image: {requirements: [scikit-learn]}
steps:
  load:
    entrypoint: steps:load
  clean:
    entrypoint: steps:clean
    inputs: {data: load}
    resources: {cpu_count: 0.5, disk: 100GB}
    settings: {image: {apt: [git]}, airflow: {pool: small}}
  fit:
    entrypoint: steps:fit
    inputs: {data: clean}
    resources: {memory: "${parameters.size}", gpu_count: 1, gpu_type: nvidia-l4, shm: 1GiB}
    retry: {max_retries: 2}
    settings:
      kubernetes: {node_selectors: {pool: gpu}}
      sagemaker: {instance_type: ml.g5.xlarge}
"""
STACK = """\
kind: stack
name: vertex
orchestrator: {flavor: vertex, project: my-project-123, location: europe-west4}
artifact_store: {flavor: gcs, path: "gs://bucket/prefix"}
"""
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    (tmp_path / "runner.toml").touch()
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "vertex.yaml").write_text(STACK)
    (tmp_path / "digits.yaml").write_text(PIPELINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("runner.plugins._entry_points", lambda group: {})  # whatever flavors are installed here

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        return (code, *capfd.readouterr())

    return run


def test_the_report_that_a_user_reads(runner: Run, request: pytest.FixtureRequest) -> None:
    code, text, _ = runner("plan", "digits.yaml", "--all-flavors")
    expected = GOLDEN / "digits.portability.txt"
    if request.config.getoption("--golden"):
        expected.parent.mkdir(parents=True, exist_ok=True)
        expected.write_text(text, "utf-8")
    assert code == 0
    assert text == expected.read_text("utf-8")


def test_the_report_as_json_has_a_cell_for_each_flavor(runner: Run) -> None:
    code, text, _ = runner("plan", "digits.yaml", "--all-flavors", "--format", "json")
    facts = json.loads(text)
    assert code == 0
    assert all(list(row["flavors"])[: len(registry.BUILTINS)] == list(registry.BUILTINS) for row in facts["settings"])
    assert facts["refused"]["kubernetes"] == []


def test_the_report_takes_parameters(runner: Run) -> None:
    assert "memory 64GB" in runner("plan", "digits.yaml", "--all-flavors", "-p", "size=64GB")[1]


def test_the_report_is_no_graph(runner: Run) -> None:
    code, _, err = runner("plan", "digits.yaml", "--all-flavors", "--format", "dot")
    assert (code, "cannot be printed as dot" in err, "take text or json" in err) == (64, True, True)


def test_the_report_needs_no_run_and_leaves_nothing(runner: Run) -> None:
    runner("plan", "digits.yaml", "--all-flavors")
    assert not Path(".runner").exists()


@pytest.mark.parametrize("stack", ["vertex", "stacks/vertex.yaml"])
def test_validate_on_a_stack(runner: Run, stack: str) -> None:
    code, out, _ = runner("validate", "digits.yaml", "--stack", stack)
    assert code == 3
    assert "digits.yaml:13:39: error[cannot-honour]: step 'clean' sets disk" in out
    assert "flavors that can: kubernetes, sagemaker" in out


def test_validate_on_no_stack_judges_the_documents_alone(runner: Run) -> None:
    assert runner("validate", "digits.yaml")[0] == 0


def test_a_stack_that_is_not_there(runner: Run) -> None:
    code, _, err = runner("validate", "digits.yaml", "--stack", "vertx")
    assert (code, "did you mean 'vertex'?" in err) == (64, True)


def test_what_cannot_run_yet_says_so_and_leaves_nothing(runner: Run) -> None:
    later = "{flavor: databricks, host: 'https://d.example.com', node_type_id: n, spark_version: 15.4.x-scala2.12}"
    Path("stacks/later.yaml").write_text(f"kind: stack\nname: later\norchestrator: {later}\n{STACK.splitlines()[-1]}\n")
    Path("plain.yaml").write_text("kind: pipeline\nname: plain\nsteps: {a: {entrypoint: 'steps:load'}}\n")
    code, out, err = runner("run", "plain.yaml", "--stack", "later")
    assert (code, out) == (5, "")
    assert "cannot run anything on flavor 'databricks' yet" in err and "flavors that can run now: local" in err
    assert not Path(".runner/runner.db").exists()

"""Jobs of documents that serve many runs: which run it is, and its parameters' values, come when it starts."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from typing import Any

import pytest

from runner.artifact_store.ledger import Ledger
from runner.plan.deployment import DeployedStep, Deployment, StepJob, digest_of, job_to_json
from runner.plan.fingerprint import PARTS, part
from runner.worker.given import begun, given

TYPES = {"n": "integer", "share": "number", "word": "string"}
RUNTIME = {
    "n": {"type": "integer", "arguments": [["a", "y"], ["gone", "y"]]},
    "word": {"type": "string", "arguments": [["b", "w"]]},
}


def told(run_id: str = "", **values: Any) -> str:
    """An executor input as the engines write it."""
    parameters = {"run_id": run_id, "engine_run_id": "5c1f-uuid", **values}
    return json.dumps({"inputs": {"parameterValues": parameters}, "outputs": {"outputFile": "/tmp/x"}})


@pytest.fixture
def blueprint(desk: Any) -> Deployment:
    steps = {
        "a": DeployedStep("a", "worker_steps:add", parameters={"x": 1, "y": 2}),
        "b": DeployedStep("b", "worker_steps:add", parameters={"w": "u"}, after=("a",)),
    }
    parameters = {"n": 2, "word": "u"}
    return Deployment("", "p", "s", "kubeflow", steps, desk.settings, "/p", parameters, runtime=RUNTIME)


@pytest.fixture
def job(desk: Any, blueprint: Deployment) -> StepJob:
    known = {"deployment": digest_of(blueprint), "types": TYPES, "arguments": {"y": "n"}}
    made = desk.job("add", parameters={"x": 1, "y": 2}, announce=True, given=known)
    return made._replace(run_id="", attempt=0, fingerprint=dict.fromkeys(PARTS, "0") | {"parameters": "planned"})


def test_a_run_is_called_as_whoever_starts_it_says(job: StepJob) -> None:
    assert given(job, told("20270131-094500-3f9a1c")).run_id == "20270131-094500-3f9a1c"
    assert given(job, told()).run_id == "5c1f-uuid"


def test_whole_numbers_come_as_such(job: StepJob) -> None:
    values = given(job, told(n=3.0, share=1.0, word="3.0")).given["values"]
    assert [(type(value), value) for value in values.values()] == [(int, 3), (float, 1.0), (str, "3.0")]


@pytest.mark.parametrize("run_id", ["../up", "a/b", "-x", "x" * 129])
def test_what_cannot_be_a_runs_id_is_none(job: StepJob, run_id: str) -> None:
    with pytest.raises(ValueError, match="cannot be the id of a run"):
        given(job, told(run_id))


def test_the_first_worker_makes_the_run_known_as_it_is(desk: Any, job: StepJob, blueprint: Deployment) -> None:
    ledger: Ledger = desk.ledger
    assert ledger.write_blueprint(blueprint) == digest_of(blueprint)
    begun(given(job, told("r7", n=5, word="${secrets.X}")), ledger)
    found = ledger.deployment("r7")
    assert (found.run_id, found.parameters) == ("r7", {"n": 5, "word": "${secrets.X}"})
    assert found.created > 0
    assert found.steps["a"].parameters == {"x": 1, "y": 5}
    assert found.steps["b"].parameters == {"w": "$${secrets.X}"}


def test_a_run_that_is_known_stays_as_it_is(desk: Any, job: StepJob, blueprint: Deployment) -> None:
    desk.ledger.write_blueprint(blueprint)
    for number in (5, 6):
        begun(given(job, told("r7", n=number)), desk.ledger)
    assert desk.ledger.deployment("r7").parameters["n"] == 5


def test_a_value_changes_the_cache_key_and_an_equal_one_does_not(desk: Any, job: StepJob) -> None:
    other = begun(given(job, told(n=5)), desk.ledger)
    assert other.parameters == {"x": 1, "y": 5}
    assert other.fingerprint is not None and other.fingerprint["parameters"] == part({"x": 1, "y": 5})
    same = begun(given(job, told(n=2.0)), desk.ledger)
    assert (same.parameters, same.fingerprint) == (job.parameters, job.fingerprint)


def test_what_was_too_long_for_the_command_line_comes_from_the_runs_own_deployment(
    desk: Any, job: StepJob, blueprint: Deployment
) -> None:
    desk.ledger.write_blueprint(blueprint)
    short = job._replace(parameters={}, environment={}, left_out=("parameters", "environment"))
    assert begun(given(short, told(n=9)), desk.ledger).parameters == {"x": 1, "y": 9}


def run(job: StepJob, *more: str) -> subprocess.CompletedProcess[str]:
    text = base64.b64encode(json.dumps(job_to_json(job)).encode()).decode()
    command = [sys.executable, "-m", "runner.worker", text, *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_one_job_runs_in_many_runs(desk: Any, job: StepJob, blueprint: Deployment) -> None:
    desk.ledger.write_blueprint(blueprint)
    for run_id, number in (("one", 5), ("two", 7)):
        assert run(job, told(run_id, n=number)).returncode == 0
        result = desk.ledger.result(run_id, "a", 1)
        assert desk.values(result) == {"output": 1 + number}


def test_without_a_deployment_the_step_runs_and_it_is_said(desk: Any, job: StepJob) -> None:
    ended = run(job, told("r1"))
    assert (ended.returncode, "note: there is no deployments/" in ended.stderr) == (0, True)


def test_without_what_was_too_long_for_the_command_line_it_is_an_error(desk: Any, job: StepJob) -> None:
    ended = run(job._replace(parameters={}, left_out=("parameters",)), told("r1"))
    assert (ended.returncode, "Traceback" in ended.stderr) == (74, False)
    assert "error: run 'r1' has no deployment" in ended.stderr


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"inputs": {"parameterValues": {"run_id": "a b"}}}'])
def test_what_no_engine_fills_in_is_told(job: StepJob, text: str) -> None:
    ended = run(job, text)
    assert (ended.returncode, "Traceback" in ended.stderr, ended.stderr.startswith("error: ")) == (64, False, True)

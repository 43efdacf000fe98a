"""From a deployment and a step to the worker's job, its command line, and the steps that are to run."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.materializers import load, save
from runner.artifact_store.stores import open_store
from runner.engine.stack import OpenStack
from runner.orchestrators.worker import LONGEST, command_of, pending, step_job, supervised, worker_command
from runner.plan.deployment import DeployedStep, Deployment, job_from
from runner.records import StepResult


def deployment(folder: Path, *steps: DeployedStep, **fields: Any) -> Deployment:
    (folder / "command_steps.py").write_text("def add(x, y): return x + y\n")
    store = {"flavor": "local", "path": str(folder / "artifacts")}
    return Deployment("r1", "p", "s", "own", {step.name: step for step in steps}, store, str(folder), **fields)


def stack(found: Deployment, done: Any = None) -> OpenStack:
    return OpenStack(Ledger(open_store(found.artifact_store)), Path(found.project), done)


def ended(found: Deployment, step: str, status: str, attempt: int = 1) -> None:
    stack(found).ledger.write_result(StepResult("r1", step, attempt, status, 1.0, 2.0))


CHAIN = (DeployedStep("a", "s:f"), DeployedStep("b", "s:f", after=("a",)), DeployedStep("c", "s:f"))


def test_a_job_has_what_its_worker_settles_with(tmp_path: Path) -> None:
    step = DeployedStep("a", "s:f", {"x": ("up", "output")}, timeout=3.0, expires_after=60.0, fingerprint={"code": "1"})
    job = step_job(deployment(tmp_path, step, use_cache=False, secret_store={"flavor": "env"}), "a")
    assert (job.attempt, job.announce, job.inputs) == (0, True, {"x": ("up", "output")})
    assert (job.fingerprint, job.use_cache, job.expires_after, job.timeout) == ({"code": "1"}, False, 60.0, 3.0)
    assert job.secret_store == {"flavor": "env"}


def test_outputs_of_steps_that_are_not_in_the_run_are_handed_over(tmp_path: Path) -> None:
    found = deployment(tmp_path, DeployedStep("a", "s:f", {"x": ("up", "output")}))
    artifact = save(1, stack(found).ledger.store)
    assert step_job(found._replace(provided={"up": {"output": artifact}}), "a").inputs == {"x": artifact}


def test_a_step_that_is_not_cached_has_no_fingerprint(tmp_path: Path) -> None:
    assert step_job(deployment(tmp_path, DeployedStep("a", "s:f", cache=False)), "a").fingerprint is None


def test_a_command_holds_the_job_and_no_value_of_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hush-hush")
    found = deployment(tmp_path, DeployedStep("a", "s:f", parameters={"t": "${secrets.TOKEN}"}))
    *start, text = worker_command(found, "a", 2, python="/usr/bin/python3", echo=True, bound=False)
    assert start == ["/usr/bin/python3", "-m", "runner.worker"]
    assert job_from(json.loads(base64.b64decode(text))) == step_job(found, "a", 2)._replace(echo=True)
    assert "hush-hush" not in base64.b64decode(text).decode()


def test_what_is_too_long_for_a_command_line_comes_from_the_ledger(tmp_path: Path) -> None:
    step = DeployedStep("a", "command_steps:add", parameters={"x": "x" * 2 * LONGEST, "y": "y"})
    found = deployment(tmp_path, step)
    stack(found).ledger.write_deployment(found)
    command = worker_command(found, "a")
    assert len(command[-1]) < LONGEST
    subprocess.run(command, check=True)
    result = stack(found).ledger.result("r1", "a", 1)
    assert result is not None
    assert load(result.outputs["output"], stack(found).ledger.store, tmp_path) == "x" * 2 * LONGEST + "y"


def test_an_attempt_of_the_walk_keeps_its_own_log_and_its_number(tmp_path: Path) -> None:
    job = supervised(step_job(deployment(tmp_path, *CHAIN), "a", 3)._replace(announce=False))
    assert (job.announce, job.bound, job.attempt) == (True, True, 3)
    assert command_of(job)[1:3] == ["-m", "runner.worker"]


def test_steps_are_pending_as_long_as_those_before_them_succeed(tmp_path: Path) -> None:
    found, names = deployment(tmp_path, *CHAIN), []
    for step in pending(found, stack(found)):
        names.append(step.name)
        ended(found, step.name, "succeeded")
    assert names == ["a", "b", "c"]


@pytest.mark.parametrize(("on_failure", "expected"), [("fail_fast", ["a"]), ("continue", ["a", "c"])])
def test_after_a_failure_what_the_pipeline_says(tmp_path: Path, on_failure: str, expected: list[str]) -> None:
    found, names = deployment(tmp_path, *CHAIN, on_failure=on_failure), []
    for step in pending(found, stack(found)):
        names.append(step.name)
        ended(found, step.name, "failed" if step.name == "a" else "cached")
    assert names == expected


def test_what_a_resumed_run_has_is_not_pending(tmp_path: Path) -> None:
    found = deployment(tmp_path, *CHAIN)
    assert next(pending(found, stack(found, {"a": {}}))).name == "b"


def test_nothing_is_pending_in_a_run_that_is_to_be_cancelled(tmp_path: Path) -> None:
    found = deployment(tmp_path, *CHAIN)
    stack(found).ledger.request_cancel("r1")
    assert list(pending(found, stack(found))) == []

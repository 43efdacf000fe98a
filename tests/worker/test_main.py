"""`python -m runner.worker JOB`, as an engine starts it."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.plan.deployment import StepJob, job_to_json
from runner.worker.__main__ import _find_home


def worker(desk: Any, job: StepJob | str, *, as_file: bool = False, **environment: str) -> Any:
    """The worker's process when it has ended, started from a folder that is not the project's."""
    text = job if isinstance(job, str) else json.dumps(job_to_json(job))
    argument = base64.b64encode(text.encode()).decode()
    if as_file:
        argument = str(desk.folder / "job.json")
        (desk.folder / "job.json").write_text(text)
    command = [sys.executable, "-m", "runner.worker", argument]
    return subprocess.run(command, cwd="/", env={**os.environ, **environment}, capture_output=True, text=True)


@pytest.mark.parametrize("as_file", [True, False])
def test_a_job_is_a_file_or_base64(desk: Any, as_file: bool) -> None:
    ended = worker(desk, desk.job("one", announce=True), as_file=as_file)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert desk.values(desk.ledger.result("r1", "a", 1)) == {"output": 1}
    assert desk.ledger.started("r1", "a", 1)["pid"] == desk.ledger.result("r1", "a", 1).pid


def test_it_runs_in_the_projects_folder(desk: Any) -> None:
    worker(desk, desk.job("where"))
    assert desk.values(desk.ledger.result("r1", "a", 1))["output"] == [str(desk.folder)] * 2


def test_inputs_are_handed_over_through_the_ledger_alone(desk: Any) -> None:
    worker(desk, desk.job("one"))
    ended = worker(desk, desk.job("add", "b", inputs={"x": ("a", "output")}))
    assert ended.returncode == 0
    assert desk.values(desk.ledger.result("r1", "b", 1)) == {"output": 2}


def test_a_failed_step_ends_with_1_and_its_traceback(desk: Any) -> None:
    ended = worker(desk, desk.job("fail", parameters={"text": "no"}))
    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback") and ended.stderr.endswith("ValueError: no\n")
    assert desk.ledger.result("r1", "a", 1).status == "failed"


def test_a_failure_without_a_traceback_is_told_in_its_own_words(desk: Any) -> None:
    ended = worker(desk, desk.job("nothing"))
    assert (ended.returncode, ended.stderr) == (1, "module 'worker_steps' has no function 'nothing'\n")


def test_a_secret_comes_from_the_environment_and_not_in_the_job(desk: Any) -> None:
    job = desk.job("environment", environment={"TOKEN": "${secrets.HUSH}"}, parameters={"name": "TOKEN"})
    assert worker(desk, job, HUSH="quiet").returncode == 0
    assert desk.values(desk.ledger.result("r1", "a", 1)) == {"output": "quiet"}


def test_a_secret_comes_from_the_secret_store_of_the_job(desk: Any) -> None:
    (desk.folder / "secrets").write_text("HUSH=quiet\n")
    (desk.folder / "secrets").chmod(0o600)
    job = desk.job("environment", environment={"TOKEN": "${secrets.HUSH}"}, parameters={"name": "TOKEN"})
    worker(desk, job._replace(secret_store={"flavor": "file", "path": "secrets"}))
    assert desk.values(desk.ledger.result("r1", "a", 1)) == {"output": "quiet"}


@pytest.mark.parametrize("announce", [False, True])
def test_a_secret_is_masked_in_what_an_engine_keeps(desk: Any, announce: bool) -> None:
    job = desk.job("spill", parameters={"token": "${secrets.HUSH}"}, announce=announce, echo=announce)
    ended = worker(desk, job, HUSH="hush-hush")
    assert "out: ***\n" in ended.stdout and "ValueError: ***\n" in ended.stdout + ended.stderr
    assert "hush" not in ended.stdout + ended.stderr + desk.ledger.log("r1", "a", 1)


def test_credentials_of_the_artifact_store_come_from_the_secret_store(desk: Any, s3_endpoint: str) -> None:
    store = {"flavor": "s3", "path": "s3://bucket/worker", "endpoint_url": s3_endpoint}
    store |= {"access_key_id": "${secrets.STORE_ID}", "secret_access_key": "${secrets.STORE_KEY}"}
    ended = worker(desk, desk.job("one")._replace(artifact_store=store), STORE_ID="an-id", STORE_KEY="a-key")
    assert (ended.returncode, ended.stderr) == (0, "")
    ended = worker(desk, desk.job("one")._replace(artifact_store=store, attempt=2), STORE_ID="an-id")
    assert (ended.returncode, "secret 'STORE_KEY' is not set" in ended.stderr) == (74, True)


def test_a_store_that_cannot_be_written_ends_with_74(desk: Any) -> None:
    (desk.folder / "taken").write_text("a file where the store should be")
    store = {"flavor": "local", "path": str(desk.folder / "taken")}
    ended = worker(desk, desk.job("one")._replace(artifact_store=store))
    assert (ended.returncode, ended.stderr.startswith("error: ")) == (74, True)
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("arguments", [[], ["a", "b", "c"]])
def test_misuse_ends_with_64(arguments: list[str]) -> None:
    ended = subprocess.run([sys.executable, "-m", "runner.worker", *arguments], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr.startswith("usage: ")) == (64, True)


@pytest.mark.parametrize("text", ["not json", "[]", "{}"])
def test_what_is_no_job_ends_with_64_and_no_traceback(desk: Any, text: str) -> None:
    for as_file in (True, False):
        ended = worker(desk, text, as_file=as_file)
        assert (ended.returncode, "Traceback" in ended.stderr) == (64, False)
        assert "is no job" in ended.stderr


@pytest.mark.parametrize(("home", "moved"), [("/nowhere/at/all", True), ("", False)])
def test_a_containers_user_without_a_home_is_given_one(
    home: str, moved: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given = home or str(tmp_path)
    monkeypatch.setenv("HOME", given)
    _find_home()
    assert (os.environ["HOME"] != given) == moved and os.access(os.environ["HOME"], os.W_OK)

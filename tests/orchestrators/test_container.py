"""One attempt as a container: names, labels, environment, command."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from runner.orchestrators.container import (
    container_of,
    environment_of,
    image_of,
    inherited,
    mark_of,
    name_of,
    on_loopback,
)
from runner.plan.deployment import DeployedStep, Deployment, StepJob, job_from

LOCAL = {"flavor": "local", "path": "/a"}


def deployment(step: DeployedStep, **fields: Any) -> Deployment:
    return Deployment(
        "20270131-094500-3f9a1c",
        "p",
        "s",
        "f",
        {step.name: step},
        **{"artifact_store": LOCAL, "project": "/p"} | fields,
    )


def job(name: str = "a") -> StepJob:
    return StepJob("20270131-094500-3f9a1c", name, 2, "m:f", {}, {}, (), {}, LOCAL, "/p", "key", bound=True)


def test_a_name_says_what_it_is() -> None:
    assert name_of("r1", "fit", 2, "0123456789abcdef") == "runner-r1-fit-2-01234567"


@pytest.mark.parametrize("step", ["Fit_all", "x" * 63, "a-"])
def test_every_name_keeps_to_the_rules(step: str) -> None:
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])", name_of("20270131-094500-3f9a1c", step, 12, "f" * 16))


def test_steps_that_differ_have_names_that_differ() -> None:
    names = ["Fit", "fit", "fit_1", "fit-1", "x" * 62 + "a", "x" * 62 + "b"]
    assert len({name_of("20270131-094500-3f9a1c", name, 1, "0" * 16) for name in names}) == len(names)


def test_a_mark_tells_runs_of_one_id_apart() -> None:
    assert mark_of("r1", LOCAL) == mark_of("r1", {"path": "/a"})
    assert len({mark_of("r1", LOCAL), mark_of("r2", LOCAL), mark_of("r1", {**LOCAL, "path": "/b"})}) == 3


def test_labels_lead_back_to_the_run() -> None:
    step = DeployedStep("a", "m:f")
    labels = container_of(deployment(step), step, job(), "0123", "/p/.runner").labels
    assert labels == {
        "runner/run-id": "20270131-094500-3f9a1c",
        "runner/pipeline": "p",
        "runner/step": "a",
        "runner/attempt": "2",
        "runner/mark": "0123",
        "runner/folder": "/p/.runner",
    }


def test_its_worker_keeps_log_and_result_whoever_watches() -> None:
    step = DeployedStep("a", "m:f", container={"image": "i", "code": {"key": "code/1.tar.gz", "digest": "1"}})
    *start, text = container_of(deployment(step), step, job(), "0123").command
    sent = job_from(json.loads(base64.b64decode(text)))
    assert start == ["python", "-m", "runner.worker"]
    assert (sent.announce, sent.echo, sent.bound, sent.cache_key) == (True, True, False, "key")
    assert sent.code == {"key": "code/1.tar.gz", "digest": "1"}


def test_a_resolved_image_goes_before_the_one_that_was_named() -> None:
    assert image_of(DeployedStep("a", "m:f", image={"image": "x:1"})) == "x:1"
    assert image_of(DeployedStep("a", "m:f", image={"image": "x:1"}, container={"image": "x@sha256:1"})) == "x@sha256:1"


def test_references_stay_out_of_the_environment() -> None:
    step = DeployedStep("a", "m:f", environment={"A": "1", "B": "${secrets.T}"}, resources={"cpu_count": 2})
    found = environment_of(step)
    assert found["A"] == "1" and found["OMP_NUM_THREADS"] == "2" and "B" not in found


def test_secrets_of_the_environment_are_inherited_by_their_names() -> None:
    step = DeployedStep("a", "m:f", environment={"B": "${secrets.T}"}, parameters={"x": ["${secrets.U}"]})
    prefixed = deployment(step, secret_store={"flavor": "env", "prefix": "ML_"})
    assert (inherited(deployment(step), step), inherited(prefixed, step)) == (("U", "T"), ("ML_U", "ML_T"))
    assert inherited(deployment(step, secret_store={"flavor": "file", "path": "x"}), step) == ()


def test_what_a_bucket_logs_in_with_is_inherited() -> None:
    step = DeployedStep("a", "m:f")
    assert "AWS_ACCESS_KEY_ID" in inherited(deployment(step, artifact_store={"flavor": "s3", "path": "s3://b"}), step)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "http://localhost", "http://[::1]:1", "http://127.1.2.3/x"])
def test_loopback(url: str) -> None:
    assert on_loopback(url)


@pytest.mark.parametrize("url", [None, "", "http://minio:9000", "https://s3.amazonaws.com"])
def test_not_loopback(url: str | None) -> None:
    assert not on_loopback(url)

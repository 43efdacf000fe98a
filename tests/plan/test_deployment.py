"""Deployments and jobs go over a wire as JSON, and come back as they were."""

from __future__ import annotations

import json
import marshal
from typing import Any

from runner.plan.deployment import (
    DeployedStep,
    Deployment,
    StepJob,
    deployment_from,
    deployment_to_json,
    job_fields,
    job_from,
    job_from_fields,
    job_to_json,
)
from runner.records import Artifact

ARTIFACT = Artifact("artifacts/ab/abc", "json", 3, "abc", "dict", {"a": 1})
STEP = DeployedStep(
    "fit", "s:f", {"x": ("load", "output"), "y": ("load", "other")}, ("clean",), {"n": [1]}, ("model", "score")
)
DEPLOYMENT = Deployment(
    "r1", "p", "s", "local", {"fit": STEP}, {"flavor": "local"}, "/p", provided={"load": {"output": ARTIFACT}}
)
JOB = StepJob(
    "r1", "fit", 1, "s:f", {"x": ARTIFACT, "y": ("load", "output")}, {"n": 1}, ("a",), {"A": "1"}, {}, "/p", "key", True
)


def wire(value: Any) -> Any:
    return json.loads(json.dumps(value))


def test_a_deployment_comes_back() -> None:
    assert deployment_from(wire(deployment_to_json(DEPLOYMENT))) == DEPLOYMENT


def test_a_job_comes_back_with_artifacts_and_places_to_look_them_up() -> None:
    assert job_from(wire(job_to_json(JOB))) == JOB


def test_a_job_comes_back_from_its_fields() -> None:
    assert job_from_fields(marshal.loads(marshal.dumps(job_fields(JOB)))) == JOB


def test_keys_of_a_newer_version_are_passed_over() -> None:
    assert job_from(wire(job_to_json(JOB)) | {"mood": "fine"}) == JOB
    data = wire(deployment_to_json(DEPLOYMENT)) | {"mood": "fine"}
    data["steps"]["fit"]["mood"] = "fine"
    assert deployment_from(data) == DEPLOYMENT


def test_a_step_waits_for_each_of_its_givers_once() -> None:
    assert STEP.upstream == ("load", "clean")


def test_the_one_output_has_a_name() -> None:
    assert STEP.output_names == ("model", "score")
    assert DeployedStep("a", "s:f").output_names == ("output",)

"""A run as a job: its id, its labels, and what it says beside its document."""

from __future__ import annotations

import re

import pytest

from runner.orchestrators.container import mark_of
from runner.orchestrators.flavors.vertex.job import (
    LONGEST_ID,
    console_url,
    job_id,
    label_value,
    labels_of,
    number_of,
    pipeline_job,
)
from runner.orchestrators.flavors.vertex.settings import VertexSettings
from runner.plan.deployment import Deployment

SETTINGS = VertexSettings(project="my-project-123", location="europe-west4")
GCS = {"flavor": "gcs", "path": "gs://b/p"}
MARK = "0123456789abcdef"


def deployment(run_id: str = "r", pipeline: str = "p", on_failure: str = "fail_fast") -> Deployment:
    return Deployment(run_id, pipeline, "s", "vertex", {}, GCS, "/p", on_failure=on_failure)


@pytest.mark.parametrize(("on_failure", "policy"), [("fail_fast", "FAIL_FAST"), ("continue", "FAIL_SLOW")])
def test_what_happens_after_a_failure_is_said_in_the_job(on_failure: str, policy: str) -> None:
    assert pipeline_job(deployment(on_failure=on_failure), SETTINGS) == {
        "displayName": "p",
        "labels": {"runner_pipeline": "p", "runner_run_id": "r", "runner_mark": mark_of("r", GCS)},
        "runtimeConfig": {
            "gcsOutputDirectory": "gs://b/p",
            "parameterValues": {"run_id": "r"},
            "failurePolicy": f"PIPELINE_FAILURE_POLICY_{policy}",
        },
    }


def test_what_is_compiled_for_no_run_says_nothing_of_one() -> None:
    made = pipeline_job(deployment("${run.id}"), SETTINGS)
    assert made["labels"] == {"runner_pipeline": "p"}
    assert "parameterValues" not in made["runtimeConfig"]


@pytest.mark.parametrize("pipeline", ["train", "Train_It-", "x" * 63, "_9"])
@pytest.mark.parametrize("run_id", ["20270131-094500-3f9a1c", "R.2_a", "r" * 128])
def test_an_id_is_one_that_google_takes(pipeline: str, run_id: str) -> None:
    for number in (1, 2, 99999):
        assert re.fullmatch(f"[a-z][-a-z0-9]{{0,{LONGEST_ID - 1}}}", job_id(pipeline, run_id, MARK, number))


def test_an_id_tells_people_what_it_is_and_engines_runs_apart() -> None:
    assert job_id("train", "20270131-094500-3f9a1c", MARK) == "train-20270131-094500-3f9a1c-01234567"
    assert job_id("train", "r", MARK, 2) == "train-r-01234567-2"
    assert job_id("train", "a.b", mark_of("a.b", GCS)) != job_id("train", "a-b", mark_of("a-b", GCS))


def test_a_number_is_read_back() -> None:
    first = job_id("train", "r", MARK)
    names = [job_id("train", "r", MARK, number) for number in (1, 2, 13)]
    assert [number_of(f"projects/1/locations/l/pipelineJobs/{name}", first) for name in names] == [1, 2, 13]
    assert [number_of(name, first) for name in (f"{first}-x", job_id("train", "other", MARK))] == [0, 0]


def test_labels_are_spelt_as_google_allows_and_told_apart() -> None:
    assert label_value("train_it-2") == "train_it-2"
    values = {label_value(text) for text in ("Train", "train", "tr.ain", "tr-ain", "x" * 64, "x" * 65, "Ü")}
    assert len(values) == 7
    assert all(re.fullmatch("[a-z0-9_-]{1,63}", value) for value in values)


def test_runs_of_one_id_in_two_stores_have_two_marks() -> None:
    other = deployment()._replace(artifact_store={**GCS, "path": "gs://b/q"})
    assert labels_of(other)["runner_mark"] != labels_of(deployment())["runner_mark"]


def test_a_job_has_a_page() -> None:
    url = console_url("projects/1/locations/europe-west4/pipelineJobs/train-r-01234567", SETTINGS)
    page = "https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines/runs/train-r-01234567"
    assert url == f"{page}?project=my-project-123"

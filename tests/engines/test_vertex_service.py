"""The double of Vertex AI refuses what Vertex is documented to refuse, and walks a document as Vertex does."""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import pytest
from google.cloud.aiplatform_v1 import PipelineJob
from google.protobuf.json_format import ParseDict
from vertex_rules import refusals
from vertex_server import ENDED, VertexServer
from vertex_walk import JOB_LABEL

from runner.errors import EngineError
from runner.orchestrators.flavors.vertex.service import Service, connect
from runner.orchestrators.flavors.vertex.settings import VertexSettings

JOB: dict[str, Any] = {
    "displayName": "p",
    "labels": {"team": "ml"},
    "runtimeConfig": {"gcsOutputDirectory": "gs://bucket", "parameterValues": {"word": "hello"}},
    "pipelineSpec": {
        "pipelineInfo": {"name": "p"},
        "schemaVersion": "2.1.0",
        "root": {
            "dag": {"tasks": {}},
            "inputDefinitions": {"parameters": {"word": {"parameterType": "STRING"}}},
        },
        "components": {},
        "deploymentSpec": {"executors": {}},
    },
}
GIVEN = {
    "word": {"componentInputParameter": "word"},
    "id": {"runtimeValue": {"constant": "{{$.pipeline_job_uuid}}"}},
}


def job(**tasks: dict[str, Any]) -> dict[str, Any]:
    """A job with these tasks: what is of the container, `after`, and `retries`. A shell runs their `run`."""
    made = copy.deepcopy(JOB)
    spec = made["pipelineSpec"]
    for name, about in (tasks or {"a": {}}).items():
        task = {"taskInfo": {"name": name}, "componentRef": {"name": f"comp-{name}"}, "inputs": {"parameters": GIVEN}}
        if after := about.get("after"):
            task["dependentTasks"] = after
        if retries := about.get("retries"):
            task["retryPolicy"] = {"maxRetryCount": retries, "backoffDuration": "0s", "backoffFactor": 1.0}
        spec["root"]["dag"]["tasks"][name] = task
        inputs = {"parameters": {each: {"parameterType": "STRING"} for each in GIVEN}}
        spec["components"][f"comp-{name}"] = {"executorLabel": f"exec-{name}", "inputDefinitions": inputs}
        container = {"image": about.get("image", "i"), "command": ["sh", "-c", about.get("run", "true"), "{{$}}"]}
        spec["deploymentSpec"]["executors"][f"exec-{name}"] = {"container": container}
    return made


def wrong(made: dict[str, Any], job_id: str = "p-1") -> list[str]:
    message = PipelineJob()
    ParseDict(made, PipelineJob.pb(message))
    return list(refusals(message, job_id))


def test_a_job_that_is_right_is_taken() -> None:
    assert wrong(job()) == []


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("displayName", "x" * 129, "longer than 128"),
        ("labels", {f"a{number}": "" for number in range(65)}, "more than 64 labels"),
        ("labels", {"Team": "ml"}, "Invalid label"),
        ("labels", {"team": "x" * 64}, "Invalid label"),
        ("runtimeConfig.gcsOutputDirectory", "/tmp/x", "Cloud Storage"),
        ("runtimeConfig.parameterValues", {"word": "x", "other": 1}, "other is not found"),
        ("runtimeConfig.parameterValues", {}, "word is required"),
        ("pipelineSpec.schemaVersion", "3.0", "schema version"),
        ("pipelineSpec.unheardOf", {}, "Failed to parse pipeline_spec"),
        ("pipelineSpec.root.dag.tasks.a.retryPolicy", {"maxRetries": 1}, "Failed to parse pipeline_spec"),
        ("pipelineSpec.root.dag.tasks.a.dependentTasks", ["b"], "unknown task: b"),
        ("pipelineSpec.root.dag.tasks", {}, "no tasks"),
        ("pipelineSpec.components", {}, "unknown component"),
        ("pipelineSpec.deploymentSpec.executors", {}, "no executor"),
    ],
)
def test_what_is_documented_to_be_refused_is(path: str, value: Any, words: str) -> None:
    made = job()
    *way, last = path.split(".")
    place = made
    for key in way:
        place = place[key]
    place[last] = value
    assert words in " ".join(wrong(made))


@pytest.mark.parametrize(
    ("resources", "words"),
    [
        ({"accelerator": {"type": "NVIDIA_TESLA_T4", "count": "2", "resourceType": "NVIDIA_L4"}}, ""),
        ({"accelerator": {"type": "nvidia.com/gpu", "count": "1"}}, "unknown accelerator type"),
        ({"accelerator": {"resourceType": "NVIDIA_L4", "resourceCount": "many"}}, "no positive integer"),
        ({"cpuLimit": 96.0, "resourceMemoryLimit": "624G"}, ""),
        ({"cpuLimit": 97.0}, "no machine type"),
        ({"resourceMemoryLimit": "624Gi"}, "no machine type"),
        ({"resourceCpuLimit": "a lot"}, "no quantity"),
    ],
)
def test_machines_that_there_are_not_are_refused(resources: dict[str, Any], words: str) -> None:
    made = job()
    made["pipelineSpec"]["deploymentSpec"]["executors"]["exec-a"]["container"]["resources"] = resources
    assert (words in " ".join(wrong(made))) and bool(words) is bool(wrong(made))


@pytest.mark.parametrize("job_id", ["", "1a", "A", "a_b", "a" * 128])
def test_an_id_has_to_be_one(job_id: str) -> None:
    assert wrong(job(), job_id) == [f"Invalid pipeline job ID: {job_id}"]


@pytest.fixture
def service(vertex_service: VertexServer) -> Iterator[Service]:
    place = {"project": "my-project-123", "location": "europe-west4", "endpoint_url": vertex_service.url}
    with closing(connect(VertexSettings(**place))) as made:
        yield made


class Folder:
    """Runs jobs whose tasks say what they did in files of a folder."""

    def __init__(self, service: Service, server: VertexServer, image: str, folder: Path) -> None:
        self.service, self.server, self.image, self.folder = service, server, image, folder
        volumes = {str(folder): {"bind": str(folder), "mode": "rw"}}
        server.run_args = {"volumes": volumes, "working_dir": str(folder), "user": f"{os.getuid()}:{os.getgid()}"}

    def start(self, policy: str = "", **tasks: dict[str, Any]) -> str:
        made = job(**{name: {"image": self.image, **about} for name, about in tasks.items()})
        if policy:
            made["runtimeConfig"]["failurePolicy"] = f"PIPELINE_FAILURE_POLICY_{policy}"
        name = self.service.create(made, "p-1")
        assert name is not None
        return name

    def end(self, name: str) -> str:
        """The state that a job ends in."""
        self.server.walks[name].thread.join(120)
        state: str = self.service.get(name).state.name
        assert state in ENDED
        return state.removeprefix("PIPELINE_STATE_")

    def tasks(self, name: str) -> dict[str, str]:
        """The states of a job's tasks right now."""
        return {each.task_name: each.state.name for each in self.service.get(name).job_detail.task_details}

    def run(self, **tasks: dict[str, Any]) -> tuple[str, dict[str, str]]:
        name = self.start(**tasks)
        return self.end(name), self.tasks(name)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()


@pytest.fixture
def vertex(service: Service, vertex_service: VertexServer, plain_image: str, tmp_path: Path) -> Folder:
    return Folder(service, vertex_service, plain_image, tmp_path)


@pytest.mark.engine("docker")
def test_tasks_run_in_their_order_and_the_pipeline_is_an_entry(vertex: Folder) -> None:
    state, tasks = vertex.run(b={"run": "echo b >> said", "after": ["a"]}, a={"run": "echo a >> said"})
    assert (state, tasks) == ("SUCCEEDED", {"p": "SUCCEEDED", "a": "SUCCEEDED", "b": "SUCCEEDED"})
    assert vertex.text("said") == "a\nb\n"


@pytest.mark.engine("docker")
def test_placeholders_are_filled_in(vertex: Folder) -> None:
    vertex.run(a={"run": 'echo "$0" > given'})
    (walk,) = vertex.server.walks.values()
    values = {"word": "hello", "id": str(walk.uuid)}
    assert json.loads(vertex.text("given")) == {"inputs": {"parameterValues": values}}


@pytest.mark.engine("docker")
def test_a_task_is_tried_again_as_often_as_it_says(vertex: Folder) -> None:
    state, _ = vertex.run(a={"run": 'echo x >> calls; test "$(wc -l < calls)" = 3', "retries": 2})
    assert (state, vertex.text("calls")) == ("SUCCEEDED", "x\nx\nx\n")


@pytest.mark.engine("docker")
@pytest.mark.parametrize(("policy", "free"), [("FAIL_FAST", None), ("FAIL_SLOW", "SUCCEEDED"), ("", "SUCCEEDED")])
def test_what_comes_after_a_failure_is_the_policys_matter(vertex: Folder, policy: str, free: str | None) -> None:
    slow = {"run": "until [ -e go ]; do sleep 0.05; done"}
    name = vertex.start(policy, bad={"run": "exit 3"}, below={"after": ["bad"]}, slow=slow, free={"after": ["slow"]})
    _until(lambda: vertex.tasks(name).get("bad") == "FAILED")
    (vertex.folder / "go").touch()
    assert vertex.end(name) == "FAILED"
    tasks = vertex.tasks(name)
    assert (tasks["slow"], tasks.get("free")) == ("SUCCEEDED", free)
    assert tasks.get("below") == (None if policy == "FAIL_FAST" else "NOT_TRIGGERED")


@pytest.mark.engine("docker")
def test_why_it_failed_is_said(vertex: Folder) -> None:
    vertex.run(bad={"run": "exit 3"}, gone={"image": "localhost/no/such:image"})
    (job,) = vertex.server.jobs.values()
    told = {each.task_name: each.error.message for each in job.job_detail.task_details}
    assert "The failed tasks are: [" in job.error.message
    assert told["bad"] == "The replica workerpool0-0 exited with a non-zero status of 3."
    assert "container image localhost/no/such:image" in told["gone"]


@pytest.mark.engine("docker")
def test_cancel_stops_the_containers(vertex: Folder) -> None:
    name = vertex.start(a={"run": "trap 'exit 1' TERM; touch began; sleep 600 & wait"}, b={"after": ["a"]})
    _until((vertex.folder / "began").exists)
    vertex.service.cancel(name)
    assert (vertex.end(name), vertex.tasks(name)) == ("CANCELLED", {"p": "CANCELLED", "a": "CANCELLED"})
    with closing(docker.from_env()) as engine:
        uuid = vertex.server.walks[name].uuid
        assert engine.containers.list(all=True, filters={"label": f"{JOB_LABEL}={uuid}"}, ignore_removed=True) == []


def test_what_is_refused_makes_no_job(service: Service, vertex_service: VertexServer) -> None:
    with pytest.raises(EngineError, match="Invalid pipeline job ID"):
        service.create(job(), "Not-One")
    assert vertex_service.jobs == {}


def _until(condition: Any) -> None:
    give_up = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)

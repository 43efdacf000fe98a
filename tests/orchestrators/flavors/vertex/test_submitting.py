"""A run's jobs, from the first one to the end of the last one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from vertex_server import Fault, VertexServer

from runner.errors import EngineError
from runner.orchestrators.container import mark_of
from runner.orchestrators.flavors.vertex import submitting
from runner.orchestrators.flavors.vertex.orchestrator import VertexOrchestrator
from runner.orchestrators.flavors.vertex.service import Service, connect
from runner.orchestrators.flavors.vertex.settings import VertexSettings
from runner.plan.deployment import DeployedStep, Deployment

GCS = {"flavor": "gcs", "path": "gs://b/p"}
STEP = DeployedStep("a", "m:f", container={"image": "i"})
RUN = Deployment("r1", "train", "s", "vertex", {"a": STEP}, GCS, "/p")


@pytest.fixture
def service(vertex_service: VertexServer) -> Iterator[Service]:
    vertex_service.runs_containers = False
    place = {"project": "my-project-123", "location": "europe-west4", "endpoint_url": vertex_service.url}
    with closing(connect(VertexSettings(**place))) as made:
        yield made


def submit(service: Service, run: Deployment = RUN, *, again: bool = False) -> str:
    made = VertexOrchestrator(service.settings).compile(run).documents
    job = made["job.yaml"] | {"pipelineSpec": made["pipeline.yaml"]}
    return submitting.submit(service, job, run, again=again).rpartition("/")[2]


def end(server: VertexServer) -> None:
    for job in server.jobs.values():
        job.state = "PIPELINE_STATE_FAILED"


def test_what_is_sent_twice_is_one_job(service: Service, vertex_service: VertexServer) -> None:
    assert submit(service) == submit(service) == f"train-r1-{mark_of('r1', GCS)[:8]}"
    assert len(vertex_service.jobs) == 1


def test_a_job_of_that_name_that_is_somebody_elses_is_left_alone(
    service: Service, vertex_service: VertexServer
) -> None:
    submit(service)
    (job,) = vertex_service.jobs.values()
    job.labels["runner_mark"] = "another"
    with pytest.raises(EngineError, match="already, and it is not of this run"):
        submit(service)


def test_runs_of_one_id_in_two_stores_are_two_jobs(service: Service) -> None:
    assert submit(service) != submit(service, RUN._replace(artifact_store={**GCS, "path": "gs://b/q"}))


def test_a_run_that_is_gone_on_with_is_the_next_job(service: Service, vertex_service: VertexServer) -> None:
    first = submit(service)
    end(vertex_service)
    assert submit(service, again=True) == f"{first}-2"
    end(vertex_service)
    assert submit(service, again=True) == f"{first}-3"
    assert list(submitting.jobs_of(service, RUN)) == [1, 2, 3]


def test_a_run_whose_first_job_was_deleted_can_be_gone_on_with(service: Service) -> None:
    assert submit(service, again=True).endswith("-2")


def test_a_run_that_is_still_going_is_not_started_beside_itself(
    service: Service, vertex_service: VertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitting, "WINDS_DOWN", -1.0)
    first = submit(service)
    with pytest.raises(EngineError, match=f"the run 'r1' is still going in Vertex AI, as '{first}'") as caught:
        submit(service, again=True)
    assert caught.value.help == "wait for its end, or end it first: runner runs cancel r1"
    assert len(vertex_service.jobs) == 1


def test_a_next_job_that_nobody_heard_of_is_found(service: Service, vertex_service: VertexServer) -> None:
    first = submit(service)
    end(vertex_service)
    vertex_service.fail("CreatePipelineJob", Fault("UNAVAILABLE", done=True))
    assert submit(service, again=True) == f"{first}-2"
    assert len(vertex_service.jobs) == 2


def test_a_job_that_no_list_has_yet_and_that_is_over_is_not_taken_for_the_next_one(
    service: Service, vertex_service: VertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = submit(service)
    end(vertex_service)
    submit(service, again=True)
    end(vertex_service)
    monkeypatch.setattr(service, "of_run", lambda mark: [])
    assert submit(service, again=True) == f"{first}-3"


def test_a_job_that_winds_down_is_waited_for(
    service: Service, vertex_service: VertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = submit(service)
    monkeypatch.setattr(submitting.time, "sleep", lambda seconds: end(vertex_service))
    assert submit(service, again=True) == f"{first}-2"


def test_all_that_goes_on_of_a_run_is_cancelled(service: Service, vertex_service: VertexServer) -> None:
    submit(service)
    submit(service, RUN._replace(run_id="other"))
    submitting.cancel(service, RUN, None)
    states = {job.labels["runner_run_id"]: job.state.name for job in vertex_service.jobs.values()}
    assert states == {"r1": "PIPELINE_STATE_CANCELLING", "other": "PIPELINE_STATE_PENDING"}


def test_a_job_of_a_known_name_is_asked_once(service: Service, vertex_service: VertexServer) -> None:
    submit(service)
    (name,) = vertex_service.jobs
    submitting.cancel(service, RUN, name)
    assert vertex_service.asked.count("CancelPipelineJob") == 1

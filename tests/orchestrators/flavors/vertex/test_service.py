"""The calls that are made of Vertex AI, answered by its double."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from vertex_server import Fault, VertexServer

from runner.checks import Check
from runner.errors import EngineError
from runner.orchestrators.base import Silent
from runner.orchestrators.flavors.vertex import service as module
from runner.orchestrators.flavors.vertex.errors import Refused
from runner.orchestrators.flavors.vertex.service import Service, address_of, connect
from runner.orchestrators.flavors.vertex.settings import VertexSettings

JOB: dict[str, Any] = {
    "displayName": "p",
    "labels": {"runner_mark": "0123"},
    "runtimeConfig": {"gcsOutputDirectory": "gs://b/p"},
    "pipelineSpec": {
        "pipelineInfo": {"name": "p"},
        "schemaVersion": "2.1.0",
        "root": {"dag": {"tasks": {"a": {"taskInfo": {"name": "a"}, "componentRef": {"name": "comp-a"}}}}},
        "components": {"comp-a": {"executorLabel": "exec-a"}},
        "deploymentSpec": {"executors": {"exec-a": {"container": {"image": "i"}}}},
    },
}
DOWN = Fault("UNAVAILABLE")


def settings(**fields: Any) -> VertexSettings:
    return VertexSettings(project="my-project-123", location="europe-west4", **fields)


@pytest.fixture
def server(vertex_service: VertexServer) -> VertexServer:
    vertex_service.runs_containers = False
    return vertex_service


@pytest.fixture
def service(server: VertexServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(module, "FIRST", 0.01)
    with closing(connect(settings(endpoint_url=server.url), patience=5)) as made:
        yield made


def test_one_address_for_each_region_or_the_stacks_own() -> None:
    assert address_of(settings()) == "europe-west4-aiplatform.googleapis.com"
    assert address_of(settings(endpoint_url="https://vertex.example.com:8443/")) == "vertex.example.com:8443"


def test_a_job_is_made_once(service: Service, server: VertexServer) -> None:
    name = service.create(JOB, "p-r-0123")
    assert name is not None and name.startswith("projects/123456789012/")  # Google's word for the project
    assert service.create(JOB, "p-r-0123") is None
    assert list(server.jobs) == [name]


def test_a_job_is_found_under_both_names_of_its_project(service: Service) -> None:
    name = service.create(JOB, "p-r-0123")
    assert service.get(service.name_of("p-r-0123")).name == service.get(str(name)).name == name
    assert service.get(service.name_of("other")) is None


def test_the_jobs_of_a_run_are_found_by_its_mark(service: Service) -> None:
    names = [service.create(JOB, each) for each in ("p-r-0123", "p-r-0123-2")]
    service.create({**JOB, "labels": {"runner_mark": "4567"}}, "p-s-4567")
    found = service.of_run("0123")
    assert [(each.name, each.state) for each in found] == [(name, "PIPELINE_STATE_PENDING") for name in names]
    assert found[0].labels["runner_mark"] == "0123"


def test_cancel_is_asked_for_as_often_as_one_likes(service: Service, server: VertexServer) -> None:
    name = str(service.create(JOB, "p-r-0123"))
    service.cancel(name)
    assert server.jobs[name].state.name == "PIPELINE_STATE_CANCELLING"
    server.jobs[name].state = "PIPELINE_STATE_CANCELLED"
    service.cancel(name)
    service.cancel(service.name_of("other"))


def test_what_does_not_answer_is_asked_again(service: Service, server: VertexServer) -> None:
    server.fail("CreatePipelineJob", DOWN, Fault("DEADLINE_EXCEEDED"), Fault("INTERNAL"))
    assert service.create(JOB, "p-r-0123") is not None
    assert server.asked == ["CreatePipelineJob"] * 4


def test_a_job_that_was_made_although_nobody_heard_of_it_is_there(service: Service, server: VertexServer) -> None:
    server.fail("CreatePipelineJob", Fault("UNAVAILABLE", done=True))
    assert service.create(JOB, "p-r-0123") is None
    assert len(server.jobs) == 1


def test_what_answers_never_is_silent_in_the_end(service: Service, server: VertexServer) -> None:
    service.patience = 0.1
    server.fail("GetPipelineJob", *[DOWN] * 50)
    with pytest.raises(Silent, match="does not answer at"):
        service.get("x")


def test_who_looks_too_often_looks_again(service: Service, server: VertexServer) -> None:
    server.fail("GetPipelineJob", Fault("RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'reads'"))
    with pytest.raises(Silent, match="'reads'"):
        service.get("x")


def test_a_refusal_is_told_at_once_with_what_google_adds(service: Service, server: VertexServer) -> None:
    about = {"permission": "aiplatform.pipelineJobs.create"}
    server.fail("CreatePipelineJob", Fault("PERMISSION_DENIED", "no", "IAM_PERMISSION_DENIED", about))
    with pytest.raises(Refused, match=r"lacks the permission 'aiplatform\.pipelineJobs\.create'"):
        service.create(JOB, "p-r-0123")
    assert server.asked == ["CreatePipelineJob"]


def test_google_says_what_is_wrong_with_a_job(service: Service) -> None:
    with pytest.raises(Refused, match="does not take this: The display name is longer") as caught:
        service.create({**JOB, "displayName": "x" * 129}, "p-r-0123")
    assert caught.value.code == "INVALID_ARGUMENT"


def test_an_api_that_is_off_is_told_as_such(service: Service, server: VertexServer) -> None:
    service.answers()
    server.fail("ListPipelineJobs", Fault("PERMISSION_DENIED", "off", "SERVICE_DISABLED"))
    with pytest.raises(Refused, match="the Vertex AI API is not enabled in the project 'my-project-123'"):
        service.answers()


def test_google_is_asked_for_a_region(service: Service) -> None:
    assert service.has_location()
    service.parent = "projects/my-project-123/locations/mars-base1"
    assert not service.has_location()


def test_without_the_sdk_there_is_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = Check("SDK", False, "'google-cloud-aiplatform>=1' is missing", "runner integrations install vertex")
    monkeypatch.setattr(module.integrations, "sdk", lambda name: missing)
    with pytest.raises(EngineError, match="is missing") as caught:
        connect(settings())
    assert caught.value.help == "runner integrations install vertex"


def test_without_credentials_there_is_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    import google.auth

    def none(*given: Any, **more: Any) -> None:
        raise google.auth.exceptions.DefaultCredentialsError("none were found")

    monkeypatch.setattr(google.auth, "default", none)
    with pytest.raises(EngineError, match="there are no credentials for Google Cloud: none were found") as caught:
        connect(settings())
    assert caught.value.help == "log in: gcloud auth application-default login"


def test_a_region_has_an_address_with_encryption_and_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    import google.auth
    from google.auth.credentials import AnonymousCredentials

    monkeypatch.setattr(google.auth, "default", lambda *given, **more: (AnonymousCredentials(), None))
    with closing(connect(settings())) as made:
        assert made.client.transport.host == "europe-west4-aiplatform.googleapis.com:443"

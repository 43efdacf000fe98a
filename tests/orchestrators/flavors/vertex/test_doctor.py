"""What `runner doctor` finds out about Vertex AI."""

from __future__ import annotations

from typing import Any

import pytest
from vertex_server import Fault, VertexServer

from runner.checks import Check
from runner.orchestrators.flavors.vertex import doctor
from runner.orchestrators.flavors.vertex.settings import VertexSettings


def checks(server: VertexServer, location: str = "europe-west4") -> list[Check]:
    place = {"project": "my-project-123", "location": location, "endpoint_url": server.url}
    return list(doctor.checks(VertexSettings(**place)))


def test_all_is_well(vertex_service: VertexServer) -> None:
    sdk, service = checks(vertex_service)
    assert sdk.ok and service.ok
    assert service.told == f"'127.0.0.1:{vertex_service.port}' shows the jobs of the project 'my-project-123'"
    assert vertex_service.asked == ["ListPipelineJobs"]


@pytest.mark.parametrize(
    ("fault", "told", "help"),
    [
        (Fault("PERMISSION_DENIED", "off", "SERVICE_DISABLED"), "API is not enabled", "gcloud services enable"),
        (
            Fault("PERMISSION_DENIED", "no"),
            "this login may not do this",
            "roles/aiplatform.user",
        ),
        (Fault("UNAUTHENTICATED", "no"), "does not take the credentials", "gcloud auth application-default login"),
    ],
)
def test_what_is_missing_is_told_with_what_to_do(
    vertex_service: VertexServer, fault: Fault, told: str, help: str
) -> None:
    vertex_service.fail("ListPipelineJobs", fault)
    check = checks(vertex_service)[-1]
    assert not check.ok and told in check.told and help in (check.help or "")


def test_a_service_that_is_not_there_is_told(vertex_service: VertexServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PATIENCE", 0.0)
    vertex_service.server.stop(0).wait()
    check = checks(vertex_service)[-1]
    assert not check.ok and "does not answer" in check.told


@pytest.mark.parametrize(("location", "ok"), [("europe-west10", True), ("mars-base1", False)])
def test_google_is_asked_for_a_region_that_is_new_here(vertex_service: VertexServer, location: str, ok: bool) -> None:
    *_, region = checks(vertex_service, location)
    assert (region.name, region.ok) == ("region", ok)
    assert ok or "europe-west4" in (region.help or "")


def test_without_the_sdk_nothing_else_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.integrations, "sdk", lambda name: Check("SDK", False, "it is missing", "install it"))
    assert [check.name for check in doctor.checks(VertexSettings(project="my-project-123", location="us-east1"))] == [
        "SDK"
    ]


def test_without_credentials_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    import google.auth

    def none(*given: Any, **more: Any) -> None:
        raise google.auth.exceptions.DefaultCredentialsError("none were found\nat all")

    monkeypatch.setattr(google.auth, "default", none)
    *_, login = doctor.checks(VertexSettings(project="my-project-123", location="us-east1"))
    assert (login.name, login.told) == ("credentials", "none were found")
    assert "gcloud auth application-default login" in (login.help or "")

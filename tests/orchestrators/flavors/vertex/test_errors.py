"""What Google refuses, in words that tell what to do next."""

from __future__ import annotations

import pytest

from runner.orchestrators.base import Silent
from runner.orchestrators.flavors.vertex.errors import Refused, Said, Unresolved, refusal
from runner.orchestrators.flavors.vertex.settings import VertexSettings

SETTINGS = VertexSettings(project="my-project-123", location="europe-west4", service_account=None)
LACKS = (
    "Permission 'aiplatform.pipelineJobs.create' denied on resource "
    "'//aiplatform.googleapis.com/projects/my-project-123/locations/europe-west4' (or it may not exist)."
)
UNUSED = (
    "Vertex AI API has not been used in project 123 before or it is disabled. Enable it by visiting "
    "https://console.developers.google.com/apis/api/aiplatform.googleapis.com/overview?project=123 then retry."
)
QUOTA = "Quota exceeded for quota metric 'Pipeline job create requests' and limit 'requests per minute'."
ACT_AS = "You do not have permission to act as service_account: 1-compute@developer.gserviceaccount.com."


@pytest.mark.parametrize(
    ("said", "message", "help"),
    [
        (Said("PERMISSION_DENIED", LACKS), "lacks the permission 'aiplatform.pipelineJobs.create'", "roles/aiplatform"),
        (
            Said("PERMISSION_DENIED", UNUSED),
            "the Vertex AI API is not enabled in the project",
            "gcloud services enable",
        ),
        (Said("PERMISSION_DENIED", "no", "SERVICE_DISABLED"), "API is not enabled", "--project my-project-123"),
        (Said("PERMISSION_DENIED", "no", "CONSUMER_INVALID"), "there is no project 'my-project-123'", "the id"),
        (Said("PERMISSION_DENIED", "no", "", {"permission": "a.b"}), "in the project 'my-project-123'", "a.b"),
        (Said("PERMISSION_DENIED", "Permission 'iam.serviceAccounts.actAs' denied"), "run as", "serviceAccountUser"),
        (Said("INVALID_ARGUMENT", ACT_AS), "run as that account", "roles/iam.serviceAccountUser"),
        (Said("INVALID_ARGUMENT", "The display name is too long"), "The display name is too long", "runner compile"),
        (Said("RESOURCE_EXHAUSTED", QUOTA), "'Pipeline job create requests'", "iam-admin/quotas?project=my-project"),
        (Said("UNAUTHENTICATED", "no"), "does not take the credentials", "gcloud auth application-default login"),
        (Said("NOT_FOUND", "gone"), "does not know this: gone", "'europe-west4' a region"),
        (Said("UNIMPLEMENTED", "404"), "no Vertex AI in the region 'europe-west4'", "correct location"),
        (Said("FAILED_PRECONDITION", "no"), "refuses (FAILED_PRECONDITION): no", "console.cloud.google.com"),
        (Said("UNAVAILABLE", "Getting metadata from plugin failed: invalid_grant"), "credentials", "gcloud auth"),
    ],
)
def test_each_refusal_names_what_and_what_next(said: Said, message: str, help: str) -> None:
    error = refusal(said, SETTINGS, "host")
    assert isinstance(error, Refused)
    assert message in error.message and "\n" not in error.message
    assert help in f"{error.message} {error.help}"


@pytest.mark.parametrize("code", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL"])
def test_what_may_go_well_the_next_time_is_silence(code: str) -> None:
    error = refusal(Said(code, "failed to connect\nto all addresses"), SETTINGS, "host:1")
    assert type(error) is Silent
    assert error.message == f"Vertex AI does not answer at 'host:1' ({code}): failed to connect to all addresses"


@pytest.mark.parametrize("words", ["DNS resolution failed for x", "errors resolving x:443: Domain name not found"])
def test_an_address_that_there_is_not_is_told_as_a_region_that_there_is_not(words: str) -> None:
    error = refusal(Said("UNAVAILABLE", words), SETTINGS, "europe-west4-aiplatform.googleapis.com")
    assert isinstance(error, Unresolved)
    assert error.message == "the address 'europe-west4-aiplatform.googleapis.com' of Vertex AI is not known"
    assert (error.help or "").startswith("is there a region 'europe-west4'?")


def test_an_address_of_ones_own_says_nothing_of_regions() -> None:
    own = SETTINGS.model_copy(update={"endpoint_url": "https://vertex.example.com"})
    error = refusal(Said("UNAVAILABLE", "DNS resolution failed"), own, "vertex.example.com")
    assert error.help == "can names be looked up from here?"


def test_what_google_says_is_cut_where_it_is_endless() -> None:
    assert len(refusal(Said("INVALID_ARGUMENT", "x " * 5000), SETTINGS, "host").message) < 500

"""Secrets of Google Cloud Secret Manager, from a server that answers with the library's own types."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from runner.secret_store.base import SecretMissing, SecretStoreError
from runner.secret_store.gcp import GcpSecretStore


@pytest.fixture
def store(gcp_secrets: Any) -> GcpSecretStore:
    return GcpSecretStore({"flavor": "gcp", "project": "p1", "prefix": "ml-", "endpoint_url": gcp_secrets.url})


def refusal(store: GcpSecretStore) -> tuple[str, str]:
    with pytest.raises(SecretStoreError) as caught:
        store.get("TOKEN")
    return caught.value.message, caught.value.help or ""


def test_the_latest_version_from_a_server_of_the_librarys_types(store: GcpSecretStore, gcp_secrets: Any) -> None:
    gcp_secrets.versions["ml-TOKEN"] = "grün".encode()
    assert store.get("TOKEN") == "grün"
    assert gcp_secrets.asked[0].startswith("/v1/projects/p1/secrets/ml-TOKEN/versions/latest:access")


def test_a_missing_one_names_secret_and_project(store: GcpSecretStore) -> None:
    with pytest.raises(SecretMissing, match="no secret 'ml-TOKEN' with a version in project 'p1'") as caught:
        store.get("TOKEN")
    assert "gcloud secrets create" in (caught.value.help or "")


def test_one_that_may_not_be_read(store: GcpSecretStore, gcp_secrets: Any) -> None:
    gcp_secrets.refuse = [403]
    message, help = refusal(store)
    assert "secret 'TOKEN' cannot be read" in message and "roles/secretmanager.secretAccessor" in help


def test_a_server_that_is_away_for_a_moment_is_asked_again(store: GcpSecretStore, gcp_secrets: Any) -> None:
    gcp_secrets.versions["ml-TOKEN"], gcp_secrets.refuse = b"hush", [503]
    assert store.get("TOKEN") == "hush"


def test_a_binary_one_is_refused(store: GcpSecretStore, gcp_secrets: Any) -> None:
    gcp_secrets.versions["ml-TOKEN"] = b"\xff\xfe"
    assert "is binary: a secret's value must be text in UTF-8" in refusal(store)[0]


def test_an_address_where_nobody_answers() -> None:
    _, help = refusal(GcpSecretStore({"project": "p1", "endpoint_url": "http://127.0.0.1:9"}))
    assert "`endpoint_url`" in help


def test_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nonexistent")
    message, help = refusal(GcpSecretStore({"project": "p1"}))
    assert "/nonexistent" in message and "gcloud auth application-default login" in help


def test_without_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.cloud.secretmanager_v1", None)
    message, help = refusal(GcpSecretStore({"project": "p1"}))
    assert "'google-cloud-secret-manager'" in message and "runner integrations install gcp-secrets" in help

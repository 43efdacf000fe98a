"""From settings to a store, by its flavor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.azure import AzureArtifactStore
from runner.artifact_store.base import StoreError
from runner.artifact_store.gcs import GcsArtifactStore
from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.memory import MemoryArtifactStore
from runner.artifact_store.s3 import S3ArtifactStore
from runner.artifact_store.stores import open_store
from runner.plugins import UnknownPlugin


class OwnStore(MemoryArtifactStore):
    """A store of one's own, in memory."""

    def __init__(self, settings: dict[str, Any], secret: Any) -> None:
        super().__init__()
        self.given = (settings, secret)


@pytest.mark.parametrize(
    ("flavor", "path", "kind"),
    [
        ("local", "/somewhere", LocalArtifactStore),
        ("s3", "s3://bucket/prefix", S3ArtifactStore),
        ("gcs", "gs://bucket", GcsArtifactStore),
        ("azure", "az://container", AzureArtifactStore),
    ],
)
def test_each_flavor_has_its_store(flavor: str, path: str, kind: type) -> None:
    store = open_store({"flavor": flavor, "path": path, "endpoint_url": None})
    assert type(store) is kind and store.remote == (flavor != "local")
    assert store.settings == {"flavor": flavor, "path": path}


def test_a_flavor_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "own_store", sys.modules[__name__])
    settings = {"flavor": "own_store:OwnStore", "size": 3}
    store = open_store(settings, str.upper)
    assert isinstance(store, OwnStore) and store.given == (settings, str.upper)
    assert (store.remote, store.prepare()) == (False, None)


def test_an_unknown_flavor() -> None:
    with pytest.raises(UnknownPlugin, match="unknown artifact store flavor 'azur'") as caught:
        open_store({"flavor": "azur"})
    assert "did you mean 'azure'?" in str(caught.value.help) and "local" in str(caught.value.help)


@pytest.mark.parametrize("fields", [{"endpoint_url": "http://10.0.0.1/account"}])
def test_azures_own_login_is_not_sent_in_the_clear(fields: dict[str, Any]) -> None:
    store = open_store({"flavor": "azure", "path": "az://container", "account_name": "account", **fields})
    with pytest.raises(StoreError, match="is not encrypted"):
        store.get("a")


def test_credentials_of_google_are_json(tmp_path: Path) -> None:
    fields = {"flavor": "gcs", "path": "gs://bucket", "credentials": "${secrets.ACCOUNT}"}
    with pytest.raises(StoreError, match="is not the JSON key of a service account") as caught:
        open_store(fields, lambda name: "no json").get("a")
    assert "no json" not in str(caught.value) + str(caught.value.help)

"""From an artifact store's settings to the store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from runner.artifact_store.base import ArtifactStore, StoreError
from runner.artifact_store.local import LocalArtifactStore


def open_store(settings: dict[str, Any]) -> ArtifactStore:
    """The store of `ArtifactStore.settings`; relative paths must have been made absolute."""
    if settings.get("flavor", "local") == "local":
        return LocalArtifactStore(Path(settings["path"]))
    raise StoreError(f"unknown artifact store flavor '{settings.get('flavor')}'", "known: local")

"""What the tests of the artifact store share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.materializers import load, save


@pytest.fixture
def store(tmp_path: Path) -> LocalArtifactStore:
    return LocalArtifactStore(tmp_path / "store")


@pytest.fixture
def there_and_back(store: LocalArtifactStore, tmp_path: Path) -> Callable[[Any], tuple[str, Any]]:
    """A value's artifact type, and the value that comes back."""

    def go(value: Any) -> tuple[str, Any]:
        artifact = save(value, store)
        return artifact.type, load(artifact, store, tmp_path / "inputs")

    return go

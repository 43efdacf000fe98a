"""Whether a store can be used: tried for real, and nothing is left in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.trial import tried


class Forgetful(LocalArtifactStore):
    def get(self, key: str) -> bytes:
        return b"something else"


class Careless(LocalArtifactStore):
    def put_if_absent(self, key: str, data: bytes) -> bool:
        return True


def test_a_store_that_works(tmp_path: Path) -> None:
    check = tried(LocalArtifactStore(tmp_path), {"flavor": "local", "path": str(tmp_path)})
    assert check.ok and check.told.startswith(f"{tmp_path}: wrote, read and deleted")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(("kind", "said"), [(Forgetful, "is not what was written"), (Careless, "does not work")])
def test_a_store_that_does_not(tmp_path: Path, kind: type[LocalArtifactStore], said: str) -> None:
    check = tried(kind(tmp_path), {"flavor": "local", "path": "here"})
    assert not check.ok and said in check.told and check.help

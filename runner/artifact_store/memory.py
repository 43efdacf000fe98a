"""An artifact store that lives and dies with its process: for rehearsals, and for tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.artifact_store.base import ArtifactStore, ObjectMissing


class MemoryArtifactStore(ArtifactStore):
    """Objects in a dict."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    @property
    def settings(self) -> dict[str, Any]:
        return {"flavor": "memory"}

    def put(self, key: str, data: bytes) -> None:
        self.objects[key] = data

    def put_if_absent(self, key: str, data: bytes) -> bool:
        return self.objects.setdefault(key, data) is data

    def put_file(self, key: str, path: Path) -> None:
        self.objects[key] = path.read_bytes()

    def get(self, key: str) -> bytes:
        try:
            return self.objects[key]
        except KeyError:
            raise ObjectMissing(key) from None

    def fetch(self, key: str) -> Path:
        raise NotImplementedError("objects in memory are no files")

    def size(self, key: str) -> int | None:
        data = self.objects.get(key)
        return None if data is None else len(data)

    def list(self, prefix: str) -> Iterator[str]:
        yield from sorted(key for key in self.objects if key.startswith(prefix))

    def delete(self, prefix: str) -> None:
        for key in [key for key in self.objects if key == prefix or (prefix.endswith("/") and key.startswith(prefix))]:
            del self.objects[key]

    def scratch(self) -> Path:
        return Path("/tmp")  # noqa: S108  (nothing comes large enough to go there)

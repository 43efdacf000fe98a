"""An artifact taken out of the store, as a file or a folder that a person can open."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from runner.artifact_store.base import ArtifactStore, ObjectMissing
from runner.artifact_store.objects import CannotLoad
from runner.artifact_store.paths import copy_object, load_path
from runner.errors import UsageError
from runner.records import Artifact

SUFFIXES = {
    "json": ".json",
    "dataclass": ".json",
    "pydantic": ".json",
    "text": ".txt",
    "bytes": ".bin",
    "numpy": ".npy",
    "pandas": ".parquet",
    "polars": ".parquet",
    "pickle": ".pickle",
}


def file_name(artifact: Artifact, stem: str) -> str:
    """What to call the artifact's file: its own name where it has one, else `stem` with its type's suffix."""
    return str(artifact.meta.get("name") or f"{stem}{SUFFIXES.get(artifact.type, '')}")


def export(artifact: Artifact, store: ArtifactStore, destination: Path) -> Path:
    """Copy an artifact to a path that is not there yet; whole, or not at all.

    Raises UsageError when the path is taken, CannotLoad when the artifact is gone or its content is not what it was.
    """
    if destination.exists():
        raise UsageError(f"'{destination}' is there already", "choose another path, or remove it first")
    destination.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".runner-") as folder:
            if artifact.type in ("file", "folder"):
                made = load_path(artifact, store, Path(folder))
            else:
                made = Path(folder) / "value"
                copy_object(store, artifact.digest, os.fspath(made), executable=False)
            shutil.move(made, destination)
    except ObjectMissing:
        raise CannotLoad(
            f"'{artifact.uri}' is gone from the artifact store", "run the step that made it again"
        ) from None
    return destination

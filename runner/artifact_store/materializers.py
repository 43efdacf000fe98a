"""Values to artifacts and back. Standard library only: a value's own library is there already when it is saved.

| type | values | content |
| --- | --- | --- |
| `json` | dict with str keys, list, str, int, float, bool, None, at every depth; NumPy scalars as Python's | JSON |
| `text` | str | UTF-8 |
| `bytes` | bytes, bytearray (comes back as bytes) | itself |
| `numpy` | arrays | `.npy` |
| `pandas`, `polars` | data frames | Parquet |
| `file`, `folder` | `pathlib.Path` | a copy of what it leads to |
| `dataclass`, `pydantic` | instances that their fields, as JSON, give back equal | JSON |
| `pickle` | the rest | pickle, by cloudpickle where the standard library's cannot |
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from runner.artifact_store.arrays import can_save_array, load_array, save_array
from runner.artifact_store.base import ArtifactStore, ObjectMissing
from runner.artifact_store.classes import load_instance, save_instance
from runner.artifact_store.frames import frame_type, load_frame, save_frame
from runner.artifact_store.objects import (
    LARGE,
    ArtifactError,
    CannotLoad,
    CannotSave,
    DigestMismatch,
    Sink,
    Stored,
    artifact,
    get_buffer,
    get_bytes,
    is_there,
    put_bytes,
    type_name,
)
from runner.artifact_store.paths import load_path, save_path
from runner.artifact_store.peek import peek
from runner.artifact_store.pickles import load_pickle, save_pickle
from runner.artifact_store.plain import encode_json
from runner.errors import RunnerError
from runner.records import Artifact

__all__ = ["ArtifactError", "CannotLoad", "CannotSave", "DigestMismatch", "is_there", "load", "peek", "save"]


def save(value: Any, store: ArtifactStore) -> Artifact:
    """Put a value into the store. Raises CannotSave for one that cannot be stored, StoreError when the store fails."""
    if type(value) is str:
        return _save_text(value, store)
    if isinstance(value, bytes | bytearray):
        return artifact(_put(value, store), "bytes", type_name(value))
    if _is_path(value):
        return save_path(value, store)
    if (text := encode_json(value)) is not None:
        return artifact(_put(text, store), "json", type_name(value))
    if can_save_array(value):
        return save_array(value, store)
    frame = frame_type(value)
    return (frame and save_frame(value, frame, store)) or save_instance(value, store) or save_pickle(value, store)


def _is_path(value: Any) -> bool:
    pathlib = sys.modules.get("pathlib")  # whoever has a path has loaded it, and the worker stays lean
    return pathlib is not None and isinstance(value, pathlib.Path)


def load(artifact: Artifact, store: ArtifactStore, folder: os.PathLike[str]) -> Any:
    """The value of an artifact, its content checked against its digest. Files and folders are copied below `folder`.

    Raises CannotLoad, DigestMismatch (a CannotLoad), ObjectMissing, and StoreError when the store fails.
    """
    try:
        return _load(artifact, store, folder)
    except (RunnerError, ObjectMissing, MemoryError):
        raise
    except Exception as error:  # of a library that reads what another version of it wrote
        message = f"the artifact '{artifact.uri}' ({artifact.type}) cannot be read: {type(error).__name__}: {error}"
        raise CannotLoad(message, "was it written by another version of its library?") from error


def _load(artifact: Artifact, store: ArtifactStore, folder: os.PathLike[str]) -> Any:
    match artifact.type:
        case "json":
            return json.loads(get_bytes(artifact.uri, artifact.digest, store))
        case "text":
            return str(get_buffer(artifact, store), "utf-8")
        case "bytes":
            return get_bytes(artifact.uri, artifact.digest, store)
        case "numpy":
            return load_array(artifact, store)
        case "pandas" | "polars":
            return load_frame(artifact, store)
        case "file" | "folder":
            return load_path(artifact, store, folder)
        case "dataclass" | "pydantic":
            return load_instance(artifact, store)
        case "pickle":
            return load_pickle(artifact, store)
    help = "it was written by a newer version of runner; update this one"
    raise CannotLoad(f"the artifact '{artifact.uri}' is of the unknown type '{artifact.type}'", help)


def _save_text(value: str, store: ArtifactStore) -> Artifact:
    try:
        return artifact(_put(value.encode(), store), "text", "str")
    except UnicodeEncodeError:  # half a surrogate pair
        return save_pickle(value, store)


def _put(data: bytes | bytearray, store: ArtifactStore) -> Stored:
    if len(data) < LARGE:
        return put_bytes(bytes(data), store)
    with Sink(store) as sink:
        sink.write(data)
        return sink.close_into_store()

"""A short look at an artifact, for people."""

from __future__ import annotations

import json

from runner.artifact_store.arrays import load_array
from runner.artifact_store.base import ArtifactStore
from runner.artifact_store.frames import load_frame
from runner.artifact_store.objects import CannotLoad, get_buffer, get_bytes
from runner.artifact_store.paths import folder_entries
from runner.records import Artifact


def peek(artifact: Artifact, store: ArtifactStore, limit: int = 2000) -> str:
    """What an artifact holds, in about `limit` characters. Never unpickles, nor imports a user's class."""
    text = _look(artifact, store, limit)
    return text if len(text) <= limit else text[: max(limit - 2, 0)] + " …"


def _look(artifact: Artifact, store: ArtifactStore, limit: int) -> str:
    match artifact.type:
        case "json" | "dataclass" | "pydantic":
            value = json.loads(get_bytes(artifact.uri, artifact.digest, store))
            return json.dumps(value, indent=2, ensure_ascii=False)
        case "text":
            return str(bytes(get_buffer(artifact, store)[: 4 * limit]), "utf-8", "replace")
        case "bytes":
            return repr(bytes(get_buffer(artifact, store)[:limit]))
        case "numpy" | "pandas" | "polars":
            return _table(artifact, store)
        case "file":
            return f"file {artifact.meta.get('name', '')}, {artifact.size} bytes"
        case "folder":
            return _listing(artifact, store)
        case "pickle":
            return f"a pickle of {artifact.python_type}, {artifact.size} bytes; not opened, because that runs its code"
    return f"{artifact.type}, {artifact.size} bytes"


def _table(artifact: Artifact, store: ArtifactStore) -> str:
    """Shape and beginning of an array or frame; the shape alone where its library is not installed."""
    shape = " × ".join(str(each) for each in artifact.meta.get("shape", ()))
    head = f"{artifact.python_type} {shape} {artifact.meta.get('dtype', '')}".rstrip()
    try:
        value = load_array(artifact, store) if artifact.type == "numpy" else load_frame(artifact, store).head(10)
    except CannotLoad as error:
        if not isinstance(error.__cause__, ImportError):
            raise
        return head
    return f"{head}\n{value}"


def _listing(artifact: Artifact, store: ArtifactStore) -> str:
    entries = folder_entries(artifact, store)
    lines = [f"{file['size']:>12}  {file['path']}" for file in entries["files"]]
    lines += [f"{'':>12}  {folder}/" for folder in entries["folders"]]
    count = len(entries["files"])
    return "\n".join([f"folder {artifact.meta.get('name', '')}, {count} file{'' if count == 1 else 's'}", *lines])

"""Files and folders as artifacts.

A file is an object, its name in `meta`. A folder is an object that lists it, a JSON document:
`{"files": [{"path", "size", "digest", "executable"}…], "folders": [those with nothing in them]}`, and an object a file.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runner.artifact_store.base import ArtifactStore
from runner.artifact_store.objects import (
    CannotLoad,
    CannotSave,
    DigestMismatch,
    artifact,
    get_bytes,
    object_key,
    put_bytes,
    put_copy,
)
from runner.artifact_store.refusals import refused
from runner.records import Artifact

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 8 * 1024 * 1024


def save_path(value: Path, store: ArtifactStore) -> Artifact:
    """Copy a file or a folder in. Raises CannotSave for what is neither, or leads out of the folder by a link."""
    path = os.path.abspath(value)
    if os.path.isfile(path):
        meta = {"name": os.path.basename(path), "executable": os.access(path, os.X_OK)}
        return artifact(put_copy(path, store), "file", "pathlib.Path", meta)
    if os.path.isdir(path):
        return _save_folder(path, store)
    raise CannotSave(
        "pathlib.Path", f"'{value}' is {'no file and no folder' if os.path.lexists(path) else 'not there'}"
    )


def load_path(saved: Artifact, store: ArtifactStore, folder: os.PathLike[str]) -> Path:
    """A copy of the file or folder, of its own, below `folder`."""
    name = os.path.basename(str(saved.meta.get("name") or "")) or saved.type
    try:
        target = os.path.join(_own_folder(folder, saved.digest[:12]), name)
        if saved.type == "file":
            copy_object(store, saved.digest, target, bool(saved.meta.get("executable")))
        else:
            _load_folder(saved, store, target)
    except OSError as error:
        raise refused(error, f"cannot write '{os.fspath(folder)}'", folder) from error
    from pathlib import Path  # most steps do without, and the worker stays lean

    return Path(target)


def folder_entries(saved: Artifact, store: ArtifactStore) -> dict[str, list[Any]]:
    """The list that a folder's artifact is."""
    entries: dict[str, list[Any]] = json.loads(get_bytes(saved.uri, saved.digest, store))
    return entries


def _save_folder(path: str, store: ArtifactStore) -> Artifact:
    found = sorted(_walk(path, os.path.realpath(path), ""))
    files = [_save_file(path, relative, store) for relative, is_file in found if is_file]
    entries = {"files": files, "folders": [relative for relative, is_file in found if not is_file]}
    stored = put_bytes(json.dumps(entries, separators=(",", ":")).encode(), store)
    meta = {"name": os.path.basename(path), "files": len(files), "bytes": sum(file["size"] for file in files)}
    return artifact(stored, "folder", "pathlib.Path", meta)


def _save_file(folder: str, relative: str, store: ArtifactStore) -> dict[str, Any]:
    path = os.path.join(folder, relative)
    _, size, digest = put_copy(path, store)
    return {"path": relative, "size": size, "digest": digest, "executable": os.access(path, os.X_OK)}


def _walk(folder: str, root: str, prefix: str) -> Iterator[tuple[str, bool]]:
    """Relative paths below a folder: files, and folders with nothing in them."""
    try:
        with os.scandir(folder) as entries:
            found = list(entries)
    except OSError as error:
        raise CannotSave("pathlib.Path", f"'{folder}' cannot be read: {error.strerror}") from error
    if not found and prefix:
        yield prefix.removesuffix("/"), False
    for entry in found:
        if entry.is_symlink():
            _check_link(entry.path, root)
        if entry.is_dir():
            yield from _walk(entry.path, root, f"{prefix}{entry.name}/")
        elif entry.is_file():
            yield prefix + entry.name, True
        else:
            raise CannotSave("pathlib.Path", f"'{entry.path}' is no file and no folder")


def _check_link(path: str, root: str) -> None:
    """A link may lead to something inside the folder that it is not itself in."""
    target, home = os.path.realpath(path), os.path.realpath(os.path.dirname(path))
    if not os.path.exists(target):
        raise CannotSave("pathlib.Path", f"the link '{path}' leads nowhere")
    if target != root and not target.startswith(root + os.sep):
        raise CannotSave("pathlib.Path", f"the link '{path}' leads out of the folder, to '{target}'")
    if home == target or home.startswith(target + os.sep):
        raise CannotSave("pathlib.Path", f"the link '{path}' leads to a folder that it is in itself")


def _own_folder(folder: os.PathLike[str], name: str) -> str:
    os.makedirs(folder, exist_ok=True)
    number = 1
    while True:
        path = os.path.join(folder, name if number == 1 else f"{name}-{number}")
        try:
            os.mkdir(path)
            return path
        except FileExistsError:
            number += 1


def _load_folder(saved: Artifact, store: ArtifactStore, target: str) -> None:
    entries = folder_entries(saved, store)
    os.mkdir(target)
    for relative in entries["folders"]:
        os.makedirs(_inside(target, relative, saved), exist_ok=True)
    for file in entries["files"]:
        path = _inside(target, file["path"], saved)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        copy_object(store, file["digest"], path, file["executable"])


def _inside(folder: str, relative: str, saved: Artifact) -> str:
    if relative.startswith("/") or ".." in relative.split("/"):
        raise CannotLoad(
            f"the folder '{saved.uri}' lists '{relative}', which lies outside of it", "delete it and run again"
        )
    return os.path.join(folder, relative)


def copy_object(store: ArtifactStore, digest: str, target: str, executable: bool) -> None:
    """Copy an object's content to a file of the step's own, which it may change."""
    source, hashed = store.fetch(object_key(digest)), hashlib.sha256()
    with open(source, "rb", buffering=0) as file, open(target, "wb", buffering=0) as copy:
        while data := file.read(_CHUNK):
            hashed.update(data)
            view = memoryview(data)
            while view:
                view = view[copy.write(view) :]
    if hashed.hexdigest() != digest:
        os.unlink(target)
        raise DigestMismatch(object_key(digest))
    if executable:
        mode = os.stat(target).st_mode
        os.chmod(target, mode | (mode & 0o444) >> 2)  # whoever may read it may execute it

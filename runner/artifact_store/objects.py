"""Content-addressed objects: written with their digest, read with it checked. Standard library only.

An object's key is `artifacts/<first two hex digits>/<SHA-256 in hex>`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import mmap
import os
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from runner.artifact_store.base import ArtifactStore, ObjectMissing
from runner.artifact_store.refusals import refused
from runner.errors import RunnerError
from runner.records import Artifact

if TYPE_CHECKING:
    from pathlib import Path

LARGE = 1024 * 1024
"""Bytes from which a value goes through a file and is mapped rather than read."""

_CHUNK = 8 * 1024 * 1024


class ArtifactError(RunnerError):
    """A value and its artifact: one cannot become the other."""

    exit_code = 1


class CannotSave(ArtifactError):
    """A step's output is of a kind that cannot be stored. `type` is its class, `reason` what stood against it."""

    def __init__(self, type: str, reason: str) -> None:
        help = (
            "return numbers, text, lists, dicts, arrays, data frames, a dataclass, or write a file and return its Path"
        )
        super().__init__(f"a value of type '{type}' cannot be saved: {reason}", help)
        self.type = type
        self.reason = reason


class CannotLoad(ArtifactError):
    """An artifact is there but cannot be turned into a value."""


class DigestMismatch(CannotLoad):
    """An artifact's content is not what was saved."""

    def __init__(self, key: str) -> None:
        help = f"its object was damaged or changed; delete '{key}' from the artifact store and run the step again"
        super().__init__(f"the artifact '{key}' is not what was saved: its digest differs", help)


Stored = tuple[str, int, str]
"""Key, size in bytes and digest of an object."""


def artifact(stored: Stored, type: str, python_type: str, meta: dict[str, Any] | None = None) -> Artifact:
    key, size, digest = stored
    return Artifact(key, type, size, digest, python_type, meta or {})


def object_key(digest: str) -> str:
    return f"artifacts/{digest[:2]}/{digest}"


def put_bytes(data: bytes, store: ArtifactStore) -> Stored:
    """Store a small content; its key, size and digest."""
    digest = hashlib.sha256(data).hexdigest()
    key = object_key(digest)
    if not store.put_if_absent(key, data) and store.size(key) != len(data):
        store.put(key, data)
    return key, len(data), digest


def get_bytes(key: str, digest: str, store: ArtifactStore) -> bytes:
    """A content as a whole. Raises ObjectMissing and DigestMismatch."""
    data = store.get(key)
    if hashlib.sha256(data).hexdigest() != digest:
        raise DigestMismatch(key)
    return data


def get_buffer(artifact: Artifact, store: ArtifactStore) -> bytes | mmap.mmap:
    """A content to read from: in memory when it is small, else mapped, privately when it is written to."""
    if artifact.size < LARGE:
        return get_bytes(artifact.uri, artifact.digest, store)
    path = get_file(artifact, store)  # hashed by reading: through the map it would count as our memory
    try:
        with open(path, "rb", buffering=0) as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError(f"no room to map the artifact '{artifact.uri}'") from error
        raise refused(error, f"cannot map '{path}'", path.parent) from error


def get_file(artifact: Artifact, store: ArtifactStore) -> Path:
    """A content as a local file that nobody may change."""
    path = store.fetch(artifact.uri)
    if file_digest(path) != artifact.digest:
        raise DigestMismatch(artifact.uri)
    return path


def file_digest(path: Path) -> str:
    try:
        with open(path, "rb", buffering=0) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise refused(error, f"cannot read '{path}'", path.parent) from error


def is_there(artifact: Artifact, store: ArtifactStore) -> bool:
    """Whether an artifact's objects are in the store, with their sizes; their content is not looked at."""
    if store.size(artifact.uri) != artifact.size:
        return False
    if artifact.type != "folder":
        return True
    try:
        files = json.loads(get_bytes(artifact.uri, artifact.digest, store))["files"]
    except (ObjectMissing, DigestMismatch):
        return False
    return all(store.size(object_key(file["digest"])) == file["size"] for file in files)


class Sink:
    """A file to write a content into, whose key comes out at the end; in memory while it is small, then on disk.

    The digest of a large piece is computed by a thread while the piece is written: hashing and write(2) both let go of
    the interpreter's lock, so the longer of the two is what it takes.

    >>> with Sink(store) as sink:
    ...     sink.write(b"…")
    ...     key, size, digest = sink.close_into_store()
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._small = bytearray()
        self._hash = hashlib.sha256()
        self._file: int | None = None
        self._path: Path | None = None
        self._size = 0

    def write(self, data: Any) -> int:
        view = memoryview(data)
        if not view.nbytes:
            return 0
        view = view.cast("B")
        if self._file is None and len(self._small) + len(view) < LARGE:
            self._small += view
        else:
            self._write_file(view)
        return len(view)

    def flush(self) -> None:
        """For writers that insist."""

    def close_into_store(self) -> Stored:
        """The object's key, size and digest."""
        if self._path is None:
            return put_bytes(bytes(self._small), self._store)
        self._empty_small()
        digest = self._hash.hexdigest()
        self._store.put_file(object_key(digest), self._path)
        return object_key(digest), self._size, digest

    def __enter__(self) -> Sink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None and self._path is not None:
            os.close(self._file)
            self._path.unlink(missing_ok=True)
        self._file = None

    def _write_file(self, view: memoryview) -> None:
        try:
            if self._file is None:
                self._file, self._path = scratch_file(self._store)
            if len(view) < LARGE:
                self._small += view
                if len(self._small) >= LARGE:
                    self._empty_small()
                return
            self._empty_small()
            self._write_large(view)
        except OSError as error:
            raise refused(error, f"cannot write '{self._path}'", self._store.scratch()) from error

    def _empty_small(self) -> None:
        small, self._small = self._small, bytearray()
        if small:
            self._write_large(memoryview(small))

    def _write_large(self, view: memoryview) -> None:
        assert self._file is not None
        from threading import Thread  # once it is loaded every fork looks after it, which costs a step 0.5 ms

        hashing = Thread(target=self._hash.update, args=(view,))
        hashing.start()
        try:
            self._size += len(view)
            for start in range(0, len(view), _CHUNK):
                piece = view[start : start + _CHUNK]
                while piece:
                    piece = piece[os.write(self._file, piece) :]
        finally:
            hashing.join()


def put_copy(path: str, store: ArtifactStore) -> Stored:
    """Store the content of a user's file, which stays as it is."""
    with Sink(store) as sink:
        try:
            with open(path, "rb", buffering=0) as file:
                while data := file.read(_CHUNK):
                    sink.write(data)
        except OSError as error:
            raise CannotSave("pathlib.Path", f"'{path}' cannot be read: {error.strerror}") from error
        return sink.close_into_store()


def put_scratch(path: Path, store: ArtifactStore) -> Stored:
    """Store a file of the store's scratch folder, which is gone afterwards."""
    digest = file_digest(path)
    size = path.stat().st_size
    store.put_file(object_key(digest), path)
    path.unlink(missing_ok=True)
    return object_key(digest), size, digest


def scratch_file(store: ArtifactStore) -> tuple[int, Path]:
    """A new file in the store's scratch folder, open for writing."""
    folder = store.scratch()
    while True:
        path = folder / f"{os.getpid()}-{os.urandom(8).hex()}"
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), path
        except FileExistsError:
            continue
        except OSError as error:
            raise refused(error, f"cannot write '{path}'", folder) from error


def type_name(value: Any) -> str:
    """The class of a value, for people."""
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def loaded(module: str) -> Any:
    """A module that somebody has imported already, or None."""
    return sys.modules.get(module)

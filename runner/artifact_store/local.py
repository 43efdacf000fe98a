"""The artifact store that is a folder of this machine.

Whole or absent, by two ways of writing:

- an object of at most a page whose key is free is created in place and filled by ONE write(2). A process that dies
  between the two leaves an empty file, and an empty file is no object: who writes this key next fills or replaces it;
- everything else is written under `tmp/` and renamed.

The object that is empty itself is an empty file that nobody may write (mode 0444): so it differs from a leftover.

Nothing is synced: objects survive the death of any process, but a power cut may take the last ones (they are gone or
empty then, and values are checked against their digests when they are read).
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import stat
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runner.artifact_store.base import ArtifactStore, ObjectMissing, StoreError
from runner.artifact_store.files import fill, make_folder, open_or_make, read_all, remove, write_all
from runner.artifact_store.refusals import refused

if TYPE_CHECKING:
    from pathlib import Path

SMALL = 4096
"""Bytes that one write(2) puts into a new file all at once: one page, on every file system of Linux."""

STALE = 24 * 3600.0
"""Seconds after which nobody comes back for what lies in `tmp/`."""

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
_COPY = 8 * 1024 * 1024


class LocalArtifactStore(ArtifactStore):
    """A folder, made when the first object is written."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._root = os.path.abspath(path)
        self._temporary = os.path.join(self._root, "tmp")
        self._numbers = itertools.count()

    @property
    def settings(self) -> dict[str, Any]:
        return {"flavor": "local", "path": self._root}

    def put(self, key: str, data: bytes) -> None:
        path = self._path(key)
        try:
            if not (0 < len(data) <= SMALL and self._create(path, data)):
                self._rename(self._write(data), path)
        except OSError as error:
            raise self._refused(error, key) from error

    def copy(self, source: str, target: str) -> None:
        # Objects are replaced and never changed, so two names may have one content: cheaper than a file of its own.
        link = self._path(target)
        try:
            os.link(self._path(source), link)
        except FileNotFoundError:
            make_folder(os.path.dirname(link))
            super().copy(source, target)
        except OSError:  # there is one already, or this file system has no links
            super().copy(source, target)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        path = self._path(key)
        try:
            written = None
            while written is None:
                written = self._claim(path, data)
            return written
        except PermissionError as error:
            if self.size(key) is not None:  # the empty object, which nobody may write
                return False
            raise self._refused(error, key) from error
        except OSError as error:
            raise self._refused(error, key) from error

    def put_file(self, key: str, path: Path) -> None:
        target = self._path(key)
        try:
            size = os.stat(path).st_size
            if self.size(key) == size:
                return
            if size == 0:
                return self.put(key, b"")
            try:
                self._rename(os.fspath(path), target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._rename(self._copy(os.fspath(path)), target)
        except OSError as error:
            raise self._refused(error, key) from error

    def get(self, key: str) -> bytes:
        path = self._path(key)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                found = os.fstat(descriptor)
                if not _is_object(found):
                    raise ObjectMissing(key)
                return read_all(descriptor, found.st_size)
            finally:
                os.close(descriptor)
        except (FileNotFoundError, NotADirectoryError):
            raise ObjectMissing(key) from None
        except OSError as error:
            raise self._refused(error, key) from error

    def fetch(self, key: str) -> Path:
        if self.size(key) is None:
            raise ObjectMissing(key)
        from pathlib import Path  # most steps do without, and the worker stays lean

        return Path(self._path(key))

    def size(self, key: str) -> int | None:
        try:
            found = os.stat(self._path(key))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._refused(error, key) from error
        return found.st_size if _is_object(found) else None

    def list(self, prefix: str) -> Iterator[str]:
        try:
            for key, is_folder in self._entries(prefix):
                if is_folder:
                    yield from self.list(key)
                else:
                    yield key
        except OSError as error:
            raise self._refused(error, prefix) from error

    def names(self, prefix: str) -> Iterator[str]:
        """As the contract says, and also folders that hold nothing yet but an empty log."""
        try:
            for key, _ in self._entries(prefix):
                yield key[len(prefix) :].removesuffix("/")
        except OSError as error:
            raise self._refused(error, prefix) from error

    def delete(self, prefix: str) -> None:
        path = self._path(prefix.removesuffix("/"))
        try:
            if prefix.endswith("/"):
                gone = self._new_name()
                self._rename(path, gone)  # so that nobody sees half of it, even when we are killed now
                remove(gone)
            else:
                os.unlink(path)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise self._refused(error, prefix) from error

    def scratch(self) -> Path:
        try:
            make_folder(self._temporary)
        except OSError as error:
            raise self._refused(error, "tmp/") from error
        from pathlib import Path  # as above

        return Path(self._temporary)

    def log_file(self, key: str, make: bool = True) -> str:
        path = self._path(key)
        if not make:
            return path
        folder = os.path.dirname(path)
        try:
            make_folder(os.path.dirname(folder))  # the first attempt of a step makes two: not by failing at the second
            make_folder(folder)
        except OSError as error:
            raise self._refused(error, key) from error
        return path

    def sweep(self) -> None:
        try:
            before = time.time() - STALE
            with os.scandir(self._temporary) as entries:
                for path in [entry.path for entry in entries if entry.stat(follow_symlinks=False).st_mtime < before]:
                    remove(path)
        except OSError:
            return

    def _path(self, key: str) -> str:
        parts = key.split("/")
        if "" in parts or ".." in parts or "." in parts or "\0" in key or parts[0] == "tmp":
            raise StoreError(f"'{key}' is no key of an artifact store", "keys look like 'runs/r1/deployment.json'")
        return f"{self._root}/{key}"

    def _create(self, path: str, data: bytes) -> bool:
        """Create and fill a small object; False when there is something under its name."""
        try:
            descriptor = open_or_make(path, _CREATE | os.O_EXCL)
        except FileExistsError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # put_if_absent may have taken our empty file for a leftover
            found = os.fstat(descriptor)
            if found.st_size or not found.st_nlink:
                return False
            fill(descriptor, path, data)
            return True
        finally:
            os.close(descriptor)

    def _claim(self, path: str, data: bytes) -> bool | None:
        """Write the object unless it is there. The lock on the (empty) file decides between writers; None: it is no
        longer the file under this name, ask again."""
        descriptor = open_or_make(path, _CREATE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            found = os.fstat(descriptor)
            if _is_object(found):
                return False
            if not found.st_nlink:
                return None
            if 0 < len(data) <= SMALL:
                fill(descriptor, path, data)
            else:
                self._rename(self._write(data), path)
            return True
        finally:
            os.close(descriptor)

    def _write(self, data: bytes) -> str:
        """A new file in `tmp/` with this content."""
        descriptor, path = self._new_file(0o666 if data else 0o444)
        try:
            write_all(descriptor, memoryview(data))
        except BaseException:
            os.unlink(path)
            raise
        finally:
            os.close(descriptor)
        return path

    def _copy(self, source: str) -> str:
        """A new file in `tmp/` with the content of another one."""
        descriptor, path = self._new_file(0o666)
        try:
            with open(source, "rb", buffering=0) as file:
                while data := file.read(_COPY):
                    write_all(descriptor, memoryview(data))
        except BaseException:
            os.unlink(path)
            raise
        finally:
            os.close(descriptor)
        return path

    def _new_file(self, mode: int) -> tuple[int, str]:
        while True:
            path = self._new_name()
            try:
                return open_or_make(path, _CREATE | os.O_EXCL, mode), path
            except FileExistsError:  # another machine's process, or an earlier one, of the same number
                continue

    def _new_name(self) -> str:
        return f"{self._temporary}/{os.getpid()}-{time.time_ns():x}-{next(self._numbers)}"

    def _rename(self, source: str, target: str) -> None:
        try:
            try:
                os.replace(source, target)
            except FileNotFoundError:
                make_folder(os.path.dirname(target))
                os.replace(source, target)
        except OSError as error:
            if source.startswith(self._temporary) and error.errno != errno.EXDEV:
                remove(source)
            raise

    def _entries(self, prefix: str) -> Iterator[tuple[str, bool]]:
        """Keys right below `prefix`, in the order of whole keys; those of folders end in `/`."""
        folder = self._path(prefix.removesuffix("/")) if prefix else self._root
        try:
            with os.scandir(folder) as entries:
                found = sorted(
                    (f"{prefix}{e.name}/", True) if e.is_dir() else (f"{prefix}{e.name}", False) for e in entries
                )
        except (FileNotFoundError, NotADirectoryError):
            return
        for key, is_folder in found:
            if key != "tmp/" and (is_folder or self.size(key) is not None):
                yield key, is_folder

    def _refused(self, error: OSError, key: str) -> StoreError:
        return refused(error, f"cannot use '{key}' in the artifact store {self._root}", self._root)


def _is_object(found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) and (found.st_size > 0 or not found.st_mode & 0o222)

"""Local copies of remote objects: each fetched once, whole or absent, shared by all processes of one user here.

They lie in the system's folder for temporary files (TMPDIR chooses it), in a folder that is its owner's alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from runner.artifact_store.base import StoreError
from runner.artifact_store.files import remove
from runner.artifact_store.refusals import refused

STALE = 24 * 3600.0
"""Seconds after which a copy that nobody asked for again is removed."""


class Downloads:
    """The folder of one store; `place` says which store."""

    def __init__(self, place: str) -> None:
        self._place = hashlib.sha256(place.encode()).hexdigest()[:20]

    def get(self, content: str, size: int, download: Callable[[int], None]) -> Path:
        """The copy of `content`, fetched by `download` (into an open file) unless it is here with this size."""
        try:
            folder = self._folder("objects")
            path = os.path.join(folder, hashlib.sha256(content.encode()).hexdigest())
            if not _is_here(path, size):
                self._make(path, size, download)
        except OSError as error:
            raise refused(error, f"cannot keep a copy in '{self._root()}'", tempfile.gettempdir()) from error
        return Path(path)

    def scratch(self) -> Path:
        """Where files are made on their way into the store."""
        try:
            return Path(self._folder("new"))
        except OSError as error:
            raise refused(error, f"cannot write in '{self._root()}'", tempfile.gettempdir()) from error

    def sweep(self) -> None:
        """Remove what was not used for a day, of every store; never raises."""
        before = time.time() - STALE
        with contextlib.suppress(OSError, StoreError):
            _check(self._root())
            for folder, _, files in os.walk(self._root()):
                for name in files:
                    path = os.path.join(folder, name)
                    if os.lstat(path).st_mtime < before:
                        remove(path)

    def _make(self, path: str, size: int, download: Callable[[int], None]) -> None:
        file, made = tempfile.mkstemp(dir=os.path.dirname(path), prefix="part-")
        try:
            download(file)
            if os.fstat(file).st_size != size:
                raise StoreError(f"'{path}' was not fetched whole: it should have {size} bytes", "try again")
            os.fchmod(file, 0o400)
            os.replace(made, path)
        except BaseException:
            remove(made)
            raise
        finally:
            os.close(file)

    def _root(self) -> str:
        return os.path.join(tempfile.gettempdir(), f"runner-{os.getuid()}")

    def _folder(self, name: str) -> str:
        path = self._root()
        for below in ("", self._place, name):
            path = os.path.join(path, below) if below else path
            with contextlib.suppress(FileExistsError):
                os.mkdir(path, 0o700)
            if not below:
                _check(path)
        return path


def _check(path: str) -> None:
    """Anybody may make a folder of this name where everybody may write: then it is none of ours."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise StoreError(
            f"'{path}' is not a folder of yours alone, so that copies of artifacts cannot be kept there",
            "remove it, or set TMPDIR to a folder of your own",
        )


def _is_here(path: str, size: int) -> bool:
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode) or found.st_size != size:
            return False
        if found.st_mtime < time.time() - STALE / 24:
            os.utime(path)  # it is in use: not to be swept
        return True
    except FileNotFoundError:
        return False

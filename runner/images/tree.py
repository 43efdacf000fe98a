"""The files of a folder that go into an image or an archive, and the one tar file that they always make."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from runner.errors import EngineError
from runner.images.ignore import Pattern, is_left_out, patterns_of

NEVER = frozenset(
    (".git", ".hg", ".svn", ".runner", ".venv", ".tox", ".nox", ".env", "__pycache__")
    + (".mypy_cache", ".pytest_cache", ".ruff_cache")
)
"""Files and folders of these names stay here: history, state, environments, caches, and what holds secrets."""
LARGEST = 2_000_000_000


class SupportsWrite(Protocol):
    """What bytes can be written to."""

    def write(self, data: bytes, /) -> object: ...


class File(NamedTuple):
    """A file by its name in the tar file; `link` is where a symbolic link leads."""

    name: str
    path: Path
    executable: bool = False
    link: str = ""
    size: int = 0


def tree(root: Path, patterns: Sequence[Pattern] = (), without: Iterable[Path] = ()) -> list[File]:
    """The files below `root` that no pattern leaves out, by name; links that lead out of it are left out too.

    `without` are further ones that are left out, whatever the patterns say. Raises EngineError.
    """
    try:
        found = sorted(_files(root, root, patterns, {path.absolute() for path in without}))
    except OSError as error:
        help = "look at its permissions, or leave it out by .dockerignore"
        raise EngineError(f"'{error.filename}' cannot be read: {error.strerror}", help) from error
    if (size := sum(file.size for file in found)) > LARGEST:
        largest = ", ".join(file.name for file in sorted(found, key=lambda file: -file.size)[:3])
        help = f"leave out what steps do not need by {root / '.dockerignore'}; the largest are {largest}"
        raise EngineError(f"'{root}' holds {size / 1e9:.1f} GB, too much for an image's code or context", help)
    return found


def ignored(folder: Path, name: str = "") -> list[Pattern]:
    """The patterns of a folder's `.dockerignore`, or of the one that a Dockerfile of this name has for itself."""
    for path in ([folder / f"{name}.dockerignore"] if name else []) + [folder / ".dockerignore"]:
        try:
            return patterns_of(path.read_text("utf-8", "replace"))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise EngineError(f"'{path}' cannot be read: {error.strerror}", "look at its permissions") from error
    return []


def digest_of(files: Iterable[File]) -> str:
    """The SHA-256, in hex, of the tar file that they make."""
    sink = Hashed()
    with tar_into(sink) as tar:
        add_all(tar, files)
    return sink.digest


class Hashed(io.RawIOBase):
    """A file that hashes what is written to it, and hands it on when there is somewhere to."""

    def __init__(self, target: SupportsWrite | None = None) -> None:
        self.target = target
        self._sha = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._sha.update(data)
        if self.target is not None:
            self.target.write(data)
        return len(data)

    @property
    def digest(self) -> str:
        return self._sha.hexdigest()


def tar_into(target: IO[bytes] | io.RawIOBase) -> tarfile.TarFile:
    """A tar file that is written as one stream."""
    return tarfile.open(fileobj=target, mode="w|", format=tarfile.GNU_FORMAT)


def add_all(tar: tarfile.TarFile, files: Iterable[File], folder: str = "") -> None:
    """Add files without times and owners, so that equal files make equal bytes."""
    for file in files:
        info = tarfile.TarInfo(folder + file.name)
        info.mode = 0o755 if file.executable else 0o644
        if file.link:
            info.type, info.linkname = tarfile.SYMTYPE, file.link
            tar.addfile(info)
            continue
        try:
            with open(file.path, "rb") as content:
                info.size = os.fstat(content.fileno()).st_size
                tar.addfile(info, content)
        except OSError as error:
            help = "does somebody write to it? leave it out by .dockerignore"
            raise EngineError(f"'{file.path}' cannot be read: {error.strerror or error}", help) from error


def add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file that is nowhere on the disk."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), 0o644
    tar.addfile(info, io.BytesIO(content))


def _files(root: Path, folder: Path, patterns: Sequence[Pattern], without: set[Path]) -> Iterator[File]:
    with os.scandir(folder) as entries:
        listed = list(entries)
    if any(entry.name == "pyvenv.cfg" for entry in listed):
        return
    for entry in listed:
        path = folder / entry.name
        name = path.relative_to(root).as_posix()
        if entry.name in NEVER or entry.name.endswith(".pyc") or path.absolute() in without:
            continue
        left_out = is_left_out(name, patterns)
        if entry.is_dir(follow_symlinks=False):
            # Something in a folder that is left out may be taken back.
            if not left_out or any(pattern.takes_back for pattern in patterns):
                yield from _files(root, path, patterns, without)
        elif left_out:
            continue
        elif entry.is_symlink():
            link = os.readlink(path)
            if not os.path.isabs(link) and _within(root, folder / link):
                yield File(name, path, link=link)
        elif stat.S_ISREG((status := entry.stat()).st_mode):
            yield File(name, path, bool(status.st_mode & 0o100), size=status.st_size)


def _within(root: Path, path: Path) -> bool:
    return os.path.normpath(path).startswith(os.path.normpath(root) + os.sep)

"""Who walks a run: a lock that ends with its process, whatever ends the process."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from runner.errors import StateError

PATIENCE = 1.0  # seconds; who only looks whether a run is walked holds its lock for an instant


@contextlib.contextmanager
def walking(state: Path, run_id: str) -> Iterator[None]:
    """Hold a run for this process. Raises StateError when another process has it."""
    with holding(_path(state, run_id), run_id, f"the state folder '{state}'", state):
        yield


@contextlib.contextmanager
def holding(path: Path, run_id: str, words: str, folder: Path) -> Iterator[None]:
    """Hold this file, and with it the run, for this process; afterwards the file is gone.

    Raises StateError when another process has it; `words` and `folder` say what cannot be used when that is the matter.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = _locked(path)
    except OSError as error:
        raise StateError(f"{words} cannot be used: {error.strerror}", _help(error, folder)) from error
    if file is None:
        raise still_going(run_id, f"process {_owner(path)}")
    with file:
        with contextlib.suppress(OSError):  # for people only
            os.ftruncate(file.fileno(), 0)
            os.write(file.fileno(), str(os.getpid()).encode())
        yield
        with contextlib.suppress(OSError):
            path.unlink()


def still_going(run_id: str, where: str) -> StateError:
    """The error for whoever wants a run that another process walks."""
    return StateError(
        f"run '{run_id}' is still going, in {where}",
        f"follow it with `runner runs logs -f {run_id}`, or stop it with `runner runs cancel {run_id}`",
    )


def is_walked(state: Path, run_id: str) -> bool:
    """Whether a living process walks the run from this project's folder."""
    return bool(is_held(_path(state, run_id)))


def is_held(path: Path) -> bool | None:
    """Whether a living process holds this file; None when there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return None
    except OSError:
        return False
    return False


def _locked(path: Path) -> TextIO | None:
    """The file, with its lock; None when another process keeps it."""
    give_up = time.monotonic() + PATIENCE
    while True:
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115  (held as long as the run is walked)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, file):
                return file
        except BlockingIOError:
            if time.monotonic() > give_up:
                file.close()
                return None
        except BaseException:
            file.close()
            raise
        file.close()
        time.sleep(0.01)


def _is_at(path: Path, file: TextIO) -> bool:
    """Whether this is still the file of that name: who held it before may have removed it in between."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _help(error: OSError, state: Path) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"'{state}' must be a folder: move away what stands in its place"
    return "make it writable for this user, and make room on its disk"


def _path(state: Path, run_id: str) -> Path:
    return state / "locks" / run_id


def _owner(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text("utf-8") or "?"
    return "?"

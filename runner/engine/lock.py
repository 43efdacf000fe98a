"""Who walks a run: a lock that ends with its process, whatever ends the process."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from runner.errors import StateError


@contextlib.contextmanager
def walking(state: Path, run_id: str) -> Iterator[None]:
    """Hold a run for this process. Raises StateError when another process has it."""
    path = _path(state, run_id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115  (held as long as the run is walked)
    except OSError as error:
        raise StateError(
            f"the state folder '{state}' cannot be written: {error.strerror}",
            "make it writable for this user, and make room on its disk",
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(
                f"run '{run_id}' is still going, in process {_owner(path)}",
                f"follow it with `runner runs logs -f {run_id}`, or stop it with `runner runs cancel {run_id}`",
            ) from None
        with contextlib.suppress(OSError):  # for people only
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        yield
        with contextlib.suppress(OSError):
            path.unlink()


def is_walked(state: Path, run_id: str) -> bool:
    """Whether a living process of this machine walks the run."""
    try:
        with open(_path(state, run_id), encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _path(state: Path, run_id: str) -> Path:
    return state / "locks" / run_id


def _owner(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text("utf-8") or "?"
    return "?"

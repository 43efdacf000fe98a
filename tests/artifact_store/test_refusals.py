"""What the system refused, in words."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from runner.artifact_store.refusals import refused


@pytest.mark.parametrize(
    ("code", "words", "help"),
    [
        (errno.EMFILE, "cannot write 'x': too many open files", "ulimit -n"),
        (errno.ENAMETOOLONG, "cannot write 'x': the name is too long", "shorter"),
        (errno.EPERM, "cannot write 'x': permission denied", "write access"),
        (errno.EIO, "cannot write 'x': broken", "check the disk"),
    ],
)
def test_each_says_what_next(code: int, words: str, help: str, tmp_path: Path) -> None:
    error = refused(OSError(code, "broken"), "cannot write 'x'", tmp_path)
    assert error.message == words
    assert error.help is not None
    assert help in error.help


def test_a_full_disk_says_how_much_room_there_is(tmp_path: Path) -> None:
    assert "MiB free)" in refused(OSError(errno.ENOSPC, ""), "cannot write", tmp_path).message
    assert refused(OSError(errno.ENOSPC, ""), "cannot write", tmp_path / "gone").message.endswith("the disk is full")

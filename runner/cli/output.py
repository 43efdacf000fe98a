"""Where lines and tables go: how wide they may be; written at once, and not missed when their reader has gone."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from runner.errors import UsageError
from runner.report.words import WIDTH


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Around what writes where the user said: a path that cannot be made is the user's mistake and no bug of ours."""
    try:
        yield
    except (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        where = f"'{error.filename or path}': {error.strerror}"
        raise UsageError(f"cannot write '{path}': {where}", "choose another path") from error


def tell_notes(notes: Iterable[str]) -> None:
    """What the user should know beside what was asked for."""
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def columns(stream: TextIO) -> int:
    """How wide a table may be: as wide as the terminal, or WIDTH where it is no terminal."""
    return shutil.get_terminal_size().columns if stream.isatty() else WIDTH


def write_lines(stream: TextIO, lines: Iterable[str]) -> None:
    """Write whole lines and flush them.

    A run goes on when whoever read its output is gone (`runner run … | head`): what it does must not depend on being
    watched. From then on its lines go nowhere.
    """
    text = "".join([f"{line}\n" for line in lines])
    if not text:
        return
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

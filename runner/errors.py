"""What can be wrong, and where: positions, problems, and the errors that end a command with an exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

__all__ = [
    "CannotPlan",
    "EngineError",
    "Interrupted",
    "InvalidDocuments",
    "Position",
    "Problem",
    "RunFailed",
    "RunnerError",
    "StateError",
    "UsageError",
    "nearest",
]


class Position(NamedTuple):
    """A place in a document. Lines and columns count from 1; `width` is how many characters the caret underlines."""

    file: str
    line: int
    column: int
    width: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Problem(NamedTuple):
    """One thing that is wrong in a document.

    `code` is stable, in kebab-case (`unknown-key`); `message` names the value in quotes; `help` says what to do next.
    """

    position: Position
    code: str
    message: str
    help: str | None = None


class RunnerError(Exception):
    """A user's mistake or the world's: told in one sentence and an optional `help`, never by a traceback."""

    exit_code = 70

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


class UsageError(RunnerError):
    """The command line was misused."""

    exit_code = 64


class InvalidDocuments(RunnerError):
    """Documents are wrong; `problems` holds every one of them, in the order of their positions.

    `sources` has the texts that they stand in, file → text.
    """

    exit_code = 3

    def __init__(self, problems: Iterable[Problem], sources: Mapping[str, str] | None = None) -> None:
        self.sources: Mapping[str, str] = sources or {}
        self.problems: Sequence[Problem] = tuple(sorted(problems, key=lambda problem: problem.position))
        count = len(self.problems)
        super().__init__(f"{count} problem{'' if count == 1 else 's'} found")


class CannotPlan(InvalidDocuments):
    """The documents are right, but this stack or this machine cannot do what they ask."""

    exit_code = 4


class EngineError(RunnerError):
    """An engine or a store refused, or could not be reached."""

    exit_code = 5


class StateError(EngineError):
    """The project's own state (run store, artifacts, locks) cannot be read or written."""


class RunFailed(RunnerError):
    """A run ended without success."""

    exit_code = 1


class Interrupted(RunnerError):
    """Ctrl-C, or a cancelled run."""

    exit_code = 130


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be, or None."""
    import difflib  # workers load this file and never ask; it costs them milliseconds

    names = list(known)
    folded = {name.lower().replace("-", "_"): name for name in names}
    found = difflib.get_close_matches(word.lower().replace("-", "_"), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None

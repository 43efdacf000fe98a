"""What an orchestrator of the user's own raises is told as its author's, with the line; never as a bug of ours."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from runner.errors import EngineError, RunnerError

LONGEST = 400  # characters of an exception's own message that are shown
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


@contextlib.contextmanager
def blamed(kind: type, flavor: str) -> Iterator[None]:
    """Whatever code of this class raises within becomes an EngineError that names the line, unless it is built in."""
    try:
        yield
    except (RunnerError, BrokenPipeError):
        raise
    except (Exception, SystemExit) as error:
        if kind.__module__.startswith("runner."):
            raise
        raise EngineError(f"flavor '{flavor}' raised {in_words(error)}", f"look at {place_of(error)}") from error


def in_words(error: BaseException) -> str:
    """`ZeroDivisionError: division by zero`, not longer than can be read."""
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def place_of(error: BaseException) -> str:
    """`file:line, in function`: the author's last line on the way to an exception, or the last line at all."""
    import traceback  # only for the mistake

    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return "the orchestrator's class"
    libraries = (_OURS, sys.prefix + os.sep, os.path.dirname(os.__file__) + os.sep, "<")
    own = [frame for frame in frames if not frame.filename.startswith(libraries)]
    outside = [frame for frame in frames if not frame.filename.startswith(_OURS)]
    frame = (own or outside or frames)[-1]
    return f"{frame.filename}:{frame.lineno}, in {frame.name}"

"""An exception of a step's code as a record: its own line, the user's frames, the traceback without ours."""

from __future__ import annotations

import errno
import os
from types import TracebackType

from runner.records import Failure, Frame

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def failure_of(error: BaseException, project: str, *, elsewhere: bool = False) -> Failure:
    """The record of an exception; frames are those of files in the project, or all but ours when there is none.

    Where the project's folder is `elsewhere`, in a container, its files are named as they are from its root.
    """
    import traceback  # only a failing step pays for it

    trace = _without_ours(error.__traceback__)
    summary = traceback.extract_tb(trace)
    frames = [Frame(frame.filename, frame.lineno or 0, frame.name, frame.line or "") for frame in summary]
    root = os.path.join(os.path.abspath(project), "")
    users = [
        _relative(frame, root) for frame in frames if frame.file.startswith(root) and "site-packages" not in frame.file
    ]
    text = "".join(traceback.format_exception(type(error), error, trace))
    if elsewhere:
        text = text.replace(f'File "{root}', 'File "')
    return Failure(_reason(error), _message(error), type(error).__name__, tuple(users or frames), text)


def _reason(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "out-of-memory"
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return "disk" if full else "exception"


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    found = trace
    while found is not None and found.tb_frame.f_code.co_filename.startswith(_OURS):
        found = found.tb_next
    return found


def _relative(frame: Frame, root: str) -> Frame:
    return frame._replace(file=frame.file[len(root) :])


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # an exception whose own text raises
        return "(its message cannot be shown)"

"""Errors as a person reads them on stderr, and the exit codes they end with."""

from __future__ import annotations

import errno
import sys

from runner.cli.options import colored
from runner.errors import EngineError, InvalidDocuments, RunnerError

# The machine's doing, not ours: no space, no permission, no file descriptors.
_REFUSALS = {
    errno.ENOSPC: "make room on the disk and try again",
    errno.EDQUOT: "make room in your quota and try again",
    errno.EROFS: "the file system is read-only; choose another folder with --project",
    errno.EACCES: "look at the owner and the permissions of this path",
    errno.EPERM: "look at the owner and the permissions of this path",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENFILE: "the system has too many open files",
    errno.EIO: "the disk answered with an error",
    errno.EFBIG: "raise the limit of what a file may hold (ulimit -f)",
    errno.EEXIST: "move away what stands in its place",
    errno.ENOTDIR: "look at this path: a part of it is a file, not a folder",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def tell(error: RunnerError) -> int:
    """Print a user's or the world's error; returns its exit code."""
    if isinstance(error, InvalidDocuments):
        from runner.report.problems import as_text  # the other errors do without it

        print(as_text(error.problems, error.sources, color=colored(sys.stderr)), end="\n\n", file=sys.stderr)
        help = None
    else:
        help = error.help
    print(f"error: {error.message}", file=sys.stderr)
    if help:
        print(f"   help: {help}", file=sys.stderr)
    return error.exit_code


def tell_refused(error: OSError) -> int:
    """Print what the operating system refused; an error that it cannot be blamed for is a bug of ours."""
    help = _REFUSALS.get(error.errno or 0)
    if help is None:
        return tell_bug(error, sys.argv[1:])
    where = f": '{error.filename}'" if error.filename else ""
    return tell(EngineError(f"{error.strerror}{where}", help))


def tell_bug(error: BaseException, arguments: list[str]) -> int:
    """Write the traceback to a file and say where it is: a user can do nothing with it but send it."""
    import tempfile  # these two take as long to load as a small document takes to validate
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="runner-error-", suffix=".txt", delete=False) as file:
        file.write(f"runner {' '.join(arguments)}\n")
        traceback.print_exception(error, file=file)
    print(f"error: this is a bug in runner: {type(error).__name__}: {error}", file=sys.stderr)
    print(f"   help: the traceback is in {file.name}: please report it with this file", file=sys.stderr)
    return 70

"""What the operating system said when it refused, in words that help."""

from __future__ import annotations

import errno
import os

from runner.artifact_store.base import StoreError


def refused(error: OSError, what: str, folder: str | os.PathLike[str]) -> StoreError:
    """The StoreError to raise from `error`; `what` could not be done, in or on the file system of `folder`."""
    reason, help = _WORDS.get(error.errno or 0, (error.strerror or str(error), "check the disk and the folder"))
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason += _free(folder)
    return StoreError(f"{what}: {reason}", help)


_FULL = ("the disk is full", "make room there, then resume the run")
_DENIED = ("permission denied", "give yourself write access to it, or set another path for the artifact store")
_MISPLACED = ("a file stands where a folder should be, or a folder where a file should", "move it away")
_FILES = ("too many open files", "raise the limit with 'ulimit -n', or lower max_parallel")
_WORDS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: ("the file system is read-only", "set the artifact store's path to a folder that can be written"),
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.ENOTDIR: _MISPLACED,
    errno.EISDIR: _MISPLACED,
    errno.EEXIST: _MISPLACED,
    errno.ENOTEMPTY: _MISPLACED,
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.EFBIG: ("the file would be larger than this process may write", "raise the limit with 'ulimit -f'"),
    errno.ENAMETOOLONG: ("the name is too long", "use shorter names, or a shorter path for the artifact store"),
}


def _free(folder: str | os.PathLike[str]) -> str:
    """How much room there is left, where that can be told."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return ""
    return f" ({found.f_bavail * found.f_frsize // 1024**2} MiB free)"

"""The project's code where it travels as an archive: fetched from the artifact store, checked, unpacked."""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
import zlib

from runner.artifact_store.base import ArtifactStore, ObjectMissing, StoreError
from runner.plan.deployment import StepJob


def unpacked(job: StepJob, store: ArtifactStore) -> StepJob:
    """The job with its code in a new folder, which becomes `project`, the current one, and the first for imports.

    Raises StoreError when the archive is not there, or is not what it should be.
    """
    key, digest = job.code["key"], job.code["digest"]
    try:
        content = zlib.decompress(store.get(key), wbits=_GZIP)
    except ObjectMissing as error:
        help = "was it deleted? `runner runs resume` puts it there again"
        raise StoreError(f"the code is gone from the artifact store ({key})", help) from error
    except zlib.error as error:
        raise StoreError(f"the code in the artifact store is damaged ({key}): {error}", _ANEW) from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise StoreError(f"the code in the artifact store is not what its digest says ({key})", _ANEW)
    # As tempfile.mkdtemp makes it, whose import takes as long as unpacking a small archive.
    folder = os.path.join(os.environ.get("TMPDIR") or "/tmp", f"runner-code-{os.urandom(8).hex()}")  # noqa: S108
    os.mkdir(folder, 0o700)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        if hasattr(tarfile, "data_filter"):  # not before 3.11.4; the digest says that the archive is of our making
            tar.extractall(folder, filter="data")
        else:
            tar.extractall(folder)  # noqa: S202
    os.chdir(folder)
    sys.path[:1] = [folder, *([os.path.join(folder, "src")] if os.path.isdir("src") else [])]
    return job._replace(project=folder)


_GZIP = 31  # a window of any size, with gzip's head and checksum
_ANEW = "delete it: the next run puts it there again"

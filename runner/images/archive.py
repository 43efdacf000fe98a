"""The project's code as an archive in the artifact store: put there once, and fetched by the worker."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from runner.errors import EngineError
from runner.images.tree import File, Hashed, add_all, digest_of, ignored, tar_into, tree


def code_files(root: Path, secret_store: dict[str, Any] | None = None) -> list[File]:
    """The files of a project that steps may need: `.dockerignore` says which not, and a file of secrets never."""
    path = (secret_store or {}).get("path")
    return tree(root, ignored(root), [root / path] if path else ())


def code_key(digest: str) -> str:
    """Where the archive of this digest is in an artifact store."""
    return f"code/{digest}.tar.gz"


def put_code(files: Iterable[File], store: Any) -> dict[str, str]:
    """See that the archive of these files is in an artifact store; says where: {"key": …, "digest": …}.

    The digest is that of the tar file in it. Sent only when it is not there.
    """
    files = list(files)
    digest = digest_of(files)
    if store.size(code_key(digest)) is None:
        packed = store.scratch() / f"code-{os.getpid()}.tar.gz"
        with open(packed, "wb") as target, gzip.GzipFile("", "wb", 6, target, mtime=0) as pressed:
            sink = Hashed(pressed)
            with tar_into(sink) as tar:
                add_all(tar, files)
        if sink.digest != digest:
            packed.unlink(missing_ok=True)
            raise EngineError("the project's code changed while it was packed", "start it again")
        store.put_file(code_key(digest), packed)
        packed.unlink(missing_ok=True)
    return {"key": code_key(digest), "digest": digest}

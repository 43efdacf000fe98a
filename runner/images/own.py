"""A Dockerfile of one's own, and the folder that is sent with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from runner.errors import EngineError
from runner.images.tree import File, digest_of, ignored, tree


class OwnBuild(NamedTuple):
    """What makes an image by a Dockerfile of one's own; `shown` is the file as people know it, `context` the digest of
    the files that are sent with it, `digest` that of both."""

    dockerfile: str
    shown: str
    files: list[File]
    digest: str
    context: str = ""


def own_build(image: Mapping[str, Any], root: Path) -> OwnBuild:
    """The Dockerfile and the context that `settings.image` names, from the project's root. Raises EngineError."""
    for _, message, help in lacking(image, root):
        raise EngineError(message, help)
    path, folder = _places(image, root)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EngineError(f"the Dockerfile '{path}' cannot be read: {error}", "look at it") from error
    own_list = path.name if path.parent == folder else ""
    files = tree(folder, ignored(folder, own_list))
    context = digest_of(files)
    digest = hashlib.sha256(f"own 1\0{text}\0{context}".encode()).hexdigest()
    return OwnBuild(text, _shown(path, root), files, digest, context)


def lacking(image: Mapping[str, Any], root: Path) -> Iterator[tuple[str, str, str]]:
    """The key of `settings.image` that names what is not there, what to say of it, and what to do."""
    path, folder = _places(image, root)
    if image.get("context") and not folder.is_dir():
        yield "context", f"there is no folder '{image['context']}'", "name it from the project's root folder"
    elif not path.is_file():
        key = "dockerfile" if image.get("dockerfile") else "context"
        help = "name it from the project's root folder" if key == "dockerfile" else "say `dockerfile` too"
        yield key, f"there is no Dockerfile '{_shown(path, root)}'", help


def _places(image: Mapping[str, Any], root: Path) -> tuple[Path, Path]:
    """The Dockerfile and the folder: `context` alone means the Dockerfile in it."""
    folder = root / (image.get("context") or "")
    return (root / image["dockerfile"] if image.get("dockerfile") else folder / "Dockerfile"), folder


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)

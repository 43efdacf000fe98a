"""Fixture: an image that has what a worker needs, made from the packages installed here and nothing else."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = ("runner", "cloudpickle")
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
DOCKERFILE = f"""FROM python:{VERSION}-slim
COPY packages /opt/packages
ENV PYTHONPATH=/opt/packages
RUN python -m compileall -q /opt/packages
LABEL runner/test-image=worker
"""


def make_worker_image(*command: str) -> str:
    """The tag of that image; built by `command`, a docker or a podman, unless it is there already."""
    command = command or ("docker",)
    context = _context()
    tag = f"localhost/runner-test/worker:{hashlib.sha256(context).hexdigest()[:16]}"
    if subprocess.run([*command, "image", "inspect", tag], capture_output=True).returncode == 0:
        return tag
    build = [*command, "build", "-q", "-t", tag, "-"]
    done = subprocess.run(build, input=context, capture_output=True, env={**os.environ, "DOCKER_BUILDKIT": "0"})
    assert done.returncode == 0, done.stderr.decode()
    return tag


@pytest.fixture(scope="session")
def worker_image() -> str:
    """The tag of an image that has `runner`, and nothing of a project."""
    return make_worker_image()


@pytest.fixture
def plain_image() -> str:
    """The tag of an image that has Python, and nothing else."""
    return f"python:{VERSION}-slim"


def _context() -> bytes:
    """A tar of the Dockerfile and the packages: the same bytes for the same content."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        _add(tar, "Dockerfile", DOCKERFILE.encode())
        for name, file in _files():
            _add(tar, f"packages/{name}", file.read_bytes())
    return made.getvalue()


def _files() -> Iterator[tuple[str, Path]]:
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        assert spec is not None and spec.origin is not None
        folder = Path(spec.origin).parent
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield str(file.relative_to(folder.parent)), file


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    about = tarfile.TarInfo(name)
    about.size, about.mode = len(data), 0o644
    tar.addfile(about, io.BytesIO(data))

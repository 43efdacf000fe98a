"""How the runner itself comes into an image: by its version from the package index, or as a wheel of what is here.

The format of wheels is https://packaging.python.org/en/latest/specifications/binary-distribution-format.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import runner
from runner.integrations import DISTRIBUTION, core, integration_of, needed

_PACKAGE = Path(runner.__file__).parent
_ONCE = (1980, 1, 1, 0, 0, 0)  # the first moment that a zip file can say
ALWAYS = ("cloudpickle>=3",)


class RunnerWheel(NamedTuple):
    """The runner for an image. `requirement` is what pip is told; `content` the wheel, empty for a release."""

    requirement: str
    name: str = ""
    content: bytes = b""


def this_runner() -> RunnerWheel:
    """The runner that runs now."""
    try:
        installed = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return wheel_of(_PACKAGE, runner.__version__)
    # Installers leave direct_url.json for what does not come from an index: PEP 610.
    if installed.read_text("direct_url.json") is None and Path(str(installed.locate_file("runner"))) == _PACKAGE:
        return RunnerWheel(f"{DISTRIBUTION}=={installed.version}")
    return wheel_of(_PACKAGE, runner.__version__)


def wheel_of(package: Path, version: str) -> RunnerWheel:
    """A wheel of a package's folder: equal files make equal bytes. It declares no dependencies."""
    plain = DISTRIBUTION.replace("-", "_")
    name, info = f"{plain}-{version}-py3-none-any.whl", f"{plain}-{version}.dist-info"
    files = {
        path.relative_to(package.parent).as_posix(): path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {DISTRIBUTION}\nVersion: {version}\n".encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: runner\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = [f"{each},sha256={_digest(content)},{len(content)}" for each, content in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for each, content in files.items():
            archive.writestr(zipfile.ZipInfo(each, _ONCE), content)
    return RunnerWheel(name, name, target.getvalue())


def needs_of_worker(artifact_store: str, secret_store: str = "") -> list[str]:
    """The requirements of a worker that uses these flavors of stores."""
    found = list(ALWAYS)
    for kind, flavor in (("artifact_store", artifact_store), ("secret_store", secret_store)):
        if name := integration_of(kind, flavor):
            found += [each.requirement for each in needed(name) if each.requirement not in found]
    return found


def needs_of_controller(needs: Iterable[str], artifact_store: str, secret_store: str = "") -> list[str]:
    """The requirements of a run's controller: runner's own, those of its stores, and these.

    Raises EngineError when our own metadata does not say.
    """
    own = core()
    stores = [each for each in needs_of_worker(artifact_store, secret_store) if each not in ALWAYS]
    return [*(each.requirement for each in own), *stores, *needs]


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")

"""Virtual environments for single steps: made from their requirements, found again by their content."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import runner
from runner.errors import EngineError

_PACKAGE = Path(runner.__file__).parent
_ALWAYS = ("cloudpickle",)  # the worker itself needs the standard library only; values of other types travel by it


def requirements_of(image: Mapping[str, Any], project: str) -> list[str]:
    """The lines of `settings.image.requirements`, a list or the name of a requirements file.

    Raises EngineError when the file cannot be read.
    """
    declared = image.get("requirements") or []
    if not isinstance(declared, str):
        return list(declared)
    try:
        lines = (Path(project) / declared).read_text("utf-8").splitlines()
    except OSError as error:
        raise EngineError(f"requirements file '{declared}' cannot be read: {error.strerror}") from error
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def unmet(requirements: Sequence[str]) -> list[str]:
    """Those of the requirements that the current interpreter's environment does not meet."""
    from packaging.requirements import InvalidRequirement, Requirement

    found = []
    for text in requirements:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue  # `-r other.txt`, a URL, an option: for pip alone to judge
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        try:
            if not requirement.specifier.contains(metadata.version(requirement.name), prereleases=True):
                found.append(text)
        except metadata.PackageNotFoundError:
            found.append(text)
    return found


def install_command(requirements: Sequence[str]) -> list[str]:
    """The command that installs requirements into the current environment."""
    pip = [shutil.which("uv") or _beside("uv") or "", "pip", "install", "--python", sys.executable]
    return [*(pip if pip[0] else [sys.executable, "-m", "pip", "install"]), *requirements]


def ensure(folder: Path, requirements: Sequence[str]) -> Path:
    """The interpreter of an environment with these requirements, made now unless it is there.

    Environments are named by the digest of what they are made from, made under a lock, and marked when they are whole.
    Raises EngineError with the installer's last lines.
    """
    wanted = [*requirements, *(name for name in _ALWAYS if name not in requirements)]
    made_from = json.dumps([sys.version, sys.executable, sorted(wanted)])
    target = folder / hashlib.sha256(made_from.encode()).hexdigest()[:20]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / f"{target.name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (target / "whole").exists():
                shutil.rmtree(target, ignore_errors=True)
                _make(target, wanted, lock.fileno())
                (target / "whole").write_text(made_from)
    except OSError as error:
        raise EngineError(
            f"the environment '{target}' could not be made: {error.strerror}", "look at the folder and its disk"
        ) from error
    return target / "bin" / "python"


def _make(target: Path, requirements: Sequence[str], lock: int) -> None:
    python = target / "bin" / "python"
    if uv := shutil.which("uv") or _beside("uv"):
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(target)], lock)
        _run([uv, "pip", "install", "--quiet", "--python", str(python), *requirements], lock)
    else:
        _run([sys.executable, "-m", "venv", str(target)], lock)
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements], lock)
    packages = next((target / "lib").glob("python*/site-packages"))
    os.symlink(_PACKAGE, packages / "runner")  # the worker of this very version, without its dependencies


def _run(command: list[str], lock: int) -> None:
    done = subprocess.run(
        command,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        pass_fds=(lock,),  # it keeps the lock when we are killed: nobody makes the environment anew beside it
    )
    if done.returncode:
        lines = "\n".join(done.stdout.strip().splitlines()[-6:])
        raise EngineError(f"the environment could not be made: {lines}", f"the command was: {' '.join(command)}")


def _beside(name: str) -> str | None:
    path = Path(sys.executable).parent / name
    return str(path) if path.exists() else None

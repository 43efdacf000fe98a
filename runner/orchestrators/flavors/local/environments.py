"""Virtual environments for single steps: made from their requirements, found again by their content."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import runner
from runner.errors import EngineError
from runner.plan.deployment import DeployedStep
from runner.requirements import arguments, requirements_of

_PACKAGE = Path(runner.__file__).parent
DISTRIBUTION = "stack-runner"
WHOLE = "whole"  # the file that is written last
_ALWAYS = ("cloudpickle",)  # the worker itself needs the standard library only; values of other types travel by it


def unmet(requirements: Sequence[str]) -> list[str]:
    """Those of the requirements that the current interpreter's environment does not meet."""
    if not requirements:
        return []
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
    return [*(pip if pip[0] else [sys.executable, "-m", "pip", "install"]), *arguments(requirements)]


def packages_of(artifact_store: str) -> list[str]:
    """What a worker needs to reach an artifact store of this flavor: the extra of that name."""
    if artifact_store == "local":
        return []
    from packaging.requirements import Requirement

    with contextlib.suppress(metadata.PackageNotFoundError):
        found = [Requirement(text) for text in metadata.requires(DISTRIBUTION) or ()]
        extra = {"extra": artifact_store}
        return [
            f"{one.name}{one.specifier}"
            for one in found
            if one.marker and one.marker.evaluate(extra) and not one.marker.evaluate({"extra": ""})
        ]
    return []


class Environments:
    """The environments of a run's steps: made when a step first needs one, and kept for later runs.

    An environment is named by the digest of what it is made from. It is made under a lock, by one process at a time,
    and counts as made when its last file is there.
    """

    def __init__(self, folder: Path, project: str, artifact_store: str = "local") -> None:
        self.always = [*_ALWAYS, *packages_of(artifact_store)]
        self.folder = folder
        self.project = project
        self.requirements: dict[str, list[str]] = {}
        self.installer: subprocess.Popen[str] | None = None

    def of(self, step: DeployedStep) -> str:
        """The name of the environment that a step runs in; empty for the interpreter that runs this."""
        if step.settings.get("environment", "current") == "current":
            return ""
        declared = requirements_of(step.image, self.project)
        wanted = [*declared, *(name for name in self.always if name not in declared)]
        name = hashlib.sha256(json.dumps([sys.version, sys.executable, sorted(wanted)]).encode()).hexdigest()[:20]
        self.requirements[name] = wanted
        return name

    def is_made(self, name: str) -> bool:
        return not name or (self.folder / name / WHOLE).exists()

    def python(self, name: str) -> str:
        """The interpreter of an environment that is made."""
        return str(self.folder / name / "bin" / "python") if name else sys.executable

    def make(self, name: str) -> None:
        """Make an environment, unless another process has. Raises EngineError with the installer's last lines."""
        target = self.folder / name
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self.is_made(name):
                return
            shutil.rmtree(target, ignore_errors=True)
            self._make(target, self.requirements[name], lock.fileno())
            (target / WHOLE).write_text("\n".join(self.requirements[name]))

    def stop(self) -> None:
        """Break off what is being made."""
        if self.installer is not None:
            self.installer.kill()

    def _make(self, target: Path, requirements: Sequence[str], lock: int) -> None:
        python = str(target / "bin" / "python")
        if uv := shutil.which("uv") or _beside("uv"):
            self._run([uv, "venv", "--quiet", "--python", sys.executable, str(target)], lock)
            self._run([uv, "pip", "install", "--quiet", "--python", python, *arguments(requirements)], lock)
        else:
            self._run([sys.executable, "-m", "venv", str(target)], lock)
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            self._run([*pip, *arguments(requirements)], lock)
        packages = next((target / "lib").glob("python*/site-packages"))
        os.symlink(_PACKAGE, packages / "runner")  # the worker of this very version, without its dependencies

    def _run(self, command: list[str], lock: int) -> None:
        output = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        # It holds the lock too, also when we are killed: nobody makes the environment anew beside it.
        with subprocess.Popen(command, text=True, pass_fds=(lock,), **output) as self.installer:  # type: ignore[call-overload]
            told, _ = self.installer.communicate()
        if self.installer.returncode:
            lines = "\n".join(told.strip().splitlines()[-6:])
            raise EngineError(f"its environment could not be made: {lines}", f"the command was: {shlex.join(command)}")


def _beside(name: str) -> str | None:
    path = Path(sys.executable).parent / name
    return str(path) if path.exists() else None

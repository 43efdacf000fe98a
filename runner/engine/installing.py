"""Integrations on this machine: whether they import, and the command that installs them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from runner import integrations
from runner.errors import EngineError
from runner.integrations import Needed
from runner.project import Stack
from runner.spec.stack import COMPONENT_KINDS

PATIENCE = 120.0  # seconds for one import: some SDKs take many, on a slow disk
_IMPORT = """
import importlib, sys
try:
    importlib.import_module(sys.argv[1])
except BaseException as error:
    print(f"{type(error).__name__}: {error}".splitlines()[0], file=sys.stderr)
    sys.exit(1)
"""


class Tried(NamedTuple):
    """A distribution of an integration that was really imported. `told` is empty when that worked."""

    integration: str
    needed: Needed
    told: str


def needed_by(stack: Stack) -> list[str]:
    """The integrations that a stack's components need."""
    fields = {kind: getattr(stack, kind) for kind in COMPONENT_KINDS if kind != "orchestrator"}
    flavors = {kind: each.get("flavor", "") for kind, each in fields.items()} | {"orchestrator": stack.flavor}
    found = [integrations.integration_of(kind, flavor) for kind, flavor in flavors.items()]
    return list(dict.fromkeys(name for name in found if name))


def tried(names: Sequence[str], python: str = sys.executable) -> list[Tried]:
    """Every distribution of these integrations; what is installed is imported, each in a process of its own."""
    wanted = [(name, needed) for name in names for needed in integrations.needed(name)]
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as threads:
        return list(threads.map(lambda each: Tried(each[0], each[1], _told(each[1], python)), wanted))


def install_command(names: Sequence[str], *, upgrade: bool = False, python: str = sys.executable) -> list[str]:
    """What installs these integrations into the environment of `python`: uv where there is one, else its pip.

    Raises EngineError when there is neither.
    """
    wanted = dict.fromkeys(needed.requirement for name in names for needed in integrations.needed(name))
    return [*_installer(python), *(["--upgrade"] if upgrade else []), *wanted]


def refuse_foreign(stdlib: Path, packages: Path, *, own: bool) -> None:
    """Raise EngineError for an environment that is not ours to install into.

    `own` says that it is a virtual one; `stdlib` and `packages` are its folders.
    """
    if not own and (stdlib / "EXTERNALLY-MANAGED").exists():
        raise EngineError(
            "this Python belongs to the operating system, whose package manager alone installs into it (PEP 668)",
            f"take a virtual environment: python3 -m venv .venv && .venv/bin/pip install {integrations.DISTRIBUTION}, "
            "then .venv/bin/runner integrations install",
        )
    if not os.access(packages, os.W_OK):
        raise EngineError(
            f"'{packages}' cannot be written by this user",
            "take a virtual environment of your own: python3 -m venv .venv; or ask whoever owns this one",
        )


def install(names: Sequence[str], *, upgrade: bool = False) -> None:
    """Install integrations into the running environment; what the installer prints goes where our output goes.

    Raises EngineError when it cannot be written to, or the installer fails.
    """
    folders = {name: Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib")}
    refuse_foreign(folders["stdlib"], folders["purelib"], own=sys.prefix != sys.base_prefix)
    command = install_command(names, upgrade=upgrade)
    sys.stdout.flush()
    code = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode
    if code:
        raise EngineError(f"the installer ended with exit code {code}", "what it printed above says why")


def _installer(python: str) -> list[str]:
    beside = Path(python).parent / "uv"
    uv = shutil.which("uv") or (str(beside) if beside.exists() else None)
    if uv:
        return [uv, "pip", "install", "--python", python]
    if subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
        raise EngineError("there is neither uv nor pip to install with", f"get pip: {python} -m ensurepip")
    return [python, "-m", "pip", "install"]


def _told(needed: Needed, python: str) -> str:
    if needed.state != integrations.OK:
        return needed.state if needed.installed is None else f"{needed.state}: {needed.installed}"
    try:
        command = [python, "-c", _IMPORT, needed.module]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        return f"`import {needed.module}` did not end within {PATIENCE:.0f} s"
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    return f"`import {needed.module}` fails: {last}" if done.returncode else ""

"""Integrations installed for real into fresh virtual environments, from wheels made on the spot."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from runner.engine.installing import install_command, needed_by, refuse_foreign, tried
from runner.errors import EngineError
from runner.project import Project, default_stack

ROOT = Path(__file__).parent.parent.parent
UV = Path(sys.executable).parent / "uv"


def core_alone(folder: Path) -> Path:
    """A folder for PYTHONPATH that has runner and what it needs, and no SDK."""
    folder.mkdir()
    (folder / "runner").symlink_to(ROOT / "runner")
    left, seen = ["stack-runner"], set()
    while left:
        if (name := left.pop()) in seen:
            continue
        seen.add(name)
        found = metadata.distribution(name)
        wanted = [Requirement(text) for text in found.requires or ()]
        left += [each.name for each in wanted if each.marker is None or each.marker.evaluate({"extra": ""})]
        for top in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
            link = folder / top
            if not link.exists() and not top.endswith(".pth"):
                link.symlink_to(Path(str(found.locate_file(top))))
    return folder


def wheel(folder: Path, name: str, version: str, text: str) -> None:
    """The smallest wheel: one module."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}.py", text)
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


def environment(tmp_path: Path, *options: str) -> dict[str, str]:
    """The variables of a fresh virtual environment in `new/` that finds the wheels of `wheels/` and nothing else."""
    subprocess.run([sys.executable, "-m", "venv", *options, tmp_path / "new"], check=True)
    (tmp_path / "bin").mkdir()
    wheels = str(tmp_path / "wheels")
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("UV_", "PIP_", "PYTHON"))}
    return keep | {
        "PATH": str(tmp_path / "bin"),
        "PYTHONPATH": str(core_alone(tmp_path / "core")),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": wheels,
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": wheels,
        "UV_NO_CONFIG": "1",
    }


def runner(tmp_path: Path, environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(tmp_path / "new/bin/python"), "-m", "runner", "integrations", *arguments]
    return subprocess.run(command, env=environ, cwd=tmp_path, text=True, capture_output=True)


def test_uv_installs_an_integration(tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "requests", "9.0", "")
    environ = environment(tmp_path, "--without-pip")
    (tmp_path / "bin/uv").symlink_to(UV)
    before = runner(tmp_path, environ, "check", "airflow")
    assert (before.returncode, "requests>=2.32: missing" in before.stdout) == (5, True), before.stderr
    done = runner(tmp_path, environ, "install", "airflow")
    assert done.returncode == 0 and "requests==9.0" in done.stderr and "installed: airflow" in done.stdout
    assert runner(tmp_path, environ, "check", "airflow").returncode == 0


def test_pip_installs_an_integration_where_there_is_no_uv(tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "requests", "9.0", "")
    environ = environment(tmp_path)
    done = runner(tmp_path, environ, "install", "airflow")
    assert "Successfully installed requests-9.0" in done.stdout, done.stderr


def test_an_integration_that_is_installed_and_broken_is_told(tmp_path: Path) -> None:
    wheel(tmp_path / "wheels", "requests", "9.0", "raise ImportError('libfoo.so: cannot open')")
    environ = environment(tmp_path, "--without-pip")
    (tmp_path / "bin/uv").symlink_to(UV)
    runner(tmp_path, environ, "install", "airflow")
    done = runner(tmp_path, environ, "check", "airflow")
    assert "`import requests` fails: ImportError: libfoo.so: cannot open" in done.stdout
    assert done.returncode == 5 and "→ runner integrations install airflow --upgrade" in done.stdout


def test_what_the_installer_cannot_do_is_an_error(tmp_path: Path) -> None:
    environ = environment(tmp_path, "--without-pip")
    (tmp_path / "bin/uv").symlink_to(UV)
    done = runner(tmp_path, environ, "install", "airflow")
    assert done.returncode == 5 and "the installer ended with exit code" in done.stderr


def test_neither_uv_nor_pip(tmp_path: Path) -> None:
    done = runner(tmp_path, environment(tmp_path, "--without-pip"), "install", "airflow", "--dry-run")
    assert done.returncode == 5 and "neither uv nor pip" in done.stderr and "ensurepip" in done.stderr


def test_the_command_has_each_requirement_once() -> None:
    command = install_command(["kubernetes", "kubeflow"], upgrade=True)
    assert command[-3:] == ["--upgrade", "kubernetes>=29", "kfp-server-api>=2.3"]
    assert sys.executable in command


def test_a_python_of_the_system_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "EXTERNALLY-MANAGED").touch()
    with pytest.raises(EngineError, match="PEP 668") as caught:
        refuse_foreign(tmp_path, tmp_path, own=False)
    assert "python3 -m venv" in (caught.value.help or "")
    refuse_foreign(tmp_path, tmp_path, own=True)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be written"):
        refuse_foreign(tmp_path, tmp_path / "none", own=True)


def test_the_stack_says_what_is_needed(tmp_path: Path) -> None:
    stack = default_stack(Project(tmp_path))
    assert needed_by(stack) == []
    there = stack._replace(artifact_store={"flavor": "s3"}, secret_store={"flavor": "aws"}, flavor="kubernetes")
    assert sorted(needed_by(there)) == ["aws-secrets", "kubernetes", "s3"]


def test_what_imports_has_nothing_to_tell() -> None:
    assert [each.told for each in tried(["s3"])] == [""]

"""A new project: complete, and never over another's files."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from runner.cli.init import write_project
from runner.cli.main import main


def test_it_is_named_for_its_folder(tmp_path: Path) -> None:
    write_project(tmp_path / "My Demo")
    assert 'name = "my-demo"' in (tmp_path / "My Demo/pyproject.toml").read_text()


def test_it_installs_without_an_index(tmp_path: Path) -> None:
    write_project(tmp_path)
    assert tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]["dependencies"] == []


def in_project(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True)


def test_its_own_tests_pass(tmp_path: Path) -> None:
    write_project(tmp_path)
    done = in_project(tmp_path, "pytest", "-q", "-p", "no:cacheprovider")
    assert (done.returncode, done.stdout.count("2 passed")) == (0, 1)


def test_it_validates(tmp_path: Path) -> None:
    write_project(tmp_path)
    done = in_project(tmp_path, "runner", "validate", "--imports")
    assert (done.returncode, done.stdout) == (0, "2 documents in 2 files: no problems\n")


def test_it_runs(tmp_path: Path) -> None:
    write_project(tmp_path)
    done = in_project(tmp_path, "runner", "run", "pipelines/hello.yaml", "-p", "name=Ada")
    assert done.returncode == 0
    assert "greet       | Hello, Ada!" in done.stdout


def test_what_is_in_the_way_is_listed_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_text("mine")
    assert main(["init", str(tmp_path)]) == 64
    assert "README.md" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]
    assert (tmp_path / "README.md").read_text() == "mine"

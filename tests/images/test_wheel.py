"""The runner for an image: a release by its version, anything else as a wheel that pip takes."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import runner
from runner.images import wheel
from runner.images.wheel import needs_of_worker, this_runner, wheel_of


class Installed:
    """What the metadata of an installed release says."""

    version = "9.9"

    def read_text(self, name: str) -> str | None:
        return None

    def locate_file(self, name: str) -> Path:
        return Path(runner.__file__).parent


def test_a_release_is_taken_from_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wheel.metadata, "distribution", lambda name: Installed())
    assert this_runner() == ("stack-runner==9.9", "", b"")


def test_what_is_installed_otherwise_comes_as_a_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Installed, "read_text", lambda self, name: '{"dir_info": {"editable": true}}')
    monkeypatch.setattr(wheel.metadata, "distribution", lambda name: Installed())
    found = this_runner()
    assert found.name == f"stack_runner-{runner.__version__}-py3-none-any.whl" and found == this_runner()
    with zipfile.ZipFile(io.BytesIO(found.content)) as archive:
        assert "runner/worker/__main__.py" in archive.namelist()


def test_pip_takes_the_wheel(tmp_path: Path) -> None:
    (tmp_path / "runner").mkdir()
    (tmp_path / "runner/__init__.py").write_text("")
    made = wheel_of(tmp_path / "runner", "1.0")
    (tmp_path / made.name).write_bytes(made.content)
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", tmp_path / "to"]
    subprocess.run([*install, tmp_path / made.name], check=True, capture_output=True)
    assert (tmp_path / "to/runner/__init__.py").exists()


def test_what_a_worker_needs_for_its_stores() -> None:
    assert needs_of_worker("local", "env") == ["cloudpickle>=3"]
    assert [need.partition(">")[0] for need in needs_of_worker("s3", "aws")] == ["cloudpickle", "obstore", "boto3"]

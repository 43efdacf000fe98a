"""Who walks a run: one process, until it ends, however it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runner.engine.lock import is_walked, walking
from runner.errors import StateError


def test_a_run_is_walked_while_it_is_held(tmp_path: Path) -> None:
    assert not is_walked(tmp_path, "r1")
    with walking(tmp_path, "r1"):
        assert is_walked(tmp_path, "r1") and not is_walked(tmp_path, "r2")
    assert not is_walked(tmp_path, "r1")
    assert list((tmp_path / "locks").iterdir()) == []


def test_a_second_walker_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    with walking(tmp_path, "r1"), pytest.raises(StateError, match=f"still going, in process {os.getpid()}") as caught:
        with walking(tmp_path, "r1"):
            pass
    assert "runner runs cancel r1" in (caught.value.help or "")


def test_a_walker_that_failed_holds_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError), walking(tmp_path, "r1"):
        raise ValueError
    with walking(tmp_path, "r1"):
        assert is_walked(tmp_path, "r1")


def test_a_killed_walker_holds_nothing(tmp_path: Path) -> None:
    code = f"""import os, pathlib
from runner.engine.lock import walking
with walking(pathlib.Path({str(tmp_path)!r}), "r1"):
    os.kill(os.getpid(), 9)"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert (tmp_path / "locks/r1").exists() and not is_walked(tmp_path, "r1")
    with walking(tmp_path, "r1"):
        assert is_walked(tmp_path, "r1")


def test_who_looks_does_not_stand_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/r1").touch()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            is_walked(tmp_path, "r1")

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for _ in range(50):
            with walking(tmp_path, "r1"):
                continue
    finally:
        over.set()
        watcher.join()


def test_a_file_in_place_of_the_state_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(StateError, match="cannot be used") as caught, walking(tmp_path / "state", "r1"):
        pass
    assert "must be a folder" in (caught.value.help or "")

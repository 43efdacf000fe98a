"""The system calls under the local store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.files import make_folder, read_all, remove


def test_make_folder_makes_those_above(tmp_path: Path) -> None:
    make_folder(str(tmp_path / "a/b/c"))
    make_folder(str(tmp_path / "a/b/c"))
    assert (tmp_path / "a/b/c").is_dir()


def test_make_folder_where_a_file_stands(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(NotADirectoryError):
        make_folder(str(tmp_path / "a/b"))


def test_remove_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    (tmp_path / "gone").mkdir()
    (tmp_path / "gone/link").symlink_to(tmp_path / "kept")
    remove(str(tmp_path / "gone"))
    remove(str(tmp_path / "gone"))
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept/file").exists()


def test_read_all_reads_on(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "file").write_bytes(b"abcdefgh")
    read = os.read
    monkeypatch.setattr(os, "read", lambda descriptor, size: read(descriptor, min(size, 3)))
    with open(tmp_path / "file", "rb") as file:
        assert read_all(file.fileno(), 8) == b"abcdefgh"

"""A Dockerfile of one's own: where it is, what counts, and what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.errors import EngineError
from runner.images.own import lacking, own_build


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker/Dockerfile").write_text("FROM debian\n")
    (tmp_path / "docker/data.txt").write_text("data")
    (tmp_path / "big.bin").write_text("big")
    return tmp_path


def test_a_folder_alone_has_its_dockerfile_in_it(root: Path) -> None:
    own = own_build({"context": "docker"}, root)
    assert own.shown == "docker/Dockerfile" and [file.name for file in own.files] == ["Dockerfile", "data.txt"]


def test_a_dockerfile_alone_has_the_project_around_it(root: Path) -> None:
    own = own_build({"dockerfile": "docker/Dockerfile"}, root)
    assert [file.name for file in own.files] == ["big.bin", "docker/Dockerfile", "docker/data.txt"]


def test_all_that_is_sent_counts(root: Path) -> None:
    before = own_build({"context": "docker"}, root).digest
    (root / "big.bin").write_text("bigger")
    assert own_build({"context": "docker"}, root).digest == before
    (root / "docker/data.txt").write_text("other")
    assert own_build({"context": "docker"}, root).digest != before


def test_a_dockerfile_may_have_its_own_ignore_file(root: Path) -> None:
    (root / "docker/Dockerfile.dockerignore").write_text("*.txt\nDockerfile*\n")
    assert own_build({"context": "docker"}, root).files == []


@pytest.mark.parametrize(
    ("image", "key", "message"),
    [
        ({"dockerfile": "Dockerfile"}, "dockerfile", "there is no Dockerfile 'Dockerfile'"),
        ({"context": "gone"}, "context", "there is no folder 'gone'"),
        ({"context": "."}, "context", "there is no Dockerfile 'Dockerfile'"),
    ],
)
def test_what_is_not_there(root: Path, image: dict[str, Any], key: str, message: str) -> None:
    assert [found[:2] for found in lacking(image, root)] == [(key, message)]
    with pytest.raises(EngineError, match=message):
        own_build(image, root)

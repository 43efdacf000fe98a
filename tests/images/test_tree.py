"""The files of a folder, and the tar file that they make: always the same bytes."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from runner.errors import EngineError
from runner.images import tree as trees
from runner.images.tree import Hashed, add_all, digest_of, ignored, tar_into, tree


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in ("steps/a.py", "run.sh", ".git/HEAD", ".runner/runner.db", "steps/__pycache__/a.pyc", ".env", "b.log"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "run.sh").chmod(0o755)
    return tmp_path


def names(root: Path, *without: Path) -> list[str]:
    return [file.name for file in tree(root, ignored(root), without)]


def test_what_never_travels(project: Path) -> None:
    assert names(project) == ["b.log", "run.sh", "steps/a.py"]


def test_a_file_that_is_named_and_what_dockerignore_names(project: Path) -> None:
    (project / ".dockerignore").write_text("*.log\n")
    assert names(project, project / "run.sh") == [".dockerignore", "steps/a.py"]


def test_a_virtual_environment_by_any_name(project: Path) -> None:
    (project / "env").mkdir()
    (project / "env/pyvenv.cfg").write_text("")
    assert "env/pyvenv.cfg" not in names(project)


def test_links_stay_within(project: Path) -> None:
    (project / "inside").symlink_to("steps/a.py")
    (project / "outside").symlink_to("/etc/passwd")
    (project / "above").symlink_to("../x")
    assert [file.link for file in tree(project) if file.link] == ["steps/a.py"]
    assert "outside" not in names(project) and "above" not in names(project)


def test_times_and_owners_do_not_count(project: Path) -> None:
    before = digest_of(tree(project))
    os.utime(project / "steps/a.py", (1, 1))
    assert digest_of(tree(project)) == before
    (project / "run.sh").chmod(0o644)
    assert digest_of(tree(project)) != before


def test_the_digest_is_that_of_the_tar_file(project: Path) -> None:
    target = io.BytesIO()
    sink = Hashed(target)
    with tar_into(sink) as tar:
        add_all(tar, tree(project))
    assert sink.digest == digest_of(tree(project)) and len(target.getvalue()) % 512 == 0


def test_too_much_is_refused_with_what_is_largest(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "LARGEST", 10)
    with pytest.raises(EngineError, match="too much") as caught:
        tree(project)
    assert "the largest are steps/a.py, run.sh, b.log" in (caught.value.help or "")

"""The project's code in an artifact store: there once, under its digest."""

from __future__ import annotations

from pathlib import Path

from runner.artifact_store.local import LocalArtifactStore
from runner.images.archive import code_files, put_code


def test_code_is_put_once(tmp_path: Path) -> None:
    store = LocalArtifactStore(tmp_path / "store")
    (tmp_path / "project").mkdir()
    (tmp_path / "project/steps.py").write_text("x = 1\n")
    first = put_code(code_files(tmp_path / "project"), store)
    assert first["key"] == f"code/{first['digest']}.tar.gz" and store.size(first["key"])
    written = (tmp_path / "store" / first["key"]).stat().st_mtime_ns
    assert put_code(code_files(tmp_path / "project"), store) == first
    assert (tmp_path / "store" / first["key"]).stat().st_mtime_ns == written


def test_other_code_is_another_archive(tmp_path: Path) -> None:
    store = LocalArtifactStore(tmp_path / "store")
    (tmp_path / "project").mkdir()
    keys = set()
    for text in ("x = 1\n", "x = 2\n"):
        (tmp_path / "project/steps.py").write_text(text)
        keys.add(put_code(code_files(tmp_path / "project"), store)["key"])
    assert len(keys) == 2 == len(list(store.list("code/")))


def test_a_file_of_secrets_stays_here(tmp_path: Path) -> None:
    (tmp_path / "hidden.yaml").write_text("TOKEN: x")
    (tmp_path / "steps.py").write_text("")
    names = [file.name for file in code_files(tmp_path, {"flavor": "file", "path": "hidden.yaml"})]
    assert names == ["steps.py"]

"""Files and folders: copied in, copied out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runner.artifact_store.base import ObjectMissing
from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.materializers import CannotLoad, CannotSave, DigestMismatch, load, save
from runner.artifact_store.objects import put_bytes


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder as a step may leave it."""
    folder = tmp_path / "made"
    (folder / "sub/empty").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "sub/nothing").touch()
    (folder / "sub/tool").write_bytes(b"#!" * 1_000_000)
    (folder / "sub/tool").chmod(0o755)
    return folder


def tree(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


def test_a_file(store: LocalArtifactStore, tmp_path: Path, made: Path) -> None:
    artifact = save(made / "a.txt", store)
    again = load(artifact, store, tmp_path / "in")
    assert (artifact.type, artifact.meta["name"], again.name, again.read_text()) == ("file", "a.txt", "a.txt", "a")
    assert (made / "a.txt").exists()


def test_a_file_of_nothing(store: LocalArtifactStore, tmp_path: Path, made: Path) -> None:
    again = load(save(made / "sub/nothing", store), store, tmp_path / "in")
    assert again.read_bytes() == b""
    again.write_text("ours to change")


def test_a_file_keeps_its_executable_bit(store: LocalArtifactStore, tmp_path: Path, made: Path) -> None:
    assert os.access(load(save(made / "sub/tool", store), store, tmp_path / "in"), os.X_OK)
    assert not os.access(load(save(made / "a.txt", store), store, tmp_path / "in"), os.X_OK)


def test_a_folder(store: LocalArtifactStore, tmp_path: Path, made: Path) -> None:
    artifact = save(made, store)
    again = load(artifact, store, tmp_path / "in")
    assert artifact.meta == {"name": "made", "files": 3, "bytes": 2_000_001}
    assert (again.name, tree(again)) == ("made", tree(made))
    assert os.access(again / "sub/tool", os.X_OK)


def test_a_folder_with_nothing_in_it(store: LocalArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    assert list(load(save(tmp_path / "made", store), store, tmp_path / "in").iterdir()) == []


def test_equal_folders_are_one_artifact(store: LocalArtifactStore, tmp_path: Path, made: Path) -> None:
    again = load(save(made, store), store, tmp_path / "in")
    assert save(again, store) == save(made, store)


def test_each_load_is_a_copy_of_its_own(store: LocalArtifactStore, tmp_path: Path, made: Path) -> None:
    artifact = save(made, store)
    one, two = load(artifact, store, tmp_path / "in"), load(artifact, store, tmp_path / "in")
    (one / "a.txt").write_text("changed")
    assert (two / "a.txt").read_text() == "a"
    assert (load(artifact, store, tmp_path / "in") / "a.txt").read_text() == "a"


def test_a_name_that_is_no_unicode(store: LocalArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    with open(os.fsencode(tmp_path / "made") + b"/\xff", "wb"):
        pass
    again = load(save(tmp_path / "made", store), store, tmp_path / "in")
    assert os.listdir(os.fsencode(again)) == [b"\xff"]


def test_links_inside_are_followed(store: LocalArtifactStore, tmp_path: Path, made: Path) -> None:
    (made / "file").symlink_to("a.txt")
    (made / "folder").symlink_to("sub")
    again = load(save(made, store), store, tmp_path / "in")
    assert (again / "file").read_text() == "a"
    assert (again / "folder/nothing").exists()
    assert not (again / "folder").is_symlink()


@pytest.mark.parametrize(
    ("link", "target", "words"),
    [
        ("out", "../outside", "leads out of the folder"),
        ("far", "/etc/hostname", "leads out of the folder"),
        ("broken", "gone", "leads nowhere"),
        ("self", "self", "leads nowhere"),
        ("sub/up", "..", "leads to a folder that it is in itself"),
    ],
)
def test_links_elsewhere_are_refused(store: LocalArtifactStore, made: Path, link: str, target: str, words: str) -> None:
    (made.parent / "outside").write_text("secret")
    (made / link).symlink_to(target)
    with pytest.raises(CannotSave, match=words):
        save(made, store)


def test_a_link_itself_is_followed(store: LocalArtifactStore, tmp_path: Path, made: Path) -> None:
    (tmp_path / "link").symlink_to(made)
    assert tree(load(save(tmp_path / "link", store), store, tmp_path / "in")) == tree(made)


def test_a_path_to_nothing(store: LocalArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(CannotSave, match=r"'.*gone' is not there"):
        save(tmp_path / "gone", store)


def test_a_pipe(store: LocalArtifactStore, made: Path) -> None:
    os.mkfifo(made / "pipe")
    with pytest.raises(CannotSave, match="is no file and no folder"):
        save(made / "pipe", store)
    with pytest.raises(CannotSave, match="is no file and no folder"):
        save(made, store)


def test_a_file_of_a_folder_that_changed(store: LocalArtifactStore, tmp_path: Path, made: Path) -> None:
    artifact = save(made, store)
    one = save(made / "a.txt", store)
    store.fetch(one.uri).write_text("b")
    with pytest.raises(DigestMismatch, match=one.uri):
        load(artifact, store, tmp_path / "in")


def test_a_file_of_a_folder_that_is_gone(store: LocalArtifactStore, tmp_path: Path, made: Path) -> None:
    artifact = save(made, store)
    store.delete(save(made / "a.txt", store).uri)
    with pytest.raises(ObjectMissing):
        load(artifact, store, tmp_path / "in")


@pytest.mark.parametrize("path", ["../out", "/out", "a/../../out"])
def test_a_list_that_leads_out(store: LocalArtifactStore, tmp_path: Path, made: Path, path: str) -> None:
    listed = f'{{"files": [], "folders": ["{path}"]}}'.encode()
    uri, size, digest = put_bytes(listed, store)
    artifact = save(made, store)._replace(uri=uri, size=size, digest=digest)
    with pytest.raises(CannotLoad, match="lies outside"):
        load(artifact, store, tmp_path / "in")

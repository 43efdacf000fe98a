"""What every artifact store must do, the same for all: on this machine, in memory, and in three providers' services."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.base import ArtifactStore, ObjectMissing, StoreError
from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.materializers import load, save
from runner.artifact_store.memory import MemoryArtifactStore
from runner.artifact_store.stores import open_store

REMOTE = ("s3", "gcs", "azure")
ODD = ["a b", "a+b", "a%20b", "a?b=c&d", "a#b", "a:b@c", "ä/ö.ß", "a'b\"c", "a*[b]{c}", "日本", "~$!(),;="]


@pytest.fixture(params=["local", "memory", *REMOTE])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    if request.param == "local":
        return LocalArtifactStore(tmp_path / "store")
    if request.param == "memory":
        return MemoryArtifactStore()
    return open_store(request.getfixturevalue(f"{request.param}_settings"))


@pytest.fixture(params=["local", *REMOTE])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    """A store that outlives its process."""
    if request.param == "local":
        return LocalArtifactStore(tmp_path / "store")
    return open_store(request.getfixturevalue(f"{request.param}_settings"))


def a_file(folder: Path, data: bytes, name: str = "file") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize("data", [b"", b"x", b"x" * 100_000, bytes(range(256))])
def test_what_is_put_is_got(store: ArtifactStore, data: bytes) -> None:
    store.put("runs/r1/a.json", data)
    assert (store.get("runs/r1/a.json"), store.size("runs/r1/a.json")) == (data, len(data))


def test_a_put_replaces(store: ArtifactStore) -> None:
    store.put("a", b"one")
    store.put("a", b"another")
    assert (store.get("a"), store.size("a")) == (b"another", 7)


def test_what_is_not_there(store: ArtifactStore) -> None:
    assert store.size("a/b") is None
    assert (list(store.list("a/")), list(store.names("a/"))) == ([], [])
    store.delete("a/b")
    store.delete("a/")
    with pytest.raises(ObjectMissing):
        store.get("a/b")


def test_a_missing_object_is_not_fetched_nor_copied(kept: ArtifactStore) -> None:
    with pytest.raises(ObjectMissing):
        kept.fetch("a/b")
    with pytest.raises(ObjectMissing):
        kept.copy("a/b", "a/c")


def test_put_if_absent_keeps_what_is_there(store: ArtifactStore) -> None:
    assert store.put_if_absent("a/b", b"one")
    assert not store.put_if_absent("a/b", b"another")
    assert store.get("a/b") == b"one"


def test_of_writers_at_once_one_wins(store: ArtifactStore) -> None:
    written: list[bytes] = []
    start = threading.Barrier(6)

    def write(data: bytes) -> None:
        start.wait()
        if store.put_if_absent("a/lock", data):
            written.append(data)

    writers = [threading.Thread(target=write, args=(b"writer %d" % number,)) for number in range(6)]
    [writer.start() for writer in writers]
    [writer.join() for writer in writers]
    assert written == [store.get("a/lock")]


def test_keys_are_listed_in_order(store: ArtifactStore) -> None:
    keys = ["runs/r1/a", "runs/r1/b/c", "runs/r10/a", "runs/r2/x", "runs2/a"]
    for key in reversed(keys):
        store.put(key, b"x")
    assert list(store.list("")) == keys
    assert list(store.list("runs/")) == keys[:4]
    assert list(store.list("runs/r1/")) == keys[:2]


def test_names_come_once_in_order(store: ArtifactStore) -> None:
    for key in ("runs/r2/a", "runs/r1/a", "runs/r1/b/c", "runs/file", "other"):
        store.put(key, b"x")
    assert list(store.names("runs/")) == ["file", "r1", "r2"]
    assert list(store.names("")) == ["other", "runs"]


def test_delete_one_or_all_below(store: ArtifactStore) -> None:
    for key in ("runs/r1/a", "runs/r1/b/c", "runs/r10/a"):
        store.put(key, b"x")
    store.delete("runs/r1/a")
    assert list(store.list("")) == ["runs/r1/b/c", "runs/r10/a"]
    store.delete("runs/r1/")
    assert list(store.list("")) == ["runs/r10/a"]


def test_copy(store: ArtifactStore) -> None:
    store.put("cache/b", b"old")
    store.put("a", b"new")
    store.copy("a", "cache/b")
    store.put("a", b"newer")
    assert store.get("cache/b") == b"new"


@pytest.mark.parametrize("name", ODD)
def test_keys_of_odd_characters(store: ArtifactStore, name: str) -> None:
    store.put(f"odd/{name}", name.encode())
    assert store.put_if_absent(f"odd/{name}", b"") is False
    store.copy(f"odd/{name}", f"copied/{name}")
    assert (store.get(f"copied/{name}"), store.size(f"odd/{name}")) == (name.encode(), len(name.encode()))
    assert list(store.list("odd/")) == [f"odd/{name}"]
    store.delete("odd/")
    assert store.size(f"odd/{name}") is None


@pytest.mark.parametrize("key", ["", "/a", "a//b", "a/", "a/../b", "./a", "a\0b", "a\ud800"])
def test_what_is_no_key(kept: ArtifactStore, key: str) -> None:
    with pytest.raises((StoreError, UnicodeEncodeError)):
        kept.put(key, b"x")


def test_files_go_in_and_come_out(kept: ArtifactStore, tmp_path: Path) -> None:
    for size in (0, 10, 2_000_000):
        kept.put_file(f"artifacts/{size}", a_file(kept.scratch(), b"x" * size))
        assert kept.fetch(f"artifacts/{size}").read_bytes() == b"x" * size


def test_a_file_of_the_same_size_is_not_put_again(kept: ArtifactStore) -> None:
    kept.put("artifacts/a", b"one")
    kept.put_file("artifacts/a", a_file(kept.scratch(), b"two"))
    assert kept.get("artifacts/a") == b"one"
    kept.put_file("artifacts/a", a_file(kept.scratch(), b"three"))
    assert kept.get("artifacts/a") == b"three"


def test_a_fetched_file_is_what_the_object_is_now(kept: ArtifactStore) -> None:
    kept.put("a/b", b"one")
    assert kept.fetch("a/b").read_bytes() == b"one"
    kept.put("a/b", b"two")
    assert kept.fetch("a/b").read_bytes() == b"two"
    kept.delete("a/b")
    with pytest.raises(ObjectMissing):
        kept.fetch("a/b")


def test_the_settings_open_the_same_store(kept: ArtifactStore) -> None:
    kept.put("a/b", b"x")
    assert open_store(kept.settings).get("a/b") == b"x"
    assert open_store(kept.settings).settings == kept.settings


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None]}, b"x" * 3_000_000, "text" * 1_000_000])
def test_values_are_saved_and_loaded(kept: ArtifactStore, tmp_path: Path, value: Any) -> None:
    assert load(save(value, kept), kept, tmp_path / "inputs") == value


def test_folders_are_saved_and_loaded(kept: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "made/below").mkdir(parents=True)
    a_file(tmp_path / "made/below", b"content")
    again = load(save(tmp_path / "made", kept), kept, tmp_path / "inputs")
    assert (again / "below/file").read_bytes() == b"content"

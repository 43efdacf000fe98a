"""The local store: objects are whole or absent, and a failure is told in words."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.base import ObjectMissing, StoreError
from runner.artifact_store.local import SMALL, STALE, LocalArtifactStore
from runner.artifact_store.stores import open_store

CONTENTS = [b"", b"x", b"x" * SMALL, b"x" * (SMALL + 1), os.urandom(3_000_000)]


def root(store: LocalArtifactStore) -> Path:
    return Path(store.settings["path"])


def leftovers(store: LocalArtifactStore) -> list[str]:
    return os.listdir(root(store) / "tmp") if (root(store) / "tmp").exists() else []


@pytest.mark.parametrize("data", CONTENTS, ids=len)
def test_what_is_put_comes_back(store: LocalArtifactStore, data: bytes) -> None:
    store.put("a/b", data)
    assert store.get("a/b") == data
    assert store.size("a/b") == len(data)
    assert store.fetch("a/b").read_bytes() == data
    assert leftovers(store) == []


@pytest.mark.parametrize("data", CONTENTS, ids=len)
@pytest.mark.parametrize("before", CONTENTS, ids=len)
def test_put_replaces(store: LocalArtifactStore, before: bytes, data: bytes) -> None:
    store.put("a", before)
    store.put("a", data)
    assert store.get("a") == data


@pytest.mark.parametrize("data", CONTENTS, ids=len)
def test_put_if_absent_writes_once(store: LocalArtifactStore, data: bytes) -> None:
    assert store.put_if_absent("a/b", data)
    assert not store.put_if_absent("a/b", b"other")
    assert store.get("a/b") == data


def test_an_absent_object(store: LocalArtifactStore) -> None:
    assert store.size("a/b") is None
    with pytest.raises(ObjectMissing):
        store.get("a/b")
    with pytest.raises(ObjectMissing):
        store.fetch("a/b")


def test_a_folder_is_no_object(store: LocalArtifactStore) -> None:
    store.put("a/b", b"x")
    assert store.size("a") is None


def test_below_an_object_there_is_none(store: LocalArtifactStore) -> None:
    store.put("a", b"x")
    assert store.size("a/b") is None
    with pytest.raises(ObjectMissing):
        store.get("a/b")


@pytest.fixture
def torn(store: LocalArtifactStore) -> LocalArtifactStore:
    """A store in which a process died between creating `a/b` and filling it."""
    Path(store.log_file("a/b")).touch()
    return store


def test_an_empty_leftover_is_absent(torn: LocalArtifactStore) -> None:
    assert torn.size("a/b") is None
    assert list(torn.list("")) == []
    with pytest.raises(ObjectMissing):
        torn.get("a/b")


@pytest.mark.parametrize("data", CONTENTS, ids=len)
def test_a_leftover_is_put_over(torn: LocalArtifactStore, data: bytes) -> None:
    torn.put("a/b", data)
    assert torn.get("a/b") == data


@pytest.mark.parametrize("data", CONTENTS, ids=len)
def test_a_leftover_counts_as_absent(torn: LocalArtifactStore, data: bytes) -> None:
    assert torn.put_if_absent("a/b", data)
    assert torn.get("a/b") == data


def test_put_file_moves(store: LocalArtifactStore) -> None:
    path = store.scratch() / "new"
    path.write_bytes(b"abc")
    store.put_file("a/b", path)
    assert store.get("a/b") == b"abc"
    assert not path.exists()


def test_put_file_leaves_an_object_of_the_same_size(store: LocalArtifactStore, tmp_path: Path) -> None:
    store.put("a", b"abc")
    (tmp_path / "new").write_bytes(b"xyz")
    store.put_file("a", tmp_path / "new")
    assert store.get("a") == b"abc"


def test_put_file_of_nothing(store: LocalArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "new").touch()
    store.put_file("a", tmp_path / "new")
    assert store.get("a") == b""


def test_put_file_from_another_file_system(store: LocalArtifactStore, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "new").write_bytes(b"abc")
    rename = os.replace

    def refuse(source: str, target: str) -> None:
        if source == os.fspath(tmp_path / "new"):
            raise OSError(errno.EXDEV, "another device")
        rename(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    store.put_file("a", tmp_path / "new")
    assert store.get("a") == b"abc"


def test_list_is_in_the_order_of_keys(store: LocalArtifactStore) -> None:
    for key in ("b", "a/z", "a/b/c", "a.txt", "a/e"):
        store.put(key, b"x" if key != "a/e" else b"")
    store.put("big", b"x" * (SMALL + 1))
    assert list(store.list("")) == sorted(["b", "a/z", "a/b/c", "a.txt", "a/e", "big"])
    assert list(store.list("a/")) == ["a/b/c", "a/e", "a/z"]
    assert list(store.list("nothing/")) == []


def test_names_are_the_next_parts(store: LocalArtifactStore) -> None:
    for key in ("runs/r1/a/b", "runs/r2/a", "runs/r1/c"):
        store.put(key, b"x")
    assert list(store.names("runs/")) == ["r1", "r2"]
    assert list(super(LocalArtifactStore, store).names("runs/")) == ["r1", "r2"]


def test_delete_an_object(store: LocalArtifactStore) -> None:
    store.put("a/b", b"x")
    store.delete("a/b")
    store.delete("a/b")
    assert store.size("a/b") is None


def test_delete_a_tree(store: LocalArtifactStore) -> None:
    for key in ("a/b/c", "a/d", "ab"):
        store.put(key, b"x")
    store.delete("a/")
    store.delete("a/")
    assert list(store.list("")) == ["ab"]
    assert leftovers(store) == []


@pytest.mark.parametrize("key", ["", "/a", "a//b", "../a", "a/../b", "a/..", ".", "a/", "a\0b", "tmp/a"])
def test_wrong_keys_are_refused(store: LocalArtifactStore, key: str) -> None:
    with pytest.raises(StoreError, match="is no key"):
        store.put(key, b"x")
    with pytest.raises(StoreError, match="is no key"):
        store.get(key)


def test_a_log_grows_in_place(store: LocalArtifactStore) -> None:
    path = Path(store.log_file("runs/r1/log.txt"))
    with path.open("ab", buffering=0) as log:
        log.write(b"one\n")
        assert store.get("runs/r1/log.txt") == b"one\n"
        log.write(b"two\n")
    assert store.get("runs/r1/log.txt") == b"one\ntwo\n"


def test_open_store_opens_the_same(store: LocalArtifactStore) -> None:
    store.put("a", b"x")
    assert open_store(store.settings).get("a") == b"x"


def test_sweep_removes_what_is_stale(store: LocalArtifactStore) -> None:
    scratch = store.scratch()
    (scratch / "new").write_bytes(b"x")
    (scratch / "old").mkdir()
    (scratch / "old" / "file").write_bytes(b"x")
    before = time.time() - STALE - 60
    os.utime(scratch / "old", (before, before))
    store.sweep()
    assert leftovers(store) == ["new"]


def test_sweep_of_a_store_that_is_not_there(store: LocalArtifactStore) -> None:
    store.sweep()
    assert not root(store).exists()


# -- two at once -------------------------------------------------------------------------------------------------------

RACE = """
import sys, time
from pathlib import Path
from runner.artifact_store.local import LocalArtifactStore
store, size = LocalArtifactStore(Path(sys.argv[1])), int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
for number in range(200):
    if store.put_if_absent(f"a/{number}", sys.argv[2].encode() * size):
        print(number)
"""


@pytest.mark.parametrize("size", [10, SMALL + 1])
def test_of_two_processes_one_wins(store: LocalArtifactStore, size: int) -> None:
    for number in range(0, 200, 2):
        Path(store.log_file(f"a/{number}")).touch()  # every other one is a leftover
    words = [sys.executable, "-c", RACE, str(root(store))]
    racers = {
        name: subprocess.Popen([*words, name, str(size)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name in "xy"
    }
    for racer in racers.values():
        assert racer.stdout and racer.stdout.readline() == "ready\n"
    for racer in racers.values():
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    won = {name: set(racer.communicate()[0].split()) for name, racer in racers.items()}
    assert not won["x"] & won["y"]
    for name, numbers in won.items():
        assert all(store.get(f"a/{number}") == name.encode() * size for number in numbers)
    assert len(won["x"] | won["y"]) == 200


WRITE_FOREVER = """
import sys, itertools
from pathlib import Path
from runner.artifact_store.local import LocalArtifactStore
store = LocalArtifactStore(Path(sys.argv[1]))
print("ready", flush=True)
for number in itertools.count():
    store.put(f"small/{number}", b"x" * 1000)
    store.put(f"large/{number}", b"x" * 100_000)
    store.put("same", b"x" * 1000)
"""


def test_a_killed_writer_leaves_nothing_torn(store: LocalArtifactStore) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITE_FOREVER, str(root(store))], stdout=subprocess.PIPE)
    assert writer.stdout and writer.stdout.readline()
    while store.size("large/20") is None:
        time.sleep(0.001)
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    sizes = {key.partition("/")[0]: store.size(key) for key in store.list("")}
    assert sizes == {"small": 1000, "large": 100_000, "same": 1000}


# -- a system that refuses ---------------------------------------------------------------------------------------------


def refuse(code: int) -> Any:
    def write(*_: Any) -> int:
        raise OSError(code, os.strerror(code))

    return write


@pytest.mark.parametrize("data", [b"x", b"x" * (SMALL + 1)], ids=len)
def test_a_full_disk(store: LocalArtifactStore, monkeypatch: Any, data: bytes) -> None:
    monkeypatch.setattr(os, "write", refuse(errno.ENOSPC))
    with pytest.raises(StoreError, match=r"cannot use 'a/b' .* the disk is full \(\d+ MiB free\)") as caught:
        store.put("a/b", data)
    assert caught.value.help == "make room there, then resume the run"
    assert [path for path in root(store).rglob("*") if path.is_file()] == []


def test_a_write_that_takes_half(store: LocalArtifactStore, monkeypatch: Any) -> None:
    write = os.write
    full = refuse(errno.ENOSPC)
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]) if len(data) > 3 else full())
    with pytest.raises(StoreError, match="the disk is full"):
        store.put("a/b", b"abcdef")
    assert not (root(store) / "a/b").exists()


LIMITED = """
import resource, sys
from pathlib import Path
from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.base import StoreError
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    LocalArtifactStore(Path(sys.argv[1])).put("a/b", b"x" * int(sys.argv[2]))
except StoreError as error:
    print(error.message, error.help)
"""


@pytest.mark.parametrize("size", [1000, 100_000])
def test_a_file_that_may_not_grow(store: LocalArtifactStore, size: int) -> None:
    words = [sys.executable, "-B", "-c", LIMITED, str(root(store)), str(size)]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "larger than this process may write" in printed
    assert "ulimit -f" in printed
    assert store.size("a/b") is None
    assert leftovers(store) == []


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a folder")
    store = LocalArtifactStore(tmp_path / "store")
    with pytest.raises(StoreError, match="a file stands where a folder should be"):
        store.put("a/b", b"x")
    with pytest.raises(StoreError, match="a file stands where a folder should be"):
        store.log_file("a/b")
    assert store.size("a/b") is None


def test_a_folder_where_a_file_should_be(store: LocalArtifactStore) -> None:
    store.put("a/b", b"x")
    with pytest.raises(StoreError, match="a folder where a file should"):
        store.put("a", b"x")
    assert leftovers(store) == []


def test_a_folder_that_is_read_only(store: LocalArtifactStore, monkeypatch: Any) -> None:
    monkeypatch.setattr(os, "open", refuse(errno.EROFS))
    with pytest.raises(StoreError, match="the file system is read-only"):
        store.put("a", b"x")
    with pytest.raises(StoreError, match="the file system is read-only"):
        store.put_if_absent("a", b"x")


def test_a_folder_that_may_not_be_read(store: LocalArtifactStore, monkeypatch: Any) -> None:
    store.put("a/b", b"x")
    monkeypatch.setattr(os, "open", refuse(errno.EACCES))
    with pytest.raises(StoreError, match="permission denied"):
        store.get("a/b")


def test_the_empty_object_of_another_user(store: LocalArtifactStore, monkeypatch: Any) -> None:
    store.put("a", b"")
    monkeypatch.setattr(os, "open", refuse(errno.EACCES))  # what those who are not root are told
    assert not store.put_if_absent("a", b"x")


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "store").symlink_to(tmp_path / "gone" / "far")
    with pytest.raises(StoreError, match="No such file or directory"):
        LocalArtifactStore(tmp_path / "store").put("a/b", b"x")


CALLS: dict[str, Any] = {
    "put_file": lambda store, path: store.put_file("a", path),
    "size": lambda store, path: store.size("a"),
    "fetch": lambda store, path: store.fetch("a"),
    "list": lambda store, path: list(store.list("")),
    "names": lambda store, path: list(store.names("")),
    "delete": lambda store, path: store.delete("a"),
    "delete tree": lambda store, path: store.delete("a/"),
    "scratch": lambda store, path: store.scratch(),
    "log_file": lambda store, path: store.log_file("a/b"),
}


@pytest.mark.parametrize("call", CALLS)
def test_every_method_tells_what_the_system_refused(store: LocalArtifactStore, tmp_path: Path, call: str) -> None:
    (tmp_path / "new").write_bytes(b"x")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("stat", "scandir", "unlink", "replace", "mkdir"):
            patch.setattr(os, name, refuse(errno.EIO))
        with pytest.raises(StoreError, match=r"in the artifact store .*: Input/output error"):
            CALLS[call](store, tmp_path / "new")


def test_a_claim_that_was_lost_is_made_again(store: LocalArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(store.log_file("a/b"))

    def lock(descriptor: int, _: int) -> None:
        monkeypatch.undo()
        path.unlink()  # as another process might, while this one waits for the lock

    monkeypatch.setattr("fcntl.flock", lock)
    assert store.put_if_absent("a/b", b"x")
    assert store.get("a/b") == b"x"


def test_a_new_file_that_another_one_filled(store: LocalArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(store.log_file("a/b"))

    def lock(descriptor: int, _: int) -> None:
        path.write_bytes(b"longer than ours")

    monkeypatch.setattr("fcntl.flock", lock)
    store.put("a/b", b"ours")
    assert store.get("a/b") == b"ours"

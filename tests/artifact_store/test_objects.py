"""Contents under their digests."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.base import StoreError
from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.materializers import save
from runner.artifact_store.objects import (
    LARGE,
    CannotSave,
    Sink,
    file_digest,
    get_buffer,
    object_key,
    put_copy,
    scratch_file,
    type_name,
)

PIECES = [
    [],
    [b""],
    [b"ab", b"c"],
    [b"x" * LARGE],
    [b"x" * (LARGE - 1), b"y", b"z"],
    [b"a", b"b" * (2 * LARGE), b"c"],
    [b"a" * (LARGE // 2)] * 5,
]


@pytest.mark.parametrize("pieces", PIECES, ids=lambda pieces: "+".join(str(len(each)) for each in pieces))
def test_a_sink_keeps_all_pieces_in_order(store: LocalArtifactStore, pieces: list[bytes]) -> None:
    with Sink(store) as sink:
        assert [sink.write(piece) for piece in pieces] == [len(piece) for piece in pieces]
        key, size, digest = sink.close_into_store()
    content = b"".join(pieces)
    assert (size, digest) == (len(content), hashlib.sha256(content).hexdigest())
    assert key == object_key(digest)
    assert store.get(key) == content


def test_a_sink_that_is_left_leaves_nothing(store: LocalArtifactStore) -> None:
    with pytest.raises(ZeroDivisionError), Sink(store) as sink:
        sink.write(b"x" * LARGE)
        assert len(os.listdir(store.scratch())) == 1
        raise ZeroDivisionError
    assert os.listdir(store.scratch()) == []
    assert list(store.list("")) == []


def test_a_file_that_cannot_be_read(store: LocalArtifactStore, tmp_path: Path) -> None:
    with pytest.raises(CannotSave, match="cannot be read"):
        put_copy(str(tmp_path / "gone"), store)
    with pytest.raises(StoreError, match="cannot read"):
        file_digest(tmp_path / "gone")


def test_type_names() -> None:
    assert type_name(1) == "int"
    assert type_name(Path()) in ("pathlib.PosixPath", "pathlib._local.PosixPath")


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOMEM, MemoryError), (errno.ENODEV, StoreError)])
def test_a_content_that_cannot_be_mapped(
    store: LocalArtifactStore, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Exception]
) -> None:
    artifact = save("x" * LARGE, store)

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("mmap.mmap", refuse)
    with pytest.raises(kind, match="map"):
        get_buffer(artifact, store)


def test_without_room_in_scratch(store: LocalArtifactStore) -> None:
    store.scratch().rmdir()
    Path(store.settings["path"], "tmp").touch()
    with pytest.raises(StoreError, match="a file stands where a folder should be"):
        scratch_file(store)

"""Values go into the store and come back, each by its own form."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.base import ObjectMissing, StoreError
from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.materializers import CannotLoad, CannotSave, DigestMismatch, load, save

Go = Callable[[Any], tuple[str, Any]]


@pytest.mark.parametrize("value", ["", "text", "ünï\n\0", "x" * 3_000_000])
def test_text(there_and_back: Go, value: str) -> None:
    assert there_and_back(value) == ("text", value)


def test_text_that_is_no_unicode(there_and_back: Go) -> None:
    assert there_and_back("\ud800") == ("pickle", "\ud800")


@pytest.mark.parametrize("value", [b"", b"x", b"\0" * 3_000_000])
def test_bytes(there_and_back: Go, value: bytes) -> None:
    assert there_and_back(value) == ("bytes", value)


def test_a_bytearray_comes_back_as_bytes(there_and_back: Go) -> None:
    kind, value = there_and_back(bytearray(b"ab"))
    assert (kind, value, type(value)) == ("bytes", b"ab", bytes)


def test_json(there_and_back: Go) -> None:
    value = {"a": [1, 2.5, None, True, {"b": "ü"}], "": []}
    assert there_and_back(value) == ("json", value)


def test_an_artifact_says_what_it_is(store: LocalArtifactStore) -> None:
    artifact = save([1, 2], store)
    assert artifact.digest == hashlib.sha256(b"[1,2]").hexdigest()
    assert artifact.uri == f"artifacts/{artifact.digest[:2]}/{artifact.digest}"
    assert (artifact.type, artifact.size, artifact.python_type, artifact.meta) == ("json", 5, "list", {})


def test_equal_contents_are_one_object(store: LocalArtifactStore) -> None:
    assert save([1, 2], store) == save([1, 2], store)
    assert len(list(store.list(""))) == 1


def test_an_object_that_is_there_is_not_written_again(
    store: LocalArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, large = save("x", store), save("x" * 3_000_000, store)
    monkeypatch.setattr(LocalArtifactStore, "put", None)
    monkeypatch.setattr("os.replace", None)
    assert (save("x", store), save("x" * 3_000_000, store)) == (small, large)


def test_an_object_of_another_size_is_written_again(store: LocalArtifactStore, tmp_path: Path) -> None:
    artifact = save("text", store)
    store.put(artifact.uri, b"te")
    assert load(save("text", store), store, tmp_path) == "text"


@pytest.mark.parametrize(
    "value", [(i for i in ()), threading.Lock(), {"a": threading.Lock()}], ids=lambda v: type(v).__name__
)
def test_a_value_that_cannot_be_saved(store: LocalArtifactStore, value: Any) -> None:
    with pytest.raises(CannotSave, match=r"a value of type '[\w.]+' cannot be saved: cannot pickle") as caught:
        save(value, store)
    assert type(value).__name__ in caught.value.type
    assert caught.value.help and "Path" in caught.value.help
    assert list(store.list("")) == []


def values(tmp_path: Path) -> dict[str, Any]:
    import numpy
    import pandas
    import polars

    (tmp_path / "made").mkdir()
    (tmp_path / "made/file").write_text("content")
    return {
        "json": [1],
        "text": "text",
        "large text": "x" * 2_000_000,
        "bytes": b"bytes",
        "numpy": numpy.arange(3),
        "large numpy": numpy.arange(300_000),
        "pandas": pandas.DataFrame({"a": [1]}),
        "polars": polars.DataFrame({"a": [1]}),
        "file": tmp_path / "made/file",
        "folder": tmp_path / "made",
        "pickle": {1, 2},
    }


KINDS = ["json", "text", "large text", "bytes", "numpy", "large numpy", "pandas", "polars", "file", "folder", "pickle"]


@pytest.mark.parametrize("kind", KINDS)
def test_content_that_changed_is_not_read(store: LocalArtifactStore, tmp_path: Path, kind: str) -> None:
    artifact = save(values(tmp_path)[kind], store)
    path = store.fetch(artifact.uri)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DigestMismatch, match=artifact.uri) as caught:
        load(artifact, store, tmp_path / "in")
    assert caught.value.help and "run the step again" in caught.value.help


@pytest.mark.parametrize("kind", KINDS)
def test_content_that_is_gone(store: LocalArtifactStore, tmp_path: Path, kind: str) -> None:
    artifact = save(values(tmp_path)[kind], store)
    store.delete(artifact.uri)
    with pytest.raises(ObjectMissing):
        load(artifact, store, tmp_path / "in")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_stays_in_scratch(store: LocalArtifactStore, tmp_path: Path, kind: str) -> None:
    save(values(tmp_path)[kind], store)
    assert list(store.scratch().iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_is_the_stores_failure(
    store: LocalArtifactStore, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = values(tmp_path)[kind]

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", refuse)
    monkeypatch.setattr("pyarrow.parquet.write_table", refuse)
    monkeypatch.setattr("polars.DataFrame.write_parquet", refuse)
    with pytest.raises(StoreError, match="the disk is full"):
        save(value, store)
    assert list(store.list("")) == []
    assert list(store.scratch().iterdir()) == []


def test_an_unknown_type(store: LocalArtifactStore, tmp_path: Path) -> None:
    artifact = save(1, store)._replace(type="new")
    with pytest.raises(CannotLoad, match="unknown type 'new'"):
        load(artifact, store, tmp_path)


def test_a_library_that_cannot_read_it(store: LocalArtifactStore, tmp_path: Path) -> None:
    artifact = save(b"no parquet", store)._replace(type="pandas")
    with pytest.raises(CannotLoad, match=r"\(pandas\) cannot be read"):
        load(artifact, store, tmp_path)


def test_saving_imports_nothing_heavy() -> None:
    heavy = "numpy pandas polars pyarrow pydantic cloudpickle dataclasses inspect asyncio tempfile shutil"
    code = f"""
import sys
from pathlib import Path
from runner.artifact_store.ledger import Ledger
from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.materializers import save
print([name for name in "{heavy}".split() if name in sys.modules])
"""
    printed = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed == "[]\n"

"""A short look at an artifact."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.materializers import peek, save


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1]}, '{\n  "a": [\n    1\n  ]\n}'),
        ("some\ntext", "some\ntext"),
        (b"\0ab", "b'\\x00ab'"),
        (numpy.arange(3), "numpy.ndarray 3 int64\n[0 1 2]"),
        (numpy.zeros((2, 1)), "numpy.ndarray 2 × 1 float64\n[[0.]\n [0.]]"),
        (pandas.DataFrame({"a": [1, 2]}), "pandas.DataFrame 2 × 1\n   a\n0  1\n1  2"),
        ((1, 2), "a pickle of tuple, 18 bytes; not opened, because that runs its code"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_type_has_its_look(store: LocalArtifactStore, value: Any, text: str) -> None:
    assert peek(save(value, store), store) == text


def test_files_and_folders(store: LocalArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "made/empty").mkdir(parents=True)
    (tmp_path / "made/a").write_text("abc")
    assert peek(save(tmp_path / "made/a", store), store) == "file a, 3 bytes"
    assert peek(save(tmp_path / "made", store), store).split() == ["folder", "made,", "1", "file", "3", "a", "empty/"]


def test_a_long_one_is_cut(store: LocalArtifactStore) -> None:
    assert peek(save("ü" * 100, store), store, 10) == "üüüüüüüü …"
    assert len(peek(save(list(range(1000)), store), store, 50)) == 50


def test_without_its_library_the_shape_is_told(store: LocalArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = save(pandas.DataFrame({"a": [1, 2]}), store)
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert peek(artifact, store) == "pandas.DataFrame 2 × 1"


def test_an_unknown_type(store: LocalArtifactStore) -> None:
    assert peek(save(1, store)._replace(type="new"), store) == "new, 1 bytes"

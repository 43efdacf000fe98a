"""Data frames come back equal: as Parquet when it holds them, else pickled."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from typing import Any

import numpy
import pandas
import polars
import pytest

from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.materializers import CannotSave, save

Go = Callable[[Any], tuple[str, Any]]
Frame = pandas.DataFrame

PARQUET = {
    "plain": Frame({"a": [1, 2], "b": ["x", None], "c": [1.5, numpy.nan]}),
    "narrow": Frame({"a": numpy.array([1], dtype="u1"), "b": numpy.array([1], dtype="f4")}),
    "empty": Frame(),
    "no rows": Frame({"a": []}),
    "index only": Frame(index=[1, 2]),
    "index": Frame({"a": [1, 2]}, index=pandas.Index([7, 9], name="i")),
    "levels": Frame({"a": [1, 2]}, index=pandas.MultiIndex.from_tuples([(1, "x"), (2, "y")], names=["i", "j"])),
    "number names": Frame([[1, 2]]),
    "named columns": Frame({"a": [1]}).rename_axis(columns="c"),
    "column levels": Frame([[1, 2]], columns=pandas.MultiIndex.from_tuples([("a", 1), ("b", 2)])),
    "times": Frame({"a": pandas.date_range("2020", periods=2, tz="Europe/Berlin")}),
    "dates": Frame({"a": [datetime.date(2020, 1, 1)]}),
    "decimals": Frame({"a": [decimal.Decimal("1.10")]}),
    "categories": Frame({"a": pandas.Categorical(["x"], categories=["y", "x", "z"], ordered=True)}),
    "nullable": Frame({"a": pandas.array([1, None], dtype="Int64")}),
}
PICKLED = {
    "objects of numbers": Frame({"a": pandas.Series([1, 2], dtype=object)}),
    "mixed": Frame({"a": [1, "x"]}),
    "lists": Frame({"a": [[1, 2], [3]]}),
    "dicts": Frame({"a": [{"x": 1}, {"y": 2}]}),
    "number categories": Frame({"a": pandas.Categorical([1], categories=[2, 1])}),
    "complex": Frame({"a": [1j]}),
    "a name twice": Frame([[1, 2]], columns=["a", "a"]),
    "seconds": Frame({"a": numpy.array(["2020-01-01"], dtype="datetime64[s]")}),
}


@pytest.mark.parametrize("name", PARQUET)
def test_pandas_as_parquet(there_and_back: Go, name: str) -> None:
    kind, again = there_and_back(PARQUET[name])
    assert kind == "pandas"
    pandas.testing.assert_frame_equal(again, PARQUET[name], check_freq=False)


@pytest.mark.parametrize("name", PICKLED)
def test_pandas_that_parquet_would_change(there_and_back: Go, name: str) -> None:
    kind, again = there_and_back(PICKLED[name])
    assert kind == "pickle"
    pandas.testing.assert_frame_equal(again, PICKLED[name])


POLARS = {
    "plain": polars.DataFrame({"a": [1, None], "b": ["x", "y"], "c": [[1], [2]]}),
    "empty": polars.DataFrame(),
    "enum": polars.DataFrame({"a": ["x"]}, schema={"a": polars.Enum(["y", "x"])}),
    "category": polars.DataFrame({"a": ["x"]}, schema={"a": polars.Categorical}),
    "array": polars.DataFrame({"a": [[1, 2]]}, schema={"a": polars.Array(polars.Int8, 2)}),
    "struct": polars.DataFrame({"a": [{"x": 1}], "t": [datetime.timedelta(1)]}),
}


@pytest.mark.parametrize("name", POLARS)
def test_polars_as_parquet(there_and_back: Go, name: str) -> None:
    kind, again = there_and_back(POLARS[name])
    assert kind == "polars"
    assert again.schema == POLARS[name].schema
    assert again.equals(POLARS[name])


def test_polars_objects_cannot_be_saved(store: LocalArtifactStore) -> None:
    with pytest.raises(CannotSave, match="DataFrame"):
        save(polars.DataFrame({"a": [object()]}), store)
    assert list(store.scratch().iterdir()) == []


class Special(pandas.DataFrame):
    """A frame with a class of its own."""


def test_a_subclass_is_pickled(there_and_back: Go) -> None:
    kind, again = there_and_back(Special({"a": [1]}))
    assert (kind, type(again).__name__) == ("pickle", "Special")


def test_meta_tells_the_shape(store: LocalArtifactStore) -> None:
    assert save(PARQUET["plain"], store).meta == {"shape": [2, 3]}


def test_without_pyarrow_a_frame_is_pickled(there_and_back: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    assert there_and_back(PARQUET["number names"])[0] == "pickle"

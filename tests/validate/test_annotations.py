"""Values against annotations, and annotations against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Optional, Protocol, TypedDict, TypeVar, Union

import numpy as np
import pandas as pd
import pytest

from runner.document.node import UNKNOWN
from runner.validate.annotations import Misfit, fits, misfit, named, named_value

T = TypeVar("T")
Count = NewType("Count", int)


class Base: ...


class Derived(Base): ...


class Sized(Protocol):
    def size(self) -> int: ...


class Row(TypedDict):
    a: int


TAKEN = [
    (1, int),
    (1, float),
    (0.5, float),
    ("a", str),
    (True, bool),
    (None, None),
    (None, Optional[int]),  # noqa: UP045
    (1, Union[str, int]),  # noqa: UP007
    (1, str | int),
    ([1, 2], list[int]),
    ([], list[int]),
    ([1, "a"], list),
    ([1, 2.5], list[float]),
    ({"a": [1]}, dict[str, list[int]]),
    ({"a": None}, dict[str, Any]),
    ("a", Literal["a", "b"]),
    (1, Annotated[int, "some"]),
    (1, Count),
    ("a.csv", str | Path),
    (UNKNOWN, int),
    # What these make of a plain value is not ours to judge.
    ("a", T),
    ("2027-01-01", Base),
    ([1], tuple[int, ...]),
    ([1], Sequence[int]),
    (1, object),
    (1, Any),
]
REFUSED = [
    ("1", int),
    (1.0, int),
    (True, int),
    (True, float),
    (1, str),
    (1, bool),
    ("true", bool),
    (None, int),
    (1, None),
    (1, list),
    ({}, list[int]),
    ([], dict),
    ("c", Literal["a", "b"]),
    (True, Literal[1]),
    (1, str | None),
    ("1", Annotated[int, "some"]),
    ("1", Count),
    ("a.csv", Path),
]


@pytest.mark.parametrize(("value", "annotation"), TAKEN)
def test_a_value_that_fits(value, annotation):
    assert misfit(value, annotation) is None


@pytest.mark.parametrize(("value", "annotation"), REFUSED)
def test_a_value_that_does_not_fit(value, annotation):
    found = misfit(value, annotation)
    assert found
    assert found.path == ()


def test_the_part_that_does_not_fit_is_found():
    assert misfit({"a": [1, "x"]}, dict[str, list[int]]) == Misfit(("a", 1), "x", int)
    assert misfit([1, "x"], list[int] | None) == Misfit((1,), "x", int)


HANDED_ON = [
    (int, int),
    (int, float),
    (int, complex),
    (bool, int),
    (Derived, Base),
    (Base, Derived),  # it may hold the right one
    (list[int], list[float]),
    (list, list[int]),
    (list[int], Sequence[float]),
    (dict[str, int], Mapping[str, int]),
    (dict[str, int], Iterable[str]),
    (tuple[int, str], tuple[int, str]),
    (tuple[int, ...], tuple[int, int]),
    (tuple[int, int], list[int]),
    (int | None, int),
    (int, int | None),
    (str | int, Sequence | float),
    (Literal["a"], str),
    (str, Literal["a"]),
    (None, Optional[int]),  # noqa: UP045
    (Count, int),
    (int, Count),
    (Annotated[int, "some"], int),
    (Any, int),
    (int, Any),
    (object, int),
    (T, int),
    (Base, Sized),
    (Row, dict[str, int]),
    (dict, Row),
    (Callable[[], int], Callable[[int], int]),
    (Path, str | Path),
    (np.ndarray, np.ndarray),
    (np.int64, int),
    (np.float64, float),
    (pd.DataFrame, Iterable),
]
NOT_HANDED_ON = [
    (float, int),
    (int, str),
    (str, int),
    (str, Path),
    (Path, str),
    (None, int),
    (int, None),
    (list[str], list[int]),
    (list[str], Sequence[int]),
    (dict[str, str], dict[str, int]),
    (dict, list),
    (list, dict),
    (tuple[int, str], tuple[int, int]),
    (tuple[int, int, int], tuple[int, int]),
    (str | bytes, int),
    (Literal["a"], int),
    (int, Literal["a"]),
    (Row, list),
    (Base, int),
    (pd.DataFrame, np.ndarray),
    (pd.Series, pd.DataFrame),
]


@pytest.mark.parametrize(("given", "taken"), HANDED_ON)
def test_a_type_that_may_be_handed_on(given, taken):
    assert fits(given, taken)


@pytest.mark.parametrize(("given", "taken"), NOT_HANDED_ON)
def test_a_type_that_may_not_be_handed_on(given, taken):
    assert not fits(given, taken)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (int, "int"),
        (None, "None"),
        (Any, "Any"),
        (list[int], "list[int]"),
        (Optional[str], "str | None"),  # noqa: UP045
        (dict[str, list[float | None]], "dict[str, list[float | None]]"),
        (tuple[int, ...], "tuple[int, ...]"),
        (Literal["a", 1], "Literal['a', 1]"),
        (Annotated[int, "some"], "int"),
        (pd.DataFrame, "DataFrame"),
        (Sequence[int], "Sequence[int]"),
    ],
)
def test_annotations_are_told_as_they_are_written(annotation, text):
    assert named(annotation) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (True, "bool 'true'"), (1, "int '1'"), ("a", "str 'a'"), ([1], "list"), ({}, "dict")],
)
def test_values_are_told_with_their_type(value, text):
    assert named_value(value) == text


def test_a_long_value_is_cut():
    assert named_value("x" * 100) == f"str '{'x' * 59}…'"


class Unclear(type):
    def __subclasscheck__(cls, other: type) -> bool:
        raise TypeError("ask someone else")


class Odd(metaclass=Unclear): ...


def test_a_class_that_cannot_be_asked_fits() -> None:
    assert fits(Base, Odd)
    assert fits(Odd, Base)


def test_an_alias_stands_for_what_it_names() -> None:
    from typing_extensions import TypeAliasType

    alias = TypeAliasType("alias", int)
    assert misfit(1, alias) is None
    assert misfit("a", alias) is not None

"""Which values are JSON, strictly."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from enum import IntEnum
from typing import Any

import numpy
import pytest

from runner.artifact_store.plain import encode_json


class Color(IntEnum):
    RED = 1


PLAIN = [None, True, 0, -(2**70), 1.5, 1e300, -0.0, "", [], {}, [[]], {"a": {"b": [1, "x", None]}}, [{"a": 1}, [2.0]]]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_plain_values_come_back(value: Any) -> None:
    text = encode_json(value)
    assert text is not None
    assert repr(json.loads(text)) == repr(value)


def test_numbers_that_are_none_come_back() -> None:
    text = encode_json([math.nan, math.inf])
    assert text is not None
    assert repr(json.loads(text)) == "[nan, inf]"


SCALARS = [
    numpy.float64(0.5),
    numpy.float32(0.5),
    numpy.int8(3),
    numpy.bool_(True),
    numpy.str_("x"),
    numpy.uint64(2**63),
]


@pytest.mark.parametrize("value", SCALARS, ids=repr)
def test_scalars_of_numpy_become_python(value: Any) -> None:
    assert encode_json(value) == encode_json(value.item())
    assert encode_json({"a": [value]}) == encode_json({"a": [value.item()]})


def cycle() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


NOT_PLAIN = [
    (1, 2),
    {1, 2},
    b"x",
    {1: 2},
    {None: 1},
    OrderedDict(a=1),
    Color.RED,
    {"a": (1,)},
    [Color.RED],
    1j,
    "\ud800",
    {"\ud800": 1},
    10**5000,
    numpy.datetime64("2020-01-01"),
    numpy.complex64(1),
    numpy.longdouble(1),
    numpy.zeros(2),
    object(),
]


@pytest.mark.parametrize("value", NOT_PLAIN, ids=lambda value: type(value).__name__)
def test_others_are_not(value: Any) -> None:
    assert encode_json(value) is None


def test_nor_is_a_value_that_holds_itself() -> None:
    assert encode_json(cycle()) is None

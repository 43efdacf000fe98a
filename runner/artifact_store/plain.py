"""Which values JSON gives back just as they were, and their JSON."""

from __future__ import annotations

import json
from types import NoneType
from typing import Any

from runner.artifact_store.objects import loaded

_SCALARS = frozenset({str, int, float, bool, NoneType})
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class _NotPlain(Exception):
    """The value is none that JSON gives back."""


def encode_json(value: Any) -> bytes | None:
    """The JSON of a value that comes back equal and of the same types (NumPy scalars as Python's); else None."""
    try:
        return _encode(_plain(value)).encode()
    except (
        _NotPlain,
        RecursionError,
        ValueError,
    ):  # ValueError: a number of thousands of digits, half a surrogate pair
        return None


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _SCALARS:
        return value
    if kind is list:
        return value if _SCALARS.issuperset(map(type, value)) else [_plain(each) for each in value]
    if kind is dict:
        if not all(type(key) is str for key in value):
            raise _NotPlain
        return (
            value
            if _SCALARS.issuperset(map(type, value.values()))
            else {key: _plain(each) for key, each in value.items()}
        )
    return _scalar(value)


def _scalar(value: Any) -> Any:
    numpy = loaded("numpy")
    if numpy is not None and isinstance(value, numpy.generic) and type(value.item()) in _SCALARS:
        return value.item()
    raise _NotPlain

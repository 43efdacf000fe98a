"""Names, sizes of memory, durations: what is read, what is refused, and that it comes back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from runner.spec.common import (
    ENTRYPOINT,
    NAME,
    REFERENCE,
    Duration,
    Integer,
    Memory,
    Spec,
    format_duration,
    format_memory,
    parse_duration,
    parse_memory,
)


class Example(Spec):
    size: int = 1


@pytest.mark.parametrize(
    ("text", "size"),
    [("512MiB", 512 * 2**20), ("8GB", 8 * 10**9), ("1.5GiB", 3 * 2**29), ("0B", 0), ("1PiB", 2**50), ("2KB", 2000)],
)
def test_memory_is_decimal_or_binary(text: str, size: int) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "8", "8 GB", "8gb", "-1GB", "1e3MB", "GB", "8GB\n", "1.GB", "٣GB"])
def test_what_is_no_memory(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse_memory(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("7d", 604800), ("0s", 0), ("0.5s", 0.5), ("1d2h3m4s", 93784)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "5m1h", "1h 30m", "-1s", "1w", "100ms", "10m\n", "٣s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        parse_duration(text)


@given(st.integers(0, 10**11))
def test_memory_comes_back(size: int) -> None:
    assert parse_memory(format_memory(size)) == size


@given(st.integers(0, 10**9), st.integers(0, 999_999))
def test_durations_come_back(seconds: int, micros: int) -> None:
    assert parse_duration(format_duration(seconds + micros / 1e6)) == pytest.approx(seconds + micros / 1e6, abs=2e-6)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0B"), (2_000_000_000, "2GB"), (2**30, "1GiB"), (1536, "1536B"), (2**40, "1TiB")]
)
def test_memory_in_the_largest_unit_that_is_exact(size: int, text: str) -> None:
    assert format_memory(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (5400, "1h30m"), (0.25, "0.25s"), (86460, "1d1m"), (61, "1m1s")]
)
def test_durations_in_few_words(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize("value", [5, 1.5, None, True, ["1GB"]])
def test_a_number_without_its_unit_is_refused(value: object) -> None:
    for kind, name in ((Memory, "memory"), (Duration, "duration")):
        with pytest.raises(ValidationError) as caught:
            TypeAdapter(kind).validate_python(value)
        assert caught.value.errors()[0]["type"] == name


def test_a_whole_float_is_an_integer() -> None:
    kind = TypeAdapter(Integer)
    assert (kind.validate_python(2.0, strict=True), kind.validate_python(3, strict=True)) == (2, 3)
    for wrong in (2.5, True, "2"):
        with pytest.raises(ValidationError):
            kind.validate_python(wrong, strict=True)


@pytest.mark.parametrize(
    ("pattern", "right", "wrong"),
    [
        (NAME, ["a", "load-data_2", "x" * 63], ["", "2a", "-a", "ü", "a.b", "x" * 64, "a b"]),
        (ENTRYPOINT, ["m:f", "a.b_c:d"], ["f", "a/b.py:f", "a.b", ":f", "a::f", "a.:f", "a:f.g"]),
        (REFERENCE, ["load", "split.train"], ["split.", ".train", "a.b.c", "split.2"]),
    ],
)
def test_names(pattern: str, right: list[str], wrong: list[str]) -> None:
    assert all(re.search(pattern, text) for text in right)
    assert not any(re.search(pattern, text) for text in wrong)


def test_a_spec_is_frozen_and_takes_nothing_unknown() -> None:
    with pytest.raises(ValidationError):
        Example().size = 2
    with pytest.raises(ValidationError):
        Example.model_validate({"colour": "green"})
    with pytest.raises(ValidationError):
        Example.model_validate({"size": "2"})

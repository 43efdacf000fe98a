"""Numbers, times and sizes in people's words."""

from __future__ import annotations

from datetime import UTC

import pytest

from runner.report.words import counted, duration, iso, middle, moment, pairs, size, table


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 ms"),
        (0.0124, "12 ms"),
        (0.9996, "1.0 s"),
        (1.25, "1.2 s"),
        (59.96, "1 m 00 s"),
        (125, "2 m 05 s"),
        (3599.7, "1 h 00 m"),
        (3725, "1 h 02 m"),
        (86400 * 3 + 3600 * 4, "3 d 04 h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1234, "1.2 KB"), (999_960, "1.0 MB"), (2 * 10**9, "2.0 GB"), (3 * 10**15, "3.0 PB")],
)
def test_sizes(count: int, words: str) -> None:
    assert size(count) == words


def test_counts() -> None:
    assert [counted(n, "step") for n in (0, 1, 1000)] == ["0 steps", "1 step", "1,000 steps"]


def test_moments() -> None:
    assert moment(0.0, UTC) == "1970-01-01 00:00:00"
    assert moment(None) == "-"


def test_iso_has_milliseconds_and_is_utc() -> None:
    assert iso(1.5) == "1970-01-01T00:00:01.500Z"
    assert iso(None) is None


def test_a_table_has_columns_as_wide_as_their_cells() -> None:
    assert table(("a", "b"), [("long", "1"), ("x", "")]) == "a     b\nlong  1\nx"


def test_pairs_stand_under_each_other() -> None:
    assert pairs({"a": "1", "long": "2"}) == "a     1\nlong  2"


def test_a_column_that_gives_way_is_wrapped_at_words() -> None:
    text = table(("name", "why"), [("a", "because of many words here")], width=26, gives_way=("why",))
    assert text.splitlines()[1:] == ["a     because of many", "      words here"]


def test_a_long_text_is_cut_in_its_middle() -> None:
    assert (middle("abcdefghij", 7), middle("abc", 7)) == ("abc…hij", "abc")

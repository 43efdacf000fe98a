"""Secrets' values kept out of texts, whole and in pieces."""

from __future__ import annotations

import json
import os
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runner.worker.masking import Stream, forms_of, masked

AWKWARD = "p\"s'w\\d é&/\n= 7"


def streamed(forms: set[str], *pieces: bytes) -> bytes:
    stream = Stream()
    stream.add(forms)
    return b"".join([*map(stream.feed, pieces), stream.end()])


@pytest.mark.parametrize(
    "written",
    [
        AWKWARD,
        repr(AWKWARD),
        repr([AWKWARD + '"']),
        str(AWKWARD.encode()),
        json.dumps({"key": AWKWARD}),
        json.dumps(AWKWARD, ensure_ascii=False),
        quote(AWKWARD),
        f"https://user:{quote(AWKWARD, safe='')}@host/",
        quote_plus(AWKWARD),
    ],
)
def test_the_forms_in_which_programs_print_a_value(written: str) -> None:
    assert "***" in (text := masked(written, forms_of(AWKWARD)))
    assert "w" not in text and "d" not in text


def test_each_line_of_a_value_is_masked_and_what_is_short_as_part_of_the_whole() -> None:
    value = "-----BEGIN KEY-----\n  abcdef\nz=\n"
    assert masked("> abcdef <", forms_of(value)) == "> *** <"
    assert masked("z= is short", forms_of(value)) == "z= is short"
    assert masked(f"<{value}>", forms_of(value)) == "<***>"


def test_the_longest_is_masked_and_what_overlaps_too() -> None:
    assert masked("it is hush-hush, or hush", ["hush", "hush-hush"]) == "it is ***, or ***"
    assert masked("abcdefgh", ["abcd", "cdefg"]) == "***h"
    assert masked("abababab!", ["abab"]) == "***!"


def test_text_without_a_secret_is_as_it_was() -> None:
    assert masked("plain", {"hush"}) == "plain" == masked("plain", ())


def test_a_value_that_comes_in_pieces() -> None:
    assert streamed({"hush-hush"}, b"it is hu", b"sh-", b"hush, or hush", b"\n") == b"it is ***, or hush\n"


def test_nothing_is_kept_back_but_what_may_begin_a_value() -> None:
    stream = Stream()
    stream.add({"hush"})
    assert stream.feed(b"progress: 10 %") == b"progress: 10 %"
    assert stream.feed(b" hu") == b" "
    assert stream.feed(b"t") == b"hut"


def test_what_goes_on_without_end_is_not_kept() -> None:
    stream = Stream()
    stream.add({"abab"})
    written = b"".join(stream.feed(b"ab" * 1000) for _ in range(50)) + stream.end()
    assert len(stream.rest) < 4 and written == b"***"


def test_bytes_that_are_no_text_pass_through() -> None:
    assert streamed({"hush"}, b"\xff\x00hush\xfe") == b"\xff\x00***\xfe"


def test_a_value_whose_bytes_are_no_text() -> None:
    assert streamed(forms_of(os.fsdecode(b"pass\xff\xfeword")), b"<pass\xff\xfeword>") == b"<***>"


@given(
    st.lists(st.text("ab\n", min_size=4, max_size=9), min_size=1, max_size=3),
    st.lists(st.text("ab\n-", max_size=12), max_size=8),
)
@example(["abab"], ["aba", "babab", "a"])
def test_in_pieces_or_as_a_whole_the_same_is_masked(values: list[str], pieces: list[str]) -> None:
    forms = set().union(*map(forms_of, values))
    assert streamed(forms, *(piece.encode() for piece in pieces)) == masked("".join(pieces), forms).encode()

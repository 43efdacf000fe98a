"""Plain data as YAML, and texts of documents with fields changed."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from runner.document.read import read_nodes
from runner.document.write import edited, segments, to_manifest, to_yaml

SCALARS = st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(codec="ascii"), max_size=20)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.from_regex("[a-z]{1,8}", fullmatch=True), inner, max_size=3)
    ),
    max_leaves=8,
)


def _printable(value: Any) -> bool:
    return "\\x" not in repr(value) and "\x7f" not in repr(value)


@given(st.dictionaries(st.from_regex("[a-z]{1,8}", fullmatch=True), VALUES.filter(_printable), min_size=1, max_size=4))
def test_what_is_written_reads_back(value: dict[str, Any]) -> None:
    nodes, problems = read_nodes(to_yaml(value), "x.yaml")
    assert problems == []
    assert [node.plain() for node in nodes] == [value]


def test_words_that_older_yaml_takes_for_others_read_back() -> None:
    value = {"a": "on", "b": "no", "c": "1", "d": "0o7", "e": "1e3", "f": "~", "g": "", "h": "${secrets.X}"}
    assert read_nodes(to_yaml(value), "x.yaml")[0][0].plain() == value


@given(st.dictionaries(st.text(max_size=8), st.lists(st.text(max_size=20), max_size=2), min_size=1, max_size=4))
@example({"yes": ["012", "0o7", "1_000", "1:30", "2020-01-01", "1e3", "=", "<<", "-", "\x85", "\u2028", '{"a": "b"}']})
def test_a_manifest_reads_back_in_older_yaml(value: dict[str, Any]) -> None:
    assert yaml.safe_load(to_manifest(value)) == value


@given(st.dictionaries(st.text(max_size=8), VALUES | st.floats(allow_nan=False, allow_infinity=False), max_size=4))
@example({"a": [[], {}, [[1]], [{"b": []}], {"c": {"d": [{}]}}], "e": 1e-07, "f": 1e300, "g": None})
def test_whatever_is_in_a_manifest_reads_back(value: dict[str, Any]) -> None:
    assert yaml.safe_load(to_manifest(value)) == value


def test_a_manifest_has_each_text_in_one_line() -> None:
    assert to_manifest({"command": ["python", "-m", '{"a":"' + "b c " * 100 + '"}']}).count("\n") == 4


def test_an_edit_keeps_comments_and_order() -> None:
    text = "# ours\nkind: orchestrator\nname: k # short\nflavor: kubernetes\nmax_parallel: 4\n"
    assert edited(text, {"max_parallel": 8, "kubernetes_namespace": "ml"}) == (
        "# ours\nkind: orchestrator\nname: k # short\nflavor: kubernetes\nmax_parallel: 8\nkubernetes_namespace: ml\n"
    )
    assert "max_parallel" not in edited(text, {}, ["max_parallel"])


def test_a_file_falls_into_documents_with_their_lines() -> None:
    text = "# first\nkind: a\n--- # second\nkind: b\ntext: |\n  --- no mark\n---\nkind: c"
    assert segments(text) == [(1, "# first\nkind: a\n"), (4, "kind: b\ntext: |\n  --- no mark\n"), (8, "kind: c")]


def test_a_first_mark_begins_no_document_of_its_own() -> None:
    assert [piece for piece in segments("---\nkind: a\n") if piece[1].strip()] == [(2, "kind: a\n")]

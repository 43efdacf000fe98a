"""TOML: tomllib's values, our positions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.document.node import Node
from runner.document.toml import parse_toml

TEXT = (
    '''# a comment with "quotes" and [brackets]
kind = "pipeline"   # behind
when = 2027-01-01T09:00:00Z
[steps.load]
inputs.data = 'x = [1]'
"quoted key".'other' = true
list = [ 1, # one, ] }
  "two", { a = 3, b.c = [4] }, ]
retry = {delay = "3s", max = 1e3}
text = """
first "" line \\""" more"""
[[things]]
a = '''
    + "'''x''''"
    + """
[[things.sub]]
z = 1979-05-27 07:32:00
[[things.sub]]
[things.sub.deep]
y = -0x
""".replace("-0x", "0x1F")
)


def one(text: str) -> Node:
    nodes, problems = parse_toml(text, "f.toml")
    assert problems == []
    return nodes[0]


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("kind",), "kind", '"pipeline"'),
        (("when",), "when", "2027-01-01T09:00:00Z"),
        (("steps", "load"), "load", "load"),
        (("steps", "load", "inputs"), "inputs", "inputs"),
        (("steps", "load", "inputs", "data"), "data", "'x = [1]'"),
        (("steps", "load", "quoted key", "other"), "'other'", "true"),
        (("steps", "load", "list"), "list", "[ 1, # one, ] }"),
        (("steps", "load", "list", 1), None, '"two"'),
        (("steps", "load", "list", 2, "b", "c", 0), None, "4"),
        (("steps", "load", "retry"), "retry", '{delay = "3s", max = 1e3}'),
        (("steps", "load", "retry", "max"), "max", "1e3"),
        (("steps", "load", "text"), "text", '"""'),
        (("things", 0, "a"), "a", "'''x''''"),
        (("things", 0, "sub", 0, "z"), "z", "1979-05-27 07:32:00"),
        (("things", 0, "sub", 1, "deep", "y"), "y", "0x1F"),
    ],
)
def test_where_keys_and_values_stand(path: tuple[str | int, ...], key: str | None, value: str) -> None:
    root = one(TEXT)
    node, lines = root.at(path), TEXT.split("\n")
    assert root.has(path)
    assert lines[node.line - 1][node.column - 1 :][: node.width] == value
    if key:
        assert node.key
        line, column, width = node.key
        assert lines[line - 1][column - 1 :][:width] == key


def test_dates_become_text() -> None:
    assert one("a = 2027-01-01\nb = 09:00:00\nc = 2027-01-01T09:00:00Z").plain() == {
        "a": "2027-01-01",
        "b": "09:00:00",
        "c": "2027-01-01T09:00:00+00:00",
    }


def test_a_table_declared_after_its_subtable_stands_at_its_own_header() -> None:
    assert one("[a.b]\nx = 1\n[a]\ny = 2").at(("a",)).line == 3


def test_an_empty_text_holds_no_document() -> None:
    assert parse_toml("# nothing\n", "f.toml") == ([], [])


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("a = 1\na = 2", "duplicate-key", 2, 1),
        ("[a]\n[a]\n", "duplicate-key", 2, 1),
        ("a = x", "syntax", 1, 5),
        ("a = [1\n", "syntax", 1, 7),
        ("a: 1", "syntax", 1, 2),
        ("a = " + "[" * 5000, "too-deep", 1, 1),
        ("a = " + "[" * 200 + "]" * 200, "too-deep", 1, 1),
        ("a = " + "{a = " * 120 + "1" + "}" * 120, "too-deep", 1, 1),
        ("[" + ".".join("a" * 200) + "]\n", "too-deep", 1, 1),
        ("b = 1\n" + "'a' . " * 1_000_000 + "a = 1\n", "too-deep", 1, 1),
        ("a = [" + "1," * 1_000_001, "too-large", 1, 1),
        ("a = " + "9" * 5000, "syntax", 1, 5005),
    ],
)
def test_what_is_refused_and_where(text: str, code: str, line: int, column: int) -> None:
    nodes, problems = parse_toml(text, "f.toml")
    assert nodes == []
    assert [(p.code, p.position.line, p.position.column) for p in problems] == [(code, line, column)]


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("name = train", 'put text in quotes: "train"'),
        ("name: train", "TOML writes 'key = value'; for YAML name the file .yaml"),
        ('name = "train\n', "a quote that opens on this line is not closed on it"),
        ("a = [1, 2\n", "a bracket that opens above is not closed, or a comma is missing"),
        ("a = 1\na.b = 2", "remove one of them"),
        ("a = \n", None),
    ],
)
def test_help_with_syntax(text: str, help: str | None) -> None:
    assert parse_toml(text, "f.toml")[1][0].help == help


SCALARS = st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs", "Cc"]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab. é'", max_size=4), inner, max_size=3),
    max_leaves=12,
)


def inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {inline(value[key])}" for key in value) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def written(data: dict[str, Any], path: tuple[str, ...] = ()) -> str:
    """Tables with headers outside, inline values inside."""
    lines = [f"[{'.'.join(map(json.dumps, path))}]"] if path else []
    lines += [f"{json.dumps(key)} = {inline(value)}" for key, value in data.items() if not isinstance(value, dict)]
    lines += [written(value, (*path, key)) for key, value in data.items() if isinstance(value, dict)]
    return "\n".join(lines)


def leaves(node: Node) -> Any:
    if isinstance(node.value, dict):
        for key, member in node.value.items():
            yield key, member
            yield from leaves(member)
    elif isinstance(node.value, list):
        for member in node.value:
            yield None, member
            yield from leaves(member)


@given(st.dictionaries(st.text("ab. é'", max_size=4), VALUES, min_size=1, max_size=4))
def test_positions_point_at_the_text_of_keys_and_values(data: dict[str, Any]) -> None:
    text = written(data)
    root, lines = one(text), text.split("\n")
    assert root.plain() == data
    for key, node in leaves(root):
        if key is not None:
            assert node.key
            line, column, width = node.key
            assert lines[line - 1][column - 1 :][:width] == json.dumps(key)
        if not isinstance(node.value, dict | list):
            assert lines[node.line - 1][node.column - 1 :][: node.width] == inline(node.value)


PIECES = st.sampled_from(
    [
        "a",
        "b.c",
        " = ",
        "\n",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        ", ",
        '"',
        "'",
        '"""',
        "'''",
        "1",
        "2027-01-01",
        "# ",
        "\\",
    ]
    + ["true", "\r\n", "\t", "é", "x = 1\n", "[t]\n", "[[t]]\n", "inf"]
)


@given(st.lists(PIECES, max_size=25).map("".join) | st.text())
def test_any_text_gives_nodes_or_problems_but_never_raises(text: str) -> None:
    nodes, problems = parse_toml(text, "f.toml")
    assert len(nodes) + len(problems) <= 1
    assert all(1 <= problem.position.line <= text.count("\n") + 1 for problem in problems)

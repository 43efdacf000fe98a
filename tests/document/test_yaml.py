"""YAML: values by the core schema, positions of everything, and what is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.document.node import UNKNOWN, Node
from runner.document.yaml import parse_yaml, resolve


def one(text: str) -> Any:
    nodes, problems = parse_yaml(text, "f.yaml")
    assert problems == []
    return nodes[0].plain()


def told(text: str) -> list[tuple[str, int, int]]:
    return [(p.code, p.position.line, p.position.column) for p in parse_yaml(text, "f.yaml")[1]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("~", None),
        ("", None),
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("on", "on"),
        ("No", "No"),
        ("tRue", "tRue"),
        ("12", 12),
        ("-012", -12),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2027-01-01", "2027-01-01"),
        ("1.", 1.0),
        (".5", 0.5),
        ("-1e3", -1000.0),
        ("1e", "1e"),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("+1", 1),
        ("-", "-"),
        ("=", "="),
    ],
)
def test_plain_scalars_by_the_core_schema(text: str, value: object) -> None:
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


def test_nan_is_a_number() -> None:
    found = resolve(".nan")
    assert isinstance(found, float) and math.isnan(found)


def test_quoted_and_block_scalars_are_text() -> None:
    assert one("a: \"1\"\nb: 'true'\nc: |\n  1\nd: >-\n  null\n") == {"a": "1", "b": "true", "c": "1\n", "d": "null"}


def test_standard_tags_are_followed() -> None:
    assert one("a: !!str 1\nb: !!float 2\nc: ! 3\nd: !!map {}\ne: !!seq []\nf: !!int 4") == {
        "a": "1",
        "b": 2.0,
        "c": "3",
        "d": {},
        "e": [],
        "f": 4,
    }


def test_a_key_is_its_text() -> None:
    assert one("1: a\nnull: b\n? true\n: c\n'x y': d") == {"1": "a", "null": "b", "true": "c", "x y": "d"}


def test_an_alias_gives_the_anchors_value_where_the_alias_stands() -> None:
    nodes, problems = parse_yaml("a: &x [1, 2]\nb:  *x\n", "f.yaml")
    alias = nodes[0].at(("b",))
    assert (problems, alias.plain(), alias.line, alias.column, alias.width) == ([], [1, 2], 2, 5, 2)
    assert alias.key == (2, 1, 1)


def test_the_place_of_an_anchored_value_is_behind_its_anchor() -> None:
    node = parse_yaml("a: &x !!str word", "f.yaml")[0][0].at(("a",))
    assert (node.column, node.width) == (13, 4)


def test_several_documents_and_none_for_an_empty_one() -> None:
    nodes, _ = parse_yaml("---\na: 1\n---\n---\nb: 2\n...\n", "f.yaml")
    assert [node.plain() for node in nodes] == [{"a": 1}, {"b": 2}]


def test_anchors_belong_to_their_document() -> None:
    assert told("a: &x 1\n---\nb: *x\n") == [("alias", 3, 4)]


def test_a_key_twice_keeps_the_first() -> None:
    nodes, problems = parse_yaml("a: 1\nb: 2\na: 3\n", "f.yaml")
    assert nodes[0].plain() == {"a": 1, "b": 2}
    assert (problems[0].code, problems[0].position.line, problems[0].help) == (
        "duplicate-key",
        3,
        "the first one is at line 1; remove one of them",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("? [a]\n: 1", ("key", 1, 3)),
        ("{? {a: 1} : 2}", ("key", 1, 4)),
        ("a: !python/name:os.system x", ("tag", 1, 4)),
        ("a: !!int x", ("tag", 1, 10)),
        ("a: !!set {x}", ("tag", 1, 4)),
        ("a: {<<: {b: 1}}", ("merge-key", 1, 5)),
        ("a: &x [*x]", ("alias", 1, 8)),
        ("a: *x", ("alias", 1, 4)),
        (f"a: {'9' * 5000}", ("number", 1, 4)),
        ("a: [1", ("syntax", 1, 4)),
        ("a: b: c", ("syntax", 1, 5)),
        ("a: {b: m:f}", ("syntax", 1, 8)),
        ("\ta: 1", ("syntax", 1, 1)),
        ("%YAML 9.9\n---\na: 1", ("syntax", 1, 1)),
    ],
)
def test_what_is_refused_and_where(text: str, expected: tuple[str, int, int]) -> None:
    assert told(text) == [expected]


@pytest.mark.parametrize("text", ["a: !x 1", "a: !x [1]", "a: *x", "a: !!int x", f"a: {'9' * 5000}"])
def test_a_refused_value_gives_no_second_problem_later(text: str) -> None:
    assert parse_yaml(text, "f.yaml")[0][0].plain() == {"a": UNKNOWN}


def test_a_merged_mapping_is_looked_into_although_it_is_refused() -> None:
    nodes, _ = parse_yaml("a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}", "f.yaml")
    assert nodes[0].at(("d",)).plain() == {"b": 3, "c": 2}


def test_reading_goes_on_behind_a_broken_document() -> None:
    nodes, problems = parse_yaml("a: 1\n---\nb: [\n---\nc: {\n---\nd: 2\n", "f.yaml")
    assert [node.plain() for node in nodes] == [{"a": 1}, {"d": 2}]
    assert [p.code for p in problems] == ["syntax", "syntax"]
    assert nodes[1].at(("d",)).line == 7


def test_too_many_broken_documents_end_the_reading() -> None:
    assert len(told("a: [\n---\n" * 1000)) == 20


def test_an_alias_bomb_is_given_up_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    nodes, problems = parse_yaml("\n".join(lines), "f.yaml")
    assert (nodes, [p.code for p in problems]) == ([], ["too-large"])


def test_a_hundred_levels_are_enough() -> None:
    assert told("[" * 100 + "]" * 100) == []
    assert told("[" * 101 + "]" * 101) == [("too-deep", 1, 101)]
    assert told("[" * 100_000) == [("too-deep", 1, 101)]


def test_aliases_cannot_nest_deeper_either() -> None:
    lines = ["a0: &a0 x", *(f"a{n}: &a{n} {'[' * 30}*a{n - 1}{']' * 30}" for n in range(1, 50))]
    assert told("\n".join(lines)) == [("too-deep", 5, 39)]


def test_a_quoted_merge_key_is_a_key_like_others() -> None:
    assert one("'<<': {a: 1}") == {"<<": {"a": 1}}


def test_what_follows_a_document_that_is_too_deep_is_read() -> None:
    assert [node.plain() for node in parse_yaml("[" * 200 + "\n---\na: 1", "f.yaml")[0]] == [{"a": 1}]


def test_the_width_of_a_collection() -> None:
    root = parse_yaml("name: {a: 1}\nlist:\n- x\nopen: [1,\n  2]\n", "f.yaml")[0][0]
    assert [root.at(path).width for path in ((), ("name",), ("list",), ("open",))] == [4, 6, 1, 1]


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("\ta: 1", "indent with spaces: YAML allows no tabs there"),
        ("a: {b: ${c}}", 'put "${…}" in quotes: braces have a meaning of their own in YAML'),
        ("a: {b: m:f}", "inside brackets quote what holds a ':', and put a blank behind the ':' of a key"),
        ("a: @b", "quote a value that starts with '@'"),
        ("a: b: c", "quote a value that holds ': ', or look at the indentation of this line and the one before"),
        ('a: "b', "the quote that opens here is never closed"),
        ("a: 1\nb: [2\nc: 3", "a bracket that opens at line 2 is not closed, or a comma is missing"),
        ("a:\n  b: 1\n c: 2", "look at the indentation of this line and the one before; every key ends in ':'"),
        ("%YAML 9.9\n---\na: 1", None),
        ("a: &x 1\nb: *y", "quote the value when it is text that starts with '*'"),
        ("a: &word 1\nb: *wrod", "did you mean '*word'?"),
    ],
)
def test_help_with_syntax(text: str, help: str | None) -> None:
    assert parse_yaml(text, "f.yaml")[1][0].help == help


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\ufeff\ufffe\uffff"))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=20
)


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def written(value: Any, indent: int = 0) -> str:
    """Block style outside, JSON inside: a YAML text whose tokens are JSON's."""
    if isinstance(value, dict) and value:
        return "".join(f"\n{' ' * indent}{as_json(key)}: {written(value[key], indent + 2)}" for key in value)
    if isinstance(value, list) and value:
        return "".join(f"\n{' ' * indent}- {as_json(element)}" for element in value)
    return as_json(value)


def places(node: Node, path: tuple[str | int, ...] = ()) -> Any:
    yield path, node
    members: Any = ()
    if isinstance(node.value, dict):
        members = node.value.items()
    elif isinstance(node.value, list):
        members = enumerate(node.value)
    for part, member in members:
        yield from places(member, (*path, part))


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4))
def test_positions_point_at_the_text_of_keys_and_values(data: dict[str, Any]) -> None:
    text = written(data)
    nodes, problems = parse_yaml(text, "f.yaml")
    assert (problems, nodes[0].plain()) == ([], data)
    lines = text.split("\n")
    for path, node in places(nodes[0]):
        if node.key:
            line, column, width = node.key
            assert lines[line - 1][column - 1 : column - 1 + width] == as_json(path[-1])
        if not isinstance(node.value, dict | list):
            found = lines[node.line - 1][node.column - 1 : node.column - 1 + node.width]
            assert found == as_json(node.value)


PIECES = st.sampled_from(
    ["a", ": ", "- ", "\n", "  ", "{", "}", "[", "]", ", ", "&x ", "*x ", "!t ", "|", ">", '"', "'", "? ", "#", "---\n"]
    + ["...\n", "\t", "%", "<<: ", "1", "\\", "\r", "é", "@"]
)


@given(st.lists(PIECES, max_size=30).map("".join) | st.text())
def test_any_text_gives_nodes_or_problems_but_never_raises(text: str) -> None:
    nodes, problems = parse_yaml(text, "f.yaml")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert all(1 <= problem.position.line <= len(lines) + 1 for problem in problems)
    assert all(isinstance(node, Node) for node in nodes)

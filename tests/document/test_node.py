"""The tree of a document: paths, positions, plain values."""

from __future__ import annotations

import copy

from runner.document.node import UNKNOWN, Document, Node, planted
from runner.errors import Position

TREE = Node(
    {
        "name": Node("train", 1, 7, 5, (1, 1, 4)),
        "steps": Node([Node(1, 3, 5), Node({"a": Node(None, 4, 8, 1, (4, 5, 1))}, 4, 5)], 3, 3, 1, (2, 1, 5)),
    },
    1,
    1,
    4,
)


def test_plain_is_the_value_without_positions() -> None:
    assert TREE.plain() == {"name": "train", "steps": [1, {"a": None}]}


def test_at_follows_keys_and_indices() -> None:
    assert TREE.at(("steps", 1, "a")).line == 4


def test_at_stops_at_the_deepest_node_that_exists() -> None:
    assert TREE.at(("steps", 1, "b", "c")) is TREE.at(("steps", 1))


def test_has_asks_for_the_whole_path() -> None:
    assert TREE.has(("steps", 0))
    assert not TREE.has(("steps", 2))
    assert not TREE.has(("name", "x"))
    assert TREE.has(())


def test_a_document_tells_kind_and_name_when_they_are_text() -> None:
    document = Document("f.yaml", TREE, "")
    assert (document.kind, document.name) == (None, "train")


def test_the_position_of_a_value_and_of_its_key() -> None:
    document = Document("f.yaml", TREE, "")
    assert document.position(("name",)) == Position("f.yaml", 1, 7, 5)
    assert document.position(("name",), key=True) == Position("f.yaml", 1, 1, 4)


def test_the_root_has_no_key_so_its_own_place_is_given() -> None:
    assert Document("f.yaml", TREE, "").position((), key=True) == Position("f.yaml", 1, 1, 4)


def test_planted_values_stand_where_they_were_filled_in() -> None:
    node = planted({"a": [1, 2]}, Node("${parameters.x}", 7, 3, 15, (7, 1, 1)))
    assert node.plain() == {"a": [1, 2]}
    assert (node.at(("a", 1)).line, node.at(("a", 1)).column, node.key) == (7, 3, (7, 1, 1))


def test_a_node_shows_its_value_and_place() -> None:
    assert repr(TREE.at(("name",))) == "Node('train', 1, 7, 5, (1, 1, 4))"


def test_there_is_one_unknown() -> None:
    assert copy.deepcopy({"a": UNKNOWN})["a"] is UNKNOWN
    assert copy.copy(UNKNOWN) is UNKNOWN
    assert repr(UNKNOWN) == "UNKNOWN"

"""The order of steps."""

from __future__ import annotations

import pytest

from runner.plan.graph import ancestors, descendants, select, waves

DIAMOND = {"join": ["left", "right"], "left": ["start"], "right": ["start"], "start": [], "alone": []}


def test_waves_are_counted_from_what_a_step_needs():
    assert waves(DIAMOND) == {"start": 1, "alone": 1, "left": 2, "right": 2, "join": 3}


def test_within_a_wave_the_order_is_as_written():
    assert list(waves({"b": ["z"], "a": ["z"], "z": [], "y": []})) == ["z", "y", "b", "a"]


def test_the_longest_way_counts():
    assert waves({"a": [], "b": ["a"], "c": ["a", "b"]})["c"] == 3


def test_needed_twice_is_needed_once():
    assert waves({"a": [], "b": ["a", "a"]}) == {"a": 1, "b": 2}


def test_names_that_are_no_steps_do_not_count():
    assert waves({"a": ["elsewhere"]}) == {"a": 1}


def test_a_cycle_is_told():
    with pytest.raises(ValueError, match="a cycle among: a, b"):
        waves({"a": ["b"], "b": ["a"], "c": []})


def test_a_chain_of_any_length():
    chain = {str(number): [str(number - 1)] for number in range(50_000)}
    assert waves(chain)["49999"] == 50_000
    assert len(ancestors(chain, ["49999"])) == 50_000


def test_ancestors_and_descendants():
    assert ancestors(DIAMOND, ["left"]) == {"left", "start"}
    assert descendants(DIAMOND, ["left"]) == {"left", "join"}
    assert ancestors(DIAMOND, ["nobody"]) == set()


def test_select():
    assert select(DIAMOND) == set(DIAMOND)
    assert select(DIAMOND, only=["left", "alone"]) == {"left", "alone"}
    assert select(DIAMOND, from_=["left"]) == {"left", "join"}
    assert select(DIAMOND, to=["left"]) == {"start", "left"}


def test_select_between():
    assert select(DIAMOND, from_=["start"], to=["left"]) == {"start", "left"}
    assert select(DIAMOND, from_=["join"], to=["start"]) == set()

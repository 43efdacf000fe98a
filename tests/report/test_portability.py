"""One pipeline on all flavors, as text and as JSON."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from runner.errors import Position, Problem
from runner.report.portability import portability_json, portability_text


class Row(NamedTuple):
    steps: tuple[str, ...]
    setting: tuple[str, ...]
    value: Any
    cells: tuple[str, ...]


STEPS = ("a", "b", "c", "d", "e")
ROWS = [
    Row(("a",), ("resources", "disk"), 10**10, ("no", "native")),
    Row(STEPS, ("timeout",), 600.0, ("runner", "worker")),
    Row(STEPS[:4], ("retry",), {"max_retries": 1}, ("runner", "native")),
    Row(("a",), ("resources", "cpu_count"), 0.5, ("runner", "native")),
    Row(("a",), ("settings", "big", "pool"), "x", ("-", "yes")),
]
REFUSED = {"small": [Problem(Position("p.yaml", 3, 5), "cannot-honour", "step 'a' sets disk", "leave it out")]}


def told() -> list[str]:
    return portability_text("p", ("small", "big"), ROWS, STEPS, REFUSED).splitlines()


def test_settings_stand_under_their_steps_those_of_all_steps_first() -> None:
    assert told()[:9] == [
        "setting                small   big",
        "all steps",
        "  timeout 10m          runner  worker",
        "a",
        "  disk 10GB            no      native",
        "  cpu_count 0.5        runner  native",
        "  big.pool             -       yes",
        "a, b and 2 more steps",
        "  retry 1 time         runner  native",
    ]


def test_refusals_have_their_positions_and_the_able_are_named_last() -> None:
    assert told()[-4:] == ["refused", "  p.yaml:3:5: step 'a' sets disk", "", "flavors that honour all of 'p': big"]


def test_a_pipeline_that_sets_nothing() -> None:
    text = portability_text("p", ("small",), [], STEPS, {})
    assert text == "pipeline 'p' sets nothing that flavors differ in\n\nflavors that honour all of 'p': small"


def test_as_json() -> None:
    facts = json.loads(portability_json("p", ("small", "big"), ROWS[:1], STEPS, REFUSED))
    assert facts["settings"] == [
        {
            "steps": ["a"],
            "setting": "resources.disk",
            "value": 10**10,
            "flavors": {"small": "no", "big": "native"},
        }
    ]
    assert facts["refused"]["big"] == []
    assert (facts["refused"]["small"][0]["line"], facts["refused"]["small"][0]["help"]) == (3, "leave it out")

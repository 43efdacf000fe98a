"""Flavors as tables."""

from __future__ import annotations

from typing import Any

from runner.report.flavors import flavor_text, flavors_text

FACTS: dict[str, Any] = {
    "help": "Runs things.",
    "available": True,
    "compiles": True,
    "traits": {"setup": "none", "scale": "one", "cost": "free", "monitoring": "eyes"},
    "settings": {
        "size": {"type": "whole number", "required": False, "default": 1, "description": "How large."},
        "place": {"type": "text", "required": True, "description": "Where."},
        "tags": {"type": "list", "required": False, "default": []},
        "fast": {"type": "true or false", "required": False, "default": False},
    },
    "step_settings": {},
    "capabilities": {"schedule": "native", "retry": "controller", "memory": "worker", "gpu": "no", "when": "no"},
    "not_yet": ["schedule", "when"],
}


def test_a_column_a_flavor_and_a_row_a_capability() -> None:
    lines = flavors_text({"mine": FACTS}).splitlines()
    assert lines[:6] == [
        "          mine",
        "schedule  later",
        "retry     runner",
        "memory    worker",
        "gpu       no",
        "when      no",
    ]
    assert "mine    now   none    one    free  eyes" in lines


def test_only_words_that_stand_in_the_table_are_explained() -> None:
    assert "the engine itself does it" not in flavors_text({"mine": FACTS})
    assert "not yet" not in flavors_text({"mine": FACTS})


def test_what_cannot_run_yet_says_so() -> None:
    pending = FACTS | {"available": False}
    assert "not yet: `validate` and `plan` know it" in flavors_text({"mine": pending})
    assert "cannot run anything on it yet" in flavor_text("mine", pending)


def test_one_flavor_shows_required_settings_first() -> None:
    lines = flavor_text("mine", FACTS).splitlines()
    assert lines[3:8] == [
        "name   type           default   meaning",
        "place  text           required  Where.",
        "size   whole number   1         How large.",
        "tags   list           -",
        "fast   true or false  false",
    ]


def test_who_does_what_in_plain_words() -> None:
    text = flavor_text("mine", FACTS)
    for line in ("schedule    not supported yet", "retry       runner", "gpu         not supported"):
        assert line in text.splitlines()

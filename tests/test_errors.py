"""Positions, problems, exit codes, and the nearest word."""

from __future__ import annotations

import pytest

from runner import errors
from runner.errors import CannotPlan, InvalidDocuments, Position, Problem, RunnerError, nearest

LATER = Problem(Position("b.yaml", 1, 1), "unknown-key", "second")
SOONER = Problem(Position("a.yaml", 9, 1), "unknown-key", "first")


def test_a_position_reads_as_editors_write_it() -> None:
    assert str(Position("stacks/prod.yaml", 12, 11, 9)) == "stacks/prod.yaml:12:11"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("RunnerError", 70),
        ("UsageError", 64),
        ("EngineError", 5),
        ("StateError", 5),
        ("RunFailed", 1),
        ("Interrupted", 130),
    ],
)
def test_each_error_has_its_exit_code(name: str, code: int) -> None:
    error = getattr(errors, name)("what", "what next")
    assert (error.exit_code, error.message, error.help, str(error)) == (code, "what", "what next", "what")


def test_help_may_be_left_out() -> None:
    assert RunnerError("what").help is None


def test_problems_stand_in_the_order_of_their_positions() -> None:
    error = InvalidDocuments(iter([LATER, SOONER]), {"a.yaml": "text"})
    assert (error.problems, error.sources, error.exit_code) == ((SOONER, LATER), {"a.yaml": "text"}, 3)


@pytest.mark.parametrize(("problems", "text"), [([SOONER], "1 problem found"), ([SOONER, LATER], "2 problems found")])
def test_problems_are_counted(problems: list[Problem], text: str) -> None:
    error = CannotPlan(problems)
    assert (error.message, error.exit_code, error.sources) == (text, 4, {})


@pytest.mark.parametrize(
    ("word", "found"),
    [("kuberntes", "kubernetes"), ("max-parallel", "max_parallel"), ("MaxParallel", "max_parallel"), ("xyz", None)],
)
def test_the_nearest_word_whatever_its_case_and_dashes(word: str, found: str | None) -> None:
    assert nearest(word, ["kubernetes", "max_parallel"]) == found


def test_nothing_is_near_when_nothing_is_known() -> None:
    assert nearest("a", iter(())) is None


def test_everything_public_is_there() -> None:
    assert all(hasattr(errors, name) for name in errors.__all__)

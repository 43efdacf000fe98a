"""What an orchestrator raises: its author's when it is the user's, ours when it is built in."""

from __future__ import annotations

import json

import pytest

from runner.errors import EngineError, UsageError
from runner.orchestrators.blame import LONGEST, blamed, in_words, place_of
from runner.orchestrators.flavors.local.orchestrator import LocalOrchestrator


class Own:
    pass


def test_an_exception_of_the_users_class_is_an_engine_error_with_its_line() -> None:
    with pytest.raises(EngineError, match="flavor 'own' raised ZeroDivisionError: division by zero") as caught:
        with blamed(Own, "own"):
            _ = 1 / 0
    assert caught.value.help is not None and caught.value.help.startswith(f"look at {__file__}:")


def test_one_of_a_built_in_class_is_a_bug_of_ours() -> None:
    with pytest.raises(ZeroDivisionError), blamed(LocalOrchestrator, "local"):
        _ = 1 / 0


def test_an_error_that_is_told_well_already_stays_as_it_is() -> None:
    with pytest.raises(UsageError, match="no"), blamed(Own, "own"):
        raise UsageError("no")


def test_the_line_is_the_authors_and_not_a_librarys() -> None:
    try:
        json.loads("{")
    except ValueError as error:
        assert place_of(error).endswith(", in test_the_line_is_the_authors_and_not_a_librarys")


def test_words_have_an_end() -> None:
    assert in_words(KeyError()) == "KeyError"
    assert len(in_words(ValueError("x" * 10_000))) == LONGEST + 1

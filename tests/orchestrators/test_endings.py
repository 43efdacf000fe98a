"""What the ends of containers have in common."""

from __future__ import annotations

import pytest

from runner.orchestrators.endings import is_for_the_engine, was_starved, without_result
from runner.records import Failure, StepResult


def failed(reason: str, type: str = "") -> StepResult:
    return StepResult("r1", "a", 1, "failed", 1.0, 2.0, error=Failure(reason, "words", type))


@pytest.mark.parametrize(
    ("code", "said", "reason"),
    [
        (74, "error: the store is away", "store"),
        (137, "", "killed"),
        (1, "/usr/bin/python: No module named runner", "image"),
        (1, "No module named 'runner.worker'", "image"),
        (1, "No module named 'runners'", "exit"),
        (0, "", "exit"),
    ],
)
def test_what_an_exit_code_and_the_last_line_come_to(code: int, said: str, reason: str) -> None:
    found, message = without_result(code, said)
    assert found == reason and (said in message)


def test_what_only_an_engine_can_know() -> None:
    assert is_for_the_engine(None) and is_for_the_engine(failed("signal"))
    assert not is_for_the_engine(failed("exception", "ValueError"))
    assert was_starved(failed("out-of-memory")) and not was_starved(None)

"""Why an attempt ended, from what the engine and the ledger tell."""

from __future__ import annotations

from typing import Any

import pytest

from runner.orchestrators.flavors.local_docker.endings import Ending, told
from runner.records import REASONS, Failure, StepResult


def result(status: str = "failed", reason: str = "exception", type: str = "") -> StepResult:
    error = None if status == "succeeded" else Failure(reason, "words", type)
    return StepResult("r1", "a", 1, status, 1.0, 2.0, error=error)


def ending(**known: Any) -> Ending:
    found = Ending(64 * 1024**2)
    vars(found).update(known)
    return found


@pytest.mark.parametrize(
    ("known", "left", "reason"),
    [
        ({"code": 7}, None, "exit"),
        ({"code": 74}, None, "store"),
        ({"code": 137}, None, "killed"),
        ({"code": 137, "oom": True}, None, "out-of-memory"),
        ({"oom": True}, result(reason="signal"), "out-of-memory"),
        ({}, result(reason="out-of-memory"), "out-of-memory"),
        ({"signal": "9", "code": 137}, None, "killed"),
        ({"signal": "15", "code": 1}, result(reason="signal"), "killed"),
        ({"gone": True}, None, "killed"),
        ({"refused": ("image", "no such image")}, None, "image"),
        ({"reason": "timeout", "code": 137}, None, "timeout"),
    ],
)
def test_reasons(known: dict[str, Any], left: StepResult | None, reason: str) -> None:
    found = told("a", 1, ending(**known), left, "")
    assert (found.reason, found.reason in REASONS) == (reason, True)


def test_a_failure_of_the_steps_own_code_stays_what_it_is() -> None:
    left = result(reason="exception", type="CalledProcessError")
    found = told("a", 1, ending(oom=True, code=1), left, "")
    assert (found.reason, found.result) == ("", left)


def test_a_success_is_a_success_however_its_container_ended() -> None:
    left = result("succeeded")
    assert told("a", 1, ending(code=137, signal="9"), left, "").result == left


def test_the_last_line_says_why_nothing_was_left() -> None:
    found = told("a", 1, ending(code=1), None, "last words")
    assert found.message.endswith("exit code 1 and left no result: last words")


def test_an_image_without_the_runner() -> None:
    found = told("a", 1, ending(code=1), None, "/usr/bin/python: No module named runner")
    assert found.reason == "image" and "write `base` in place of `image`" in found.message

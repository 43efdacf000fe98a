"""A step's retries as the engines count them, and those that they cannot do."""

from __future__ import annotations

from typing import Any

import pytest

from runner.orchestrators.kfp.retries import refusals, retry_policy
from runner.plan.deployment import DeployedStep

RETRY = {"max_retries": 3, "delay": 1.0, "backoff": 2.0, "max_delay": 300.0}


def refused(longest: int = 3600, whole: bool = False, **fields: Any) -> list[tuple[str, str]]:
    found = list(refusals(DeployedStep("a", "m:f", retry=RETRY | fields), longest, whole=whole))
    return [(refusal.path[-1], refusal.code) for refusal in found]


def test_the_four_numbers() -> None:
    assert retry_policy(RETRY, 3600) == {
        "maxRetryCount": 3,
        "backoffDuration": "1s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": "3600s",
    }


@pytest.mark.parametrize("retry", [None, RETRY | {"max_retries": 0}])
def test_no_retries_are_no_policy(retry: dict[str, Any] | None) -> None:
    assert retry_policy(retry, 3600) == {}
    assert list(refusals(DeployedStep("a", "m:f", retry=retry), 3600, whole=True)) == []


def test_waits_are_whole_seconds_and_never_less() -> None:
    assert retry_policy(RETRY | {"delay": 0.2}, 3600)["backoffDuration"] == "1s"
    assert retry_policy(RETRY | {"delay": 0.0}, 3600)["backoffDuration"] == "0s"


def test_waits_that_are_all_as_long_as_they_may_be_do_not_grow() -> None:
    policy = retry_policy(RETRY | {"delay": 300.0}, 3600)
    assert (policy["backoffDuration"], policy["backoffFactor"]) == ("300s", 1.0)
    assert refused(delay=300.0) == []


def test_a_wait_beyond_max_delay_is_refused() -> None:
    assert refused(max_retries=9) == []  # the last one is 256 s
    assert refused(max_retries=10) == [("max_delay", "cannot-honour")]
    assert refused(max_retries=1000, backoff=1000.0) == [("max_delay", "cannot-honour")]


def test_a_part_of_a_factor_is_refused_where_the_engine_has_whole_ones() -> None:
    assert refused(backoff=1.5) == []
    assert refused(backoff=1.5, whole=True) == [("backoff", "cannot-honour")]
    assert refused(backoff=1.5, max_retries=1, whole=True) == []


def test_waits_beyond_the_time_for_retries_are_refused() -> None:
    assert refused(delay=1200.0, max_delay=1200.0) == []
    assert refused(delay=1201.0, max_delay=1201.0) == [("max_retries", "cannot-honour")]

"""A step's `retry` as the engines' retry policy.

The document's `backoffMaxDuration` is the time in which a task is tried again at all, not the longest wait: neither
engine has a word for that. Kubeflow hands the four numbers to Argo, which takes whole seconds and whole factors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from runner.orchestrators.base import Refusal
from runner.plan.deployment import DeployedStep
from runner.spec.common import format_duration


def retry_policy(retry: Mapping[str, Any] | None, longest: int) -> dict[str, Any]:
    """The policy, empty for none. `longest` is how many seconds after its first attempt a task may be tried again."""
    if not retry or not retry["max_retries"]:
        return {}
    delay, factor = _waits(retry)
    return {
        "maxRetryCount": retry["max_retries"],
        "backoffDuration": f"{delay}s",
        "backoffFactor": factor,
        "backoffMaxDuration": f"{longest}s",
    }


def refusals(step: DeployedStep, longest: int, *, whole: bool) -> Iterator[Refusal]:
    """What of a step's `retry` the engine would do otherwise. With `whole` it counts in whole factors."""
    retry = step.retry
    if not retry or not retry["max_retries"]:
        return
    delay, factor = _waits(retry)
    last, total = _last_and_total(delay, factor, retry["max_retries"])
    if factor > 1 and last > max(retry["max_delay"], delay):
        yield Refusal(
            ("steps", step.name, "retry", "max_delay"),
            "cannot-honour",
            f"step '{step.name}' would wait longer than its max_delay {format_duration(retry['max_delay'])} before "
            f"retry {retry['max_retries']}, and the engine's waits have no upper bound",
            "set fewer max_retries, a smaller backoff, or a delay as long as max_delay",
        )
    elif whole and factor != int(factor):
        yield Refusal(
            ("steps", step.name, "retry", "backoff"),
            "cannot-honour",
            f"step '{step.name}' sets backoff {factor:g}, and the engine multiplies its waits by whole numbers",
            f"set {math.ceil(factor)}",
        )
    elif total > longest:
        yield Refusal(
            ("steps", step.name, "retry", "max_retries"),
            "cannot-honour",
            f"step '{step.name}' would wait longer between its attempts than the {format_duration(longest)} in which "
            "the engine tries a task again",
            "set fewer max_retries, or a smaller delay",
        )


def _last_and_total(delay: int, factor: float, count: int) -> tuple[float, float]:
    """The last of so many waits, and all of them together; beyond some 30,000 years it is not counted on."""
    last, total = float(delay), float(delay)
    for _ in range(count - 1):
        last *= factor
        total += last
        if last > 1e12:
            break
    return last, total


def _waits(retry: Mapping[str, Any]) -> tuple[int, float]:
    """The first wait in whole seconds, never less than what was asked for, and what each next one is multiplied by."""
    if retry["max_retries"] == 1 or retry["delay"] >= retry["max_delay"]:
        return math.ceil(min(retry["delay"], retry["max_delay"])), 1.0
    return math.ceil(retry["delay"]), float(retry["backoff"])

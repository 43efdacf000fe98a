"""Why a cluster did not take a pod, and for how long it is asked again."""

from __future__ import annotations

import pytest

from runner.orchestrators.cluster_api import Refused
from runner.orchestrators.flavors.kubernetes.admission import PATIENCE, patience, reason_of
from runner.records import REASONS

QUOTA = 'pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1'


@pytest.mark.parametrize(
    ("status", "word", "message", "reason", "seconds"),
    [
        (403, "Forbidden", QUOTA, "quota", 7.0),
        (403, "Forbidden", 'pods "a" is forbidden: violates PodSecurity "restricted"', "forbidden", 0.0),
        (422, "Invalid", 'Pod "a" is invalid: spec.containers[0].image: Required value', "engine", 0.0),
        (409, "Taken", "there is a pod 'a' already", "engine", 0.0),
        (409, "AlreadyExists", 'pods "a" already exists', "engine", PATIENCE),
        (409, "Conflict", 'Operation cannot be fulfilled on resourcequotas "q"', "engine", PATIENCE),
        (429, "TooManyRequests", "too many requests", "engine", PATIENCE),
        (500, "InternalError", "failed calling webhook", "engine", PATIENCE),
        (0, "", "the cluster does not answer", "engine", PATIENCE),
    ],
)
def test_reasons_and_patience(status: int, word: str, message: str, reason: str, seconds: float) -> None:
    error = Refused(message, status, word)
    assert (reason_of(error), patience(error, 7.0)) == (reason, seconds)
    assert reason in REASONS

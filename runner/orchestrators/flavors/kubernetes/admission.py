"""Why a cluster did not take a pod, and whether it may later. Pure."""

from __future__ import annotations

from runner.orchestrators.cluster_api import Refused

PATIENCE = 300.0  # seconds that a cluster may answer nothing, or nonsense, before an attempt is given up
_PASSING = (0, 401, 429, 500, 502, 503, 504)


def reason_of(error: Refused) -> str:
    """A key of REASONS."""
    if _is_quota(error):
        return "quota"
    return "forbidden" if error.status == 403 else "engine"


def patience(error: Refused, startup: float) -> float:
    """Seconds that it is worth to ask again; `startup` are those that a pod may take to start."""
    if _is_quota(error):
        return startup  # other pods end, and make room
    if error.status in _PASSING or error.reason in ("Conflict", "AlreadyExists"):
        return PATIENCE
    return 0.0


def _is_quota(error: Refused) -> bool:
    return error.status == 403 and "exceeded quota" in error.message

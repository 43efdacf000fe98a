"""Why a run's controller does not start, in the cluster's own words, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.errors import EngineError
from runner.orchestrators.cluster_api import Cluster, Object, Refused
from runner.orchestrators.flavors.kubernetes.status import Pod, wait_of

PATIENCE = 15.0  # seconds that a trouble may last which often passes by itself
_HELP = {
    "image": "can nodes reach its registry, and log in to it (image_pull_secrets)? `runner build --push` puts it there",
    "config": "mend what the message names",
    "unschedulable": "look at the nodes: kubectl describe nodes",
    "container": "look at it: kubectl describe pod",
}
_QUOTA = "raise the namespace's quota, or wait until others have ended"
_ACCOUNT = "make the service account that the stack names, or leave service_account_name out"
_WAITS = "the Job waits, and starts when that is mended; `runner runs cancel` removes it"


def of_pod(pod: Pod, waited: float, startup_timeout: float) -> EngineError | None:
    """What keeps a controller's pod from starting, when it has waited long enough for that: seconds."""
    wait = wait_of(pod)
    patience = PATIENCE if wait.reason in ("image", "config") else startup_timeout
    if not wait.hopeless and waited < patience:
        return None
    message = f"the run's controller cannot start: {wait.message}"
    return EngineError(message, f"{_HELP.get(wait.reason, _HELP['container'])}; {_WAITS}")


def of_job(cluster: Cluster, job: str, waited: float, startup_timeout: float) -> EngineError | None:
    """Why a Job has no pod, as its events tell."""
    try:
        events, _ = cluster.list("events", fields=f"involvedObject.kind=Job,involvedObject.name={job}")
    except Refused:
        events = []  # not everybody may read them
    failed = [each for each in events if each.get("type") == "Warning" and each.get("message")]
    if failed:
        message = str(max(failed, key=_when)["message"])
        account = "serviceaccount" in message.replace(" ", "").lower()
        help = _QUOTA if "quota" in message else _ACCOUNT if account else f"look at it: kubectl describe job {job}"
        return EngineError(f"the run's controller cannot start: {message}", f"{help}; {_WAITS}")
    if waited < startup_timeout:
        return None
    return EngineError(
        f"the run's controller does not start: the cluster makes no pod for Job '{job}'",
        f"look at it: kubectl describe job {job}; {_WAITS}",
    )


def over(job: Object) -> tuple[str, str]:
    """Complete or Failed, and why, when a Job is over; empty before."""
    for each in (job.get("status") or {}).get("conditions") or ():
        if each.get("type") in ("Complete", "Failed") and each.get("status") == "True":
            return str(each["type"]), str(each.get("message") or each.get("reason") or "")
    return "", ""


def _when(event: Mapping[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")

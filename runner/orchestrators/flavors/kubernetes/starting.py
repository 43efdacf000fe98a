"""Why a run's controller does not start, in the cluster's own words, and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from runner.errors import EngineError
from runner.orchestrators.cluster_api import Cluster, Object, Refused
from runner.orchestrators.flavors.kubernetes.status import Pod, wait_of

LEFT = 143  # how a controller ends that was told to leave
_ERROR = re.compile(r"^error: (?P<error>.*?)(?:\n *help: (?P<help>.*))?\Z", re.DOTALL | re.MULTILINE)
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


def of_end(code: int, words: Sequence[str], run_id: str) -> EngineError:
    """Why controllers end before they carry anything on, as the last of them told."""
    told = "\n".join(words)
    found = _ERROR.search(told)
    again = f"the Job tries again until `runner runs cancel {run_id}`"
    if found is None:
        last = f": {words[-1]}" if words else ""
        return EngineError(f"the run's controller ends at once, with exit code {code}{last}", again)
    help = f"{found['help'].strip()}; {again}" if found["help"] else again
    return EngineError(f"the run's controller cannot carry it on: {found['error'].strip()}", help)


def failed_with(pod: Pod) -> int:
    """The exit code of a controller that has failed; 0 for others, and for one that only left, for the next one."""
    states = [each.get("state") or {} for each in (pod.get("status") or {}).get("containerStatuses") or ()]
    codes = [int(each["terminated"].get("exitCode") or 0) for each in states if each.get("terminated")]
    return next((code for code in codes if code not in (0, LEFT)), 0)


def owner_of(pod: Pod) -> str:
    """The uid of the Job that made a pod."""
    return next((str(each["uid"]) for each in pod["metadata"].get("ownerReferences") or ()), "")


def over(job: Object) -> tuple[str, str]:
    """Complete or Failed, and why, when a Job is over; empty before."""
    for each in (job.get("status") or {}).get("conditions") or ():
        if each.get("type") in ("Complete", "Failed") and each.get("status") == "True":
            return str(each["type"]), str(each.get("message") or each.get("reason") or "")
    return "", ""


def _when(event: Mapping[str, Any]) -> str:
    return str(event.get("lastTimestamp") or event.get("eventTime") or "")

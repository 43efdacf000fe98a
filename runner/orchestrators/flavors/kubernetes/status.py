"""What a pod's status says of its step's container: whether it waits, runs, is over. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from runner.orchestrators.container import ATTEMPT, STEP
from runner.orchestrators.flavors.kubernetes import names

Pod = Mapping[str, Any]

IMAGE = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"}
    | {"RegistryUnavailable", "SignatureValidationFailed"}
)
"""Words of a container's state while its image is not there."""
CONFIG = "CreateContainerConfigError"
_NEVER_MENDS = ("ErrImageNeverPull", "InvalidImageName")
_MISSING = re.compile("not found|couldn't find|non-root|runAsNonRoot")
_NOTHING_SAID = ("", "ContainerCreating", "PodInitializing")


_ENDED = ("Succeeded", "Failed")


class Wait(NamedTuple):
    """Why a container does not run yet. `reason` is a key of REASONS; `hopeless` when waiting does not help."""

    reason: str
    message: str
    hopeless: bool = False


_NO_NODE = "no node could take it"
_UNSEEN = Wait("unschedulable", f"{_NO_NODE}: no scheduler has looked at it yet")
_UNMADE = Wait("container", "its container was not made yet")


def attempt_of(pod: Pod) -> tuple[str, int]:
    """Which attempt a pod is. What no label can have as it is stands in an annotation."""
    labels, annotations = (pod["metadata"].get(part) or {} for part in ("labels", "annotations"))
    return str(annotations.get(STEP) or labels.get(STEP, "")), int(labels.get(ATTEMPT) or 0)


def created(pod: Pod) -> float:
    """Seconds since 1970 when the cluster took it."""
    return _time(pod["metadata"]["creationTimestamp"])


def container(pod: Pod) -> Mapping[str, Any]:
    """The status of its step's container, empty before there is one."""
    found = (pod.get("status") or {}).get("containerStatuses") or ()
    return next((each for each in found if each["name"] == names.STEP), {})


def state(pod: Pod, kind: str) -> Mapping[str, Any] | None:
    """The container's state, when it is of this kind: waiting, running, terminated."""
    found: Mapping[str, Any] | None = (container(pod).get("state") or {}).get(kind)
    return found


def began(pod: Pod) -> float | None:
    """Seconds since 1970 when the step's container started to run; None when it has not."""
    found = state(pod, "running") or state(pod, "terminated") or {}
    return _time(found["startedAt"]) if found.get("startedAt") else None


def is_over(pod: Pod) -> bool:
    """Whether nothing of the step runs any more."""
    if state(pod, "terminated") is not None:
        return True
    return _phase(pod) in _ENDED and state(pod, "running") is None


def is_condemned(pod: Pod) -> bool:
    """Whether its node has given it up and its container still runs. Before Kubernetes 1.22 nothing more is heard of
    such a pod."""
    return _phase(pod) in _ENDED and not is_over(pod)


def is_leaving(pod: Pod) -> bool:
    """Whether somebody deleted it."""
    return pod["metadata"].get("deletionTimestamp") is not None


def disruption(pod: Pod) -> str | None:
    """Why the cluster itself ends a pod, in its words, where it says that it does."""
    found = condition(pod, "DisruptionTarget")
    if found.get("status") != "True":
        return None
    return str(found.get("message") or found.get("reason") or "the cluster needs its place")


def condition(pod: Pod, kind: str) -> Mapping[str, Any]:
    """A condition of the pod, empty when nothing is said of it."""
    found = (pod.get("status") or {}).get("conditions") or ()
    return next((each for each in found if each.get("type") == kind), {})


def wait_of(pod: Pod) -> Wait:
    """Why the step's container does not run yet."""
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") != "True" and not (pod.get("spec") or {}).get("nodeName"):
        words = scheduled.get("message")
        return Wait("unschedulable", f"{_NO_NODE}: {words}") if words else _UNSEEN
    status = pod.get("status") or {}
    for each in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("reason", "") not in _NOTHING_SAID:
            return _wait(str(waiting["reason"]), str(waiting.get("message", "")), each)
    return _UNMADE


def words_of(wait: Wait) -> str:
    """What there is to tell of a wait; empty while nobody has said why."""
    if wait.message in (_UNSEEN.message, _UNMADE.message):
        return ""
    return wait.message.removeprefix(f"{_NO_NODE}: ")


def more_telling(before: Wait, now: Wait) -> Wait:
    """Nodes tell a registry's sentence first, and then for most of the time only that they will try again."""
    if before.reason == now.reason == "image" and now.message.endswith(_BACK_OFF) and not now.hopeless:
        return before
    return now


_BACK_OFF = "the node tries again now and then"


def _wait(word: str, message: str, each: Mapping[str, Any]) -> Wait:
    if word in IMAGE:
        if word == "ErrImageNeverPull":
            message = "it is not on its node, and image_pull_policy is Never"
        elif word == "ImagePullBackOff" and ": " not in message:
            message = _BACK_OFF
        text = f"its image '{each.get('image', '')}' cannot be pulled: {message or word}"
        return Wait("image", text, word in _NEVER_MENDS)
    if word == CONFIG:
        text = f"its container cannot be configured: {message or word}"
        return Wait("config", text, _MISSING.search(message) is not None)
    text = f"its container cannot be started: {message or word}"
    return Wait("container", text)


def _phase(pod: Pod) -> str:
    return str((pod.get("status") or {}).get("phase", ""))


def _time(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()

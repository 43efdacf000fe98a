"""Why a pod ended: from its status and what it left in the ledger to the end of an attempt. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runner.orchestrators.base import AttemptEnded
from runner.orchestrators.endings import is_for_the_engine, was_starved, without_result
from runner.orchestrators.flavors.kubernetes import names
from runner.orchestrators.flavors.kubernetes.status import Pod, container, disruption, is_leaving, state
from runner.plan.deployment import DeployedStep
from runner.records import SUCCEEDED, StepResult
from runner.spec.common import format_memory

LOST = frozenset(
    {"NodeLost", "NodeShutdown", "Shutdown", "Terminated", "NodeAffinity", "Preempting", "Preempted"}
    | {"UnexpectedAdmissionError", "TopologyAffinityError", "OutOfcpu", "OutOfmemory", "OutOfpods"}
    | {"OutOfephemeral-storage"}
)
"""What a pod's status says where its node could not keep it, or turned it away although it had been given to it."""
NOT_STARTED = ("StartError", "ContainerCannotRun")
_LAST_LINES = 3


def told(
    step: DeployedStep,
    attempt: int,
    pod: Pod,
    result: StepResult | None,
    *,
    gone: bool = False,
    asked: tuple[str, str] = ("", ""),
) -> AttemptEnded:
    """The attempt's end. `pod` is the last that was seen of it; `gone` when it is deleted; `asked` why runner itself
    ended it: reason and message."""
    ended = state(pod, "terminated") or {}
    code = int(ended.get("exitCode") or 0)
    if (result is not None and result.status == SUCCEEDED) or asked[0]:
        return AttemptEnded(step.name, attempt, code, *asked, result=result)
    if why := _interrupted(pod, gone):
        return AttemptEnded(step.name, attempt, code, *why)
    if is_for_the_engine(result) and (why := _why(step, pod, ended, result)):
        return AttemptEnded(step.name, attempt, code, *why)
    return AttemptEnded(step.name, attempt, code, result=result)


def _interrupted(pod: Pod, gone: bool) -> tuple[str, str] | None:
    """Reason and message of what came over the step, whatever it itself made of that."""
    status = pod.get("status") or {}
    word, message = str(status.get("reason", "")), str(status.get("message", ""))
    if word == "Evicted":
        return "evicted", f"its node '{_node(pod)}' evicted it: {message}"
    if word == "DeadlineExceeded":
        return "deadline", f"its activeDeadlineSeconds were over: {message}"
    if word in LOST or word.startswith("OutOf"):
        return "node-lost", f"its node '{_node(pod)}' could not keep it: {message or word}"
    if words := disruption(pod):
        return "node-lost", f"the cluster took its place on node '{_node(pod)}': {words}"
    if (state(pod, "terminated") or {}).get("reason") == "ContainerStatusUnknown":
        return "node-lost", f"its node '{_node(pod)}' does not know what became of it"
    # A pod that is deleted when its container has ended by itself ended by itself.
    if is_leaving(pod) or (gone and state(pod, "terminated") is None):
        return "deleted", "its pod was deleted from outside"
    return None


def _why(step: DeployedStep, pod: Pod, ended: Mapping[str, Any], result: StepResult | None) -> tuple[str, str] | None:
    """Reason and message, where the cluster knows them better than the worker."""
    message = str(ended.get("message", "")).strip()
    if ended.get("reason") == "OOMKilled" or was_starved(result):
        return "out-of-memory", f"it took more than {_limit(step, pod)}, and the kernel killed it"
    if result is not None:
        error = result.error
        return ("node-lost", error.message) if error is not None and error.reason == "lost" else None
    if ended.get("reason") in NOT_STARTED:
        return _not_started(message or str(ended["reason"]))
    if not ended:
        return _before_it_began(pod)
    return without_result(int(ended.get("exitCode") or 0), last_line(message))


def last_line(message: str) -> str:
    """What a container's last words come to: a traceback's or a message's last line."""
    return message.rstrip().rpartition("\n")[2].strip()


def _not_started(message: str) -> tuple[str, str]:
    if found := re.search(r'exec: "?([^":]+)"?: (executable file not found|.*no such file)', message):
        return "image", f"its image has no '{found[1]}', which the step is started with: {message}"
    return "container", f"its container could not be started: {message}"


def _before_it_began(pod: Pod) -> tuple[str, str]:
    status = pod.get("status") or {}
    for each in status.get("initContainerStatuses") or ():
        ended = (each.get("state") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            words = last_line(str(ended.get("message", "")))
            told = f"its init container '{each['name']}' ended with exit code {ended['exitCode']}"
            return "container", f"{told}: {words}" if words else told
    return "container", str(status.get("message") or status.get("reason") or "its pod ended before its container began")


def _limit(step: DeployedStep, pod: Pod) -> str:
    """The memory that it was given, as the step wrote it."""
    memory, shm = step.resources.get("memory"), step.resources.get("shm")
    if memory:
        beside = f", and the {format_memory(shm)} of its /dev/shm" if shm else ""
        return f"its memory of {format_memory(memory)}{beside}"
    containers = (pod.get("spec") or {}).get("containers") or ()
    limits = [(each.get("resources") or {}).get("limits") or {} for each in containers if each["name"] == names.STEP]
    limit = limits[0].get("memory") if limits else None
    return f"its memory of {limit}" if limit else "the memory that was left"


def _node(pod: Pod) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")


def has_run(pod: Pod) -> bool:
    """Whether its container may have printed anything."""
    return bool(container(pod).get("containerID")) and state(pod, "waiting") is None

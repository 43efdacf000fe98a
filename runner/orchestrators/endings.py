"""What the ends of containers have in common, whoever ran them: from an exit code and a result to the reason. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from runner.records import Failure, StepResult
from runner.spec.common import format_memory

EX_IOERR = 74  # the worker's, when the artifact store failed
OF_THE_KERNEL = ("signal", "exit", "lost", "out-of-memory")
"""What a worker says of a step that was killed over its head; the engine knows better why."""

IN_WORDS = {
    "out-of-memory": "OOMKilled|out of memory|OutOfMemory",
    "image": "ImagePull|ErrImage|InvalidImageName|(pull|find|fetch)[a-z]* .*image|image .*not found",
    "config": "CreateContainerConfigError|CreateContainerError|RunContainerError|ContainerCannotRun|StartError",
    "unschedulable": "Unschedulable|FailedScheduling|nodes are available",
    "quota": "exceed(s|ed) quota|RESOURCE_EXHAUSTED|[Qq]uota.* exceeded|stockout|does not have enough resources",
    "evicted": "Evicted|low on resource",
    "deadline": "DeadlineExceeded|deadline exceeded",
    "node-lost": "NodeLost|node (was )?lost|node .*(shut ?down|preempted)|Preempt",
    "deleted": "pod deleted|was deleted",
    "forbidden": "[Ff]orbidden|PERMISSION_DENIED|[Pp]ermission denied",
}
"""How engines that tell in free text why a step failed are understood: reason → what stands in that text."""


def is_for_the_engine(result: StepResult | None) -> bool:
    """Whether the engine may know better why an attempt failed than what it left."""
    error = result.error if result is not None else None
    return result is None or (error is not None and error.reason in OF_THE_KERNEL and not error.type)


def was_starved(result: StepResult | None) -> bool:
    """Whether the worker itself saw that the kernel killed for want of memory."""
    return result is not None and result.error is not None and result.error.reason == "out-of-memory"


def without_result(code: int, said: str) -> tuple[str, str]:
    """Reason and message of a container that left no result; `said` is the last line that it printed."""
    if code == EX_IOERR:
        return "store", said or "the artifact store could not be read or written"
    if code > 128:
        return "killed", f"its container was killed by signal {code - 128}, and not by runner"
    if re.search(r"No module named '?runner\b", said):
        return "image", f"its image has no runner ({said}): write `base` in place of `image`, and it is added"
    words = f"its container ended with exit code {code} and left no result"
    return "exit", f"{words}: {said}" if said else words


def with_limit(error: Failure | None, resources: Mapping[str, Any]) -> Failure | None:
    """What a worker says of memory that ran out, with how much there was, which it does not know."""
    memory = resources.get("memory")
    if error is None or error.reason != "out-of-memory" or not memory or format_memory(memory) in error.message:
        return error
    told = f"it took more than its memory of {format_memory(memory)}, and the kernel killed it"
    return error._replace(message=told)


def failure_in_words(words: str, resources: Mapping[str, Any], look_closer: str = "") -> Failure:
    """Why a step failed that left no result, from its engine's free text; `resources` are the step's own,
    `look_closer` is the command that shows what its container printed."""
    closer = f"; what it printed: {look_closer}" if look_closer else ""
    if re.search(rf"exit code {EX_IOERR}\b", words):
        told = "it could not get into the artifact store: is it there, and has the step the login that it needs?"
        return Failure("store", f"{told} ({words}){closer}")
    reason = next((each for each, pattern in IN_WORDS.items() if re.search(pattern, words)), "lost")
    if reason == "out-of-memory":
        memory = resources.get("memory")
        limit = f"its memory of {format_memory(memory)}" if memory else "the memory that was left"
        return Failure(reason, f"it took more than {limit}, and was killed ({words})")
    if reason == "lost":
        told = f"its engine says that it has failed, and it left no result{': ' * bool(words)}{words}"
        image = "; has its image `python` and `runner`?" if re.search(r"exit code (1|126|127)\b", words) else ""
        return Failure(reason, f"{told}{image}{closer}")
    return Failure(reason, words)

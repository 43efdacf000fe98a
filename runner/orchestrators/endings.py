"""What the ends of containers have in common, whoever ran them: from an exit code and a result to the reason. Pure."""

from __future__ import annotations

import re

from runner.records import StepResult

EX_IOERR = 74  # the worker's, when the artifact store failed
OF_THE_KERNEL = ("signal", "exit", "lost", "out-of-memory")
"""What a worker says of a step that was killed over its head; the engine knows better why."""


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

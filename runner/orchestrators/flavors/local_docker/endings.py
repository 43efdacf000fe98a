"""Why a container ended: from what the engine and the ledger tell to the end of an attempt. Pure."""

from __future__ import annotations

from runner.orchestrators.base import AttemptEnded
from runner.orchestrators.endings import is_for_the_engine, was_starved, without_result
from runner.records import SUCCEEDED, StepResult
from runner.spec.common import format_memory


class Ending:
    """What is known of an attempt's end, gathered as it comes.

    `reason` why runner stopped it; `refused` reason and message of what the engine could not do; `memory` the limit in
    bytes; `oom` whether the kernel killed for want of memory; `signal` one that was sent from outside; `gone` whether
    the container was removed from outside.
    """

    def __init__(self, memory: int | None) -> None:
        self.memory = memory
        self.reason = ""
        self.refused: tuple[str, str] | None = None
        self.oom = False
        self.signal = ""
        self.gone = False
        self.code: int | None = None


def told(step: str, attempt: int, ending: Ending, result: StepResult | None, said: str) -> AttemptEnded:
    """The attempt's end; `said` is the last line that the container printed."""
    code = ending.code or 0
    if (result is not None and result.status == SUCCEEDED) or ending.reason:
        return AttemptEnded(step, attempt, code, ending.reason, result=result)
    if is_for_the_engine(result) and (why := _why(ending, result, said)):
        return AttemptEnded(step, attempt, code, *why)
    return AttemptEnded(step, attempt, code, result=result)


def _why(ending: Ending, result: StepResult | None, said: str) -> tuple[str, str] | None:
    """Reason and message, where the engine knows them better than the worker."""
    if ending.refused is not None:
        return ending.refused
    if ending.oom or was_starved(result):
        limit = f"its memory of {format_memory(ending.memory)}" if ending.memory else "the memory that was left"
        return "out-of-memory", f"it took more than {limit}, and the kernel killed it"
    if ending.gone:
        return "killed", "its container was removed from outside"
    if ending.signal:
        return "killed", f"its container was killed from outside, by signal {ending.signal}"
    return None if result is not None else without_result(ending.code or 0, said)

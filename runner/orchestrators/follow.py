"""A run followed by what its attempts leave in the ledger, for orchestrators that run steps and tell nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runner.orchestrators.base import LedgerLike, StackLike
from runner.orchestrators.endings import with_limit
from runner.plan.deployment import DeployedStep, Deployment, facts_of
from runner.records import (
    CACHED,
    CANCELLED,
    DONE,
    FAILED,
    HOPELESS,
    PENDING,
    REASONS,
    RETRYING,
    RUNNING,
    SKIPPED,
    SUCCEEDED,
    Event,
    Failure,
    LogLines,
    StepResult,
    done_event,
    failure_to_json,
)

TICK = 0.2  # seconds between two looks at a ledger on this machine
REMOTE_TICK = 2.0  # seconds between two looks at a ledger in a bucket
GONE = Failure("lost", "the process that ran it is gone and left no result")
Happened = Iterator[Event | LogLines]


def follow(
    deployment: Deployment,
    stack: StackLike,
    *,
    known: Mapping[str, int] | None = None,
    ended: Callable[[], bool] | None = None,
    tick: float | None = None,
) -> Happened:
    """Everything that happens in a run that its engine walks by itself, from `run_started` to the run's last event.

    It ends when every step has ended or can start no more, or after `ended()` has said that the engine is through:
    a step that was running then is lost. A step whose process died without a result is noticed by `ended` only. May be
    called again, elsewhere, for the same run.

    `known` is what `attempts_so_far` said before a resumed run was submitted: failures up to there are old news.
    `tick` is how many seconds pass between two looks.
    """
    following = Following(deployment, stack, known or {})
    tick = tick or tick_of(stack.ledger)
    yield following.run_started()
    while True:
        over = ended is not None and ended()
        yield from following.look()
        if over or following.is_over:
            break
        time.sleep(tick)
    yield from following.steps_left()
    yield following.run_ended()


def attempts_so_far(deployment: Deployment, stack: StackLike) -> dict[str, int]:
    """Step → the number of its last attempt; for a submission's handle, so that `follow` can tell old from new."""
    return {step: max(attempts) for step, attempts in stack.ledger.traces(deployment.run_id).items() if attempts}


def tick_of(ledger: LedgerLike) -> float:
    """How long to wait between two looks at this ledger, in seconds."""
    return REMOTE_TICK if ledger.remote else TICK


class Following:
    """What is known of a run so far; `look` gives what is new."""

    def __init__(self, deployment: Deployment, stack: StackLike, known: Mapping[str, int]) -> None:
        self.deployment = deployment
        self.run_id = deployment.run_id
        self.ledger = stack.ledger
        self.resumed = stack.done is not None
        self.known = known
        self.status = dict.fromkeys(deployment.steps, PENDING) | dict.fromkeys(stack.done or (), SUCCEEDED)
        self.attempt: dict[str, int] = {}
        self.tails: dict[tuple[str, int], Tail] = {}
        self.errors: dict[str, Failure | None] = {}
        self.cancelled = False

    def run_started(self) -> Event:
        data = facts_of(self.deployment) | ({"resumed": True} if self.resumed else {})
        return Event("run_started", self.run_id, time.time(), data=data)

    def look(self) -> Happened:
        """What has happened since the last look, each step after what it needs."""
        self.cancelled = self.cancelled or self.ledger.cancel_requested(self.run_id)
        traces = self.ledger.traces(self.run_id)
        for name, step in self.deployment.steps.items():
            if self.status[name] in DONE or not all(self.status.get(need, SUCCEEDED) in DONE for need in step.upstream):
                continue
            attempts = sorted(traces.get(name, ()))
            for attempt in attempts:
                told = self.attempt.get(name, 0)
                if attempt > told or (attempt == told and self.status[name] == RUNNING):
                    left = traces[name][attempt]
                    yield from self._look_at(step, attempt, left, is_last=attempt == attempts[-1])

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen, as far as the steps tell."""
        statuses = self.status.values()
        if any(status in (RUNNING, RETRYING) for status in statuses):
            return False
        if self.cancelled or (FAILED in statuses and self.deployment.on_failure == "fail_fast"):
            return True
        return not any(status == PENDING and self._can_start(name) for name, status in self.status.items())

    @property
    def failed(self) -> list[str]:
        return [name for name, status in self.status.items() if status == FAILED]

    def steps_left(self, words: str = "") -> Happened:
        """The ends of the steps that have none yet, when nothing of the run goes on; `words` say why, where known."""
        for name, status in list(self.status.items()):
            if status == RUNNING:
                yield from self._lost(name)
            elif status == RETRYING:
                yield self._end(name, FAILED, error=failure_to_json(self.errors.get(name)))
        for name, status in list(self.status.items()):
            if status == PENDING:
                yield self._end(name, SKIPPED, reason=self._why_skipped(name, words))

    def run_ended(self, words: str = "") -> Event:
        """How the run ended: succeeded when all steps did."""
        if all(status in DONE for status in self.status.values()):
            return Event("run_succeeded", self.run_id, time.time())
        if self.cancelled:
            return Event("run_cancelled", self.run_id, time.time(), data={"reason": REASONS["cancelled"]})
        left = [name for name, status in self.status.items() if status not in DONE]
        reason = f"step '{self.failed[0]}' failed" if self.failed else f"step '{left[0]}' was not run"
        data = {"reason": f"{reason}; {words}" if words else reason, "failed": self.failed}
        return Event("run_failed", self.run_id, time.time(), data=data)

    def _can_start(self, name: str) -> bool:
        steps = self.deployment.steps
        needs = (need for need in steps[name].upstream if need in steps)
        return all(
            self.status[need] in DONE or (self.status[need] == PENDING and self._can_start(need)) for need in needs
        )

    def give_up(self, name: str, failure: Failure) -> Happened:
        """The end of a step that its engine tries no more, for this reason; what it left itself tells more, if it did.

        Nothing for a step that has ended. One that left no result has one afterwards: whoever reads the ledger knows.
        """
        status = self.status[name]
        if status == RETRYING:
            yield self._end(name, FAILED, error=failure_to_json(self.errors.get(name) or failure))
        elif status in (PENDING, RUNNING):
            if status == PENDING:  # it never began
                self.attempt[name] = max(self.attempt.get(name, 0), self.known.get(name, 0)) + 1
            yield from self._lost(name, failure)

    # -- one attempt ---------------------------------------------------------------------------------------------------

    def _look_at(self, step: DeployedStep, attempt: int, left: set[str], *, is_last: bool) -> Happened:
        name = step.name
        result = self.ledger.result(self.run_id, name, attempt) if "result.json" in left else None
        if attempt <= self.known.get(name, 0) and (result is None or result.status not in DONE):
            return
        if result is not None and result.status == CACHED:
            yield self._done(result)
            return
        if self.attempt.get(name) != attempt:
            if result is None and "started.json" not in left:
                return
            began = self.ledger.started(self.run_id, name, attempt) if "started.json" in left else None
            self.attempt[name], self.status[name] = attempt, RUNNING
            when = began["time"] if began else result.started if result else time.time()
            yield Event("step_started", self.run_id, when, name, attempt)
        if text := self._tail(name, attempt).read(whole=result is not None):
            yield LogLines(name, attempt, text)
        if result is not None:
            yield self._done(result) if result.status in DONE else self._failed(step, result)
        elif not is_last:
            yield self._failed(step, self._missing(name, attempt))

    def _done(self, result: StepResult) -> Event:
        self.status[result.step] = result.status
        return done_event(result)

    def _failed(self, step: DeployedStep, result: StepResult) -> Event:
        result = result._replace(error=with_limit(result.error, step.resources))
        name, attempt, error = step.name, result.attempt, failure_to_json(result.error)
        self.errors[name] = result.error
        if result.error is not None and result.error.reason == "cancelled":
            return self._end(name, CANCELLED, reason=REASONS["cancelled"])
        hopeless = result.error is not None and result.error.reason in HOPELESS
        if step.retry and not hopeless and attempt - self.known.get(name, 0) <= step.retry["max_retries"]:
            self.status[name] = RETRYING
            return Event("step_retrying", self.run_id, result.ended, name, attempt, {"error": error})
        return self._end(name, FAILED, result.ended, error=error, metrics=result.metrics)

    def _lost(self, name: str, failure: Failure = GONE) -> Happened:
        attempt = self.attempt[name]
        if text := self._tail(name, attempt).read(whole=True):
            yield LogLines(name, attempt, text)
        if self.cancelled:
            yield self._end(name, CANCELLED, reason=REASONS["cancelled"])
        else:
            yield self._end(name, FAILED, error=failure_to_json(self._missing(name, attempt, failure).error))

    def _missing(self, name: str, attempt: int, failure: Failure = GONE) -> StepResult:
        """The result that the worker could not write: written on its behalf."""
        result = StepResult(self.run_id, name, attempt, FAILED, time.time(), time.time(), error=failure)
        self.ledger.write_result(result)
        return result

    def _end(self, name: str, status: str, when: float | None = None, /, **data: Any) -> Event:
        self.status[name] = status
        attempt = self.attempt.get(name) if status != SKIPPED else None
        return Event(f"step_{status}", self.run_id, when or time.time(), name, attempt, data)

    def _tail(self, name: str, attempt: int) -> Tail:
        return self.tails.setdefault((name, attempt), Tail(self.ledger, self.run_id, name, attempt))

    def _why_skipped(self, name: str, words: str) -> str:
        if self.cancelled:
            return REASONS["cancelled"]
        if self.failed and self.deployment.on_failure == "fail_fast":
            return f"step '{self.failed[0]}' failed before it could start"
        needs = self.deployment.steps[name].upstream
        missing = [need for need in needs if self.status.get(need, SUCCEEDED) not in DONE]
        return (
            f"it needs '{missing[0]}', which did not succeed" if missing else words or "the orchestrator did not run it"
        )


class Tail:
    """What the log of an attempt has grown by since the last look, in whole lines."""

    def __init__(self, ledger: LedgerLike, run_id: str, step: str, attempt: int) -> None:
        self.ledger = ledger
        self.attempt = (run_id, step, attempt)
        self.offset = 0

    def read(self, whole: bool = False) -> str:
        """New text up to its last end of line; with `whole`, all of it."""
        data = self._new()
        if not whole:
            data = data[: data.rfind(b"\n") + 1]
        self.offset += len(data)
        return data.decode("utf-8", "replace")

    def _new(self) -> bytes:
        path = self.ledger.log_path(*self.attempt, make=False)
        if path is None:
            return self.ledger.log(*self.attempt).encode()[self.offset :]
        try:
            with open(path, "rb") as file:
                file.seek(self.offset)
                return file.read()
        except OSError:
            return b""

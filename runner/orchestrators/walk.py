"""The DAG walked by us: order, room, cache, retries, timeouts and failure, for engines without a DAG of their own."""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from runner.errors import EngineError
from runner.orchestrators.base import AttemptBegan, AttemptEnded, AttemptWaits, Launcher, LedgerLike
from runner.plan.deployment import DeployedStep, Deployment, StepJob, facts_of
from runner.plan.fingerprint import cache_key
from runner.records import (
    ENGINES_FAULT,
    FAILED,
    HOPELESS,
    REASONS,
    SUCCEEDED,
    Artifact,
    Event,
    Failure,
    LogLines,
    StepResult,
    artifacts_to_json,
    failure_to_json,
)

CANCEL_TICK = 0.2  # seconds between two looks for a request to cancel
REMOTE_TICK = 2.0  # the same where each is a request over the network
AT_A_TIME = 256  # events that are gathered before they are told
LOOK_AHEAD = 64  # steps that may be passed over, for want of room, by later ones
RESTARTS = 5  # attempts of a step that its engine may lose, beside those that `retry` allows to fail
RESTART_DELAY, LONGEST_DELAY = 1.0, 60.0  # seconds before the first of them, doubled for each further one, at most
Happened = Iterator[Event | LogLines]


def walk(
    deployment: Deployment,
    ledger: LedgerLike,
    launcher: Launcher,
    *,
    max_parallel: int,
    done: Mapping[str, Mapping[str, Artifact]] | None = None,
    clock: Callable[[], float] = time.time,
) -> Happened:
    """Run a deployment to its end, starting attempts by `launcher`; yields everything that happens.

    `done` are the steps of this run that have succeeded already, with their outputs: they are not run again. A step
    whose result is in the ledger (the walk that started it died before it could tell) is taken from there.
    """
    the_walk = Walk(deployment, ledger, launcher, max_parallel, done, clock)
    try:
        yield from the_walk.run()
    finally:
        launcher.close()


class Walk:
    """The state of one walk; `run` is the loop."""

    def __init__(
        self,
        deployment: Deployment,
        ledger: LedgerLike,
        launcher: Launcher,
        max_parallel: int,
        done: Mapping[str, Mapping[str, Artifact]] | None,
        clock: Callable[[], float],
    ) -> None:
        self.deployment = deployment
        self.ledger = ledger
        self.launcher = launcher
        self.max_parallel = max_parallel
        self.clock = clock
        self.resumed = done is not None
        self.outputs: dict[str, Mapping[str, Artifact]] = {**deployment.provided, **(done or {})}
        self.waits_for = {
            name: {n for n in step.upstream if n not in self.outputs}
            for name, step in deployment.steps.items()
            if name not in self.outputs
        }
        self.needed_by: dict[str, list[str]] = {}
        for name, needs in self.waits_for.items():
            for upstream in needs:
                self.needed_by.setdefault(upstream, []).append(name)
        self.ready = deque(name for name, needs in self.waits_for.items() if not needs)
        self.attempts: dict[str, int] = {}
        self.retries: dict[str, int] = {}
        self.restarts: dict[str, int] = {}
        self.running: dict[str, StepJob] = {}
        self.started: dict[str, float] = {}
        self.keys: dict[str, str | None] = {}
        self.retry_at: list[tuple[float, str]] = []
        self.deadlines: list[tuple[float, str, int]] = []
        self.tick = REMOTE_TICK if ledger.remote else CANCEL_TICK
        self.next_look = time.monotonic() + self.tick if ledger.remote else 0.0
        self.foreseen: set[str] = set()
        self.adopted: set[tuple[str, int]] = set()
        self.failed: list[str] = []
        self.cancelled = False

    def run(self) -> Happened:
        """From `run_started` to the run's last event."""
        yield self._run_started()
        if self.resumed:
            yield from self._adopt()
        yield from self._start_what_fits()
        while self.running or (not self._stopping and (self.ready or self.retry_at)):
            told: list[Event | LogLines] = []
            for happened in self.launcher.poll(self._patience()):
                if isinstance(happened, AttemptEnded):
                    told += self._ended(happened)
                elif isinstance(happened, AttemptBegan):
                    self._began(*happened)
                elif isinstance(happened, AttemptWaits):
                    told.append(self._event("step_waiting", *happened[:2], reason=happened.message))
                else:
                    told.append(happened)
            self._wake_retries()
            self._stop_overdue()
            if self._cancel_requested():
                self.cancelled = True
                self._stop_all()
            # What can start is started first and told after, so that it runs while the news is written down.
            told += self._start_what_fits()
            yield from told
        yield from self._finish()

    # -- taking over ---------------------------------------------------------------------------------------------------

    def _adopt(self) -> Happened:
        """Go on with what an earlier walk has started and could not see to its end."""
        for step, attempt, began in self.launcher.adopt(self._is_wanted):
            self.ready.remove(step)
            deployed = self.deployment.steps[step]
            self.attempts[step], self.started[step] = attempt, began
            self.keys[step] = self._cache_key(deployed)
            self.running[step] = self._job(deployed, attempt)
            if not self.launcher.begins_later:
                self._began(step, attempt, began)
            self.adopted.add((step, attempt))
            since = round(max(0.0, self.clock() - began), 3)
            yield self._event("step_started", step, attempt, adopted=True, running_for=since)._replace(time=began)

    def _is_wanted(self, step: str, attempt: int) -> bool:
        """Whether the attempt is one of a step that could start now: not done yet, and what it needs is there."""
        return step in self.ready

    # -- starting ------------------------------------------------------------------------------------------------------

    def _start_what_fits(self) -> list[Event | LogLines]:
        held: list[str] = []
        told: list[Event | LogLines] = []
        while self._may_start and len(held) < LOOK_AHEAD and len(told) < AT_A_TIME:
            name = self.ready.popleft()
            step = self.deployment.steps[name]
            if not self.launcher.fits(step):
                held.append(name)
                continue
            if (answer := self._answered(step)) is not None:
                told.append(answer)
                continue
            told.append(self._start(step))
        if held and not self.running and not self.retry_at:
            raise EngineError(
                f"step '{held[0]}' asks for more resources than this engine has", "ask for less in `resources`"
            )
        self.ready.extendleft(reversed(held))
        if self.launcher.foresees:
            self._foresee()
        return told

    def _foresee(self) -> None:
        """Tell the launcher of steps that wait for nothing but what runs now, as many as may run at a time."""
        if self.resumed or self._stopping:  # a resumed step's attempt has a number that is looked up when it starts
            return
        below = (name for running in self.running for name in self.needed_by.get(running, ()))
        for name in below:
            if len(self.foreseen) >= self.max_parallel:
                return
            needs = self.waits_for.get(name)
            if needs and needs <= self.running.keys() and name not in self.foreseen and name not in self.attempts:
                self.foreseen.add(name)
                step = self.deployment.steps[name]
                # The worker finds its inputs and its key; whether the cache answers the walk asks before it starts it.
                self.launcher.foresee(step, self._job(step, 1)._replace(fingerprint=_key_parts(step), use_cache=False))

    @property
    def _may_start(self) -> bool:
        return bool(self.ready) and not self._stopping and len(self.running) < self.max_parallel

    def _answered(self, step: DeployedStep) -> Event | None:
        """The event of a step that need not run: its result is in the ledger, or an equal one in the cache."""
        if self.resumed and step.name not in self.attempts:
            known = self.ledger.attempts(self.deployment.run_id, step.name)
            self.attempts[step.name] = max(known, default=0)
            result = known and self.ledger.result(self.deployment.run_id, step.name, known[-1])
            if result and result.status == SUCCEEDED and self.ledger.has_all(result.outputs.values()):
                return self._succeeded(result)
        key = self.keys[step.name] = self._cache_key(step)
        if key is None or not self.deployment.use_cache or self._was_tried(step.name):
            return None
        found = self.ledger.cached(key, step.expires_after)
        if found is None or set(found.outputs) != set(step.output_names):
            return None
        self._finished(step.name, found.outputs)
        outputs = artifacts_to_json(found.outputs)
        return self._event("step_cached", step.name, outputs=outputs, cached_from=found.run_id, cache_key=key)

    def _start(self, step: DeployedStep) -> Event:
        attempt = self.attempts[step.name] = self.attempts.get(step.name, 0) + 1
        job = self._job(step, attempt)
        self.running[step.name] = job
        self.foreseen.discard(step.name)
        self.started[step.name] = self.clock()
        self.launcher.start(step, job)
        if not self.launcher.begins_later:
            self._began(step.name, attempt, self.started[step.name])
        return self._event("step_started", step.name, attempt)

    def _began(self, name: str, attempt: int, began: float) -> None:
        """Its time runs from here; `began` is seconds since 1970."""
        timeout = self.deployment.steps[name].timeout
        if timeout is not None:
            left = timeout - max(0.0, self.clock() - began)
            heapq.heappush(self.deadlines, (time.monotonic() + left, name, attempt))

    def _job(self, step: DeployedStep, attempt: int) -> StepJob:
        return StepJob(
            self.deployment.run_id,
            step.name,
            attempt,
            step.entrypoint,
            {argument: self._input(source, output) for argument, (source, output) in step.inputs.items()},
            step.parameters,
            step.outputs,
            step.environment,
            self.ledger.settings,
            self.deployment.project,
            self.keys.get(step.name),
            secret_store=self.deployment.secret_store,
        )

    def _input(self, source: str, output: str) -> Artifact | tuple[str, str]:
        return self.outputs[source][output] if source in self.outputs else (source, output)

    def _cache_key(self, step: DeployedStep) -> str | None:
        if not step.cache:
            return None
        inputs = {arg: self.outputs[source][output].digest for arg, (source, output) in step.inputs.items()}
        return cache_key(step.fingerprint, inputs)

    # -- ending --------------------------------------------------------------------------------------------------------

    def _ended(self, ended: AttemptEnded) -> Happened:
        job = self.running.pop(ended.step)
        result = ended.result or self.ledger.result(job.run_id, job.step, job.attempt)
        if result is None or (ended.reason and result.status != SUCCEEDED):
            result = self._missing_result(job, ended)
        if result.error is not None and result.error.reason == "cancelled" and not self._stopping:
            self.cancelled = True  # its worker saw the request before this walk did
            self._stop_all()
        if result.status == SUCCEEDED:
            yield self._succeeded(result)
        elif self.cancelled or ended.reason == "cancelled":
            self.waits_for.pop(job.step, None)
            yield self._event("step_cancelled", job.step, job.attempt, reason=self._why_stopped())
        else:
            yield from self._failed(result)

    def _missing_result(self, job: StepJob, ended: AttemptEnded) -> StepResult:
        """The result that the worker could not write, because it was killed: written on its behalf."""
        reason = ended.reason or ("signal" if ended.code < 0 else "store" if ended.code == 74 else "exit")
        words = ended.message or {
            "signal": f"the process was killed by signal {-ended.code}",
            "exit": f"the process ended with exit code {ended.code} and left no result",
        }.get(reason, REASONS.get(reason, reason))
        if reason == "timeout":
            words = f"it took longer than its timeout of {self.deployment.steps[job.step].timeout:g} s"
        now = self.clock()
        error = Failure(reason, words)
        result = StepResult(job.run_id, job.step, job.attempt, FAILED, now, now, error=error, cache_key=job.cache_key)
        self.ledger.write_result(result)
        return result

    def _succeeded(self, result: StepResult) -> Event:
        self._finished(result.step, result.outputs)
        # As long as it was waited for: with the start of its process, the import of its modules, its way back.
        started = self.started.get(result.step)
        # One that was adopted may have been over long before that.
        ended = result.ended if (result.step, result.attempt) in self.adopted else self.clock()
        lasted = result.ended - result.started if started is None else max(0.0, ended - started)
        data: dict[str, Any] = {
            "outputs": artifacts_to_json(result.outputs),
            "started": result.started if started is None else started,
            "duration": round(lasted, 6),
        }
        if result.metrics:
            data["metrics"] = result.metrics
        if result.cache_key:
            data["cache_key"] = result.cache_key
        return self._event("step_succeeded", result.step, result.attempt, **data)

    def _finished(self, name: str, outputs: Mapping[str, Artifact]) -> None:
        self.outputs[name] = outputs
        self.waits_for.pop(name, None)
        for below in self.needed_by.get(name, ()):
            needs = self.waits_for[below]
            needs.discard(name)
            if not needs:
                self.ready.append(below)

    def _failed(self, result: StepResult) -> Happened:
        step = self.deployment.steps[result.step]
        error = failure_to_json(result.error)
        if not self._stopping and (wait := self._wait_before_next(step, result)) is not None:
            heapq.heappush(self.retry_at, (time.monotonic() + wait, step.name))
            yield self._event("step_retrying", step.name, result.attempt, error=error, delay=wait)
            return
        self.failed.append(step.name)
        self.waits_for.pop(step.name, None)
        failed = self._event("step_failed", step.name, result.attempt, error=error, metrics=result.metrics)
        adopted = (step.name, result.attempt) in self.adopted
        yield failed._replace(time=max(result.ended, self.started[step.name])) if adopted else failed
        if self.deployment.on_failure == "fail_fast":
            self._stop_all()

    def _wait_before_next(self, step: DeployedStep, result: StepResult) -> float | None:
        """Seconds until the step is tried again; None when it is not."""
        reason = result.error.reason if result.error is not None else ""
        lost, failed = self.restarts.get(step.name, 0), self.retries.get(step.name, 0)
        if reason in ENGINES_FAULT and lost < RESTARTS:
            self.restarts[step.name] = lost + 1
            return min(RESTART_DELAY * 2.0**lost, LONGEST_DELAY)
        if step.retry is None or failed >= step.retry["max_retries"] or reason in HOPELESS:
            return None
        self.retries[step.name] = failed + 1
        return float(min(step.retry["delay"] * step.retry["backoff"] ** failed, step.retry["max_delay"]))

    def _was_tried(self, name: str) -> bool:
        """Whether an attempt of it has failed, and another one was to follow."""
        return bool(self.retries.get(name) or self.restarts.get(name))

    # -- stopping ------------------------------------------------------------------------------------------------------

    @property
    def _stopping(self) -> bool:
        return self.cancelled or bool(self.failed and self.deployment.on_failure == "fail_fast")

    def _stop_all(self) -> None:
        for job in self.running.values():
            self.launcher.stop(job.step, job.attempt, "cancelled")
        self.retry_at.clear()
        self.ready.clear()

    def _cancel_requested(self) -> bool:
        if self.cancelled or time.monotonic() < self.next_look:
            return False
        self.next_look = time.monotonic() + self.tick
        return self.ledger.cancel_requested(self.deployment.run_id)

    def _stop_overdue(self) -> None:
        while self.deadlines and self.deadlines[0][0] <= time.monotonic():
            _, name, attempt = heapq.heappop(self.deadlines)
            job = self.running.get(name)
            if job is not None and job.attempt == attempt:
                self.launcher.stop(name, attempt, "timeout")

    def _wake_retries(self) -> None:
        while self.retry_at and self.retry_at[0][0] <= time.monotonic():
            self.ready.append(heapq.heappop(self.retry_at)[1])

    def _patience(self) -> float:
        """Seconds until something is due."""
        if self._may_start:
            return 0.0
        due = [self.tick]
        if self.retry_at:
            due.append(self.retry_at[0][0] - time.monotonic())
        if self.deadlines:
            due.append(self.deadlines[0][0] - time.monotonic())
        return max(0.0, min(due))

    # -- telling -------------------------------------------------------------------------------------------------------

    def _finish(self) -> Happened:
        for name in self.waits_for:
            if self._was_tried(name):  # and waited to be tried again
                yield self._event("step_cancelled", name, reason=self._why_stopped())
            else:
                yield self._event("step_skipped", name, reason=self._why_skipped(name))
        if self.cancelled:
            yield self._event("run_cancelled", reason=REASONS["cancelled"])
        elif self.failed:
            yield self._event("run_failed", reason=f"step '{self.failed[0]}' failed", failed=self.failed)
        else:
            yield self._event("run_succeeded")

    def _why_stopped(self) -> str:
        return REASONS["cancelled"] if self.cancelled else f"stopped because step '{self.failed[0]}' failed"

    def _why_skipped(self, name: str) -> str:
        if self.cancelled:
            return REASONS["cancelled"]
        if self.deployment.on_failure == "fail_fast":
            return f"step '{self.failed[0]}' failed before it could start"
        return f"it needs '{sorted(self.waits_for[name] or self.failed)[0]}', which did not succeed"

    def _run_started(self) -> Event:
        data = facts_of(self.deployment)
        if self.resumed:
            data["resumed"] = True
        return self._event("run_started", **data)

    def _event(self, event: str, step: str | None = None, attempt: int | None = None, /, **data: Any) -> Event:
        return Event(event, self.deployment.run_id, self.clock(), step, attempt, data)


def _key_parts(step: DeployedStep) -> dict[str, str] | None:
    """What a worker computes the step's cache key from; None when the step is not cached."""
    return step.fingerprint if step.cache else None

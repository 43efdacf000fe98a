"""A run retold from what its attempts left in the ledger, where nobody has put its events on record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from runner.artifact_store.ledger import Ledger
from runner.plan.deployment import DeployedStep, Deployment, facts_of
from runner.records import (
    CACHED,
    CANCELLED,
    DONE,
    ENDED,
    PENDING,
    REASONS,
    RUNNING,
    Event,
    Run,
    StepResult,
    StepRun,
    done_event,
    failure_to_json,
)

Attempts = dict[int, tuple[float, StepResult | None]]
"""The attempts of a step by their numbers: when it started (0.0: not told), and its result as soon as it has one."""


Left = dict[str, Attempts]
"""What a run's steps left."""


def left_in(ledger: Ledger, run_id: str, steps: Iterable[str]) -> Left:
    """Read what these steps left: by one look at the whole run, and then each record once."""
    all_traces = ledger.traces(run_id)
    traces = {step: all_traces.get(step, {}) for step in steps}
    if not ledger.remote:  # a folder also shows attempts that have left nothing but an empty log
        traces = {
            step: {number: attempts.get(number, set()) for number in ledger.attempts(run_id, step)}
            for step, attempts in traces.items()
        }
    every = [(step, number) for step, attempts in traces.items() for number in attempts]

    def read(attempt: tuple[str, int]) -> tuple[float, StepResult | None]:
        names = traces[attempt[0]][attempt[1]]
        result = ledger.result(run_id, *attempt) if "result.json" in names else None
        told = ledger.started(run_id, *attempt) if "started.json" in names and result is None else None
        return (told["time"] if told else 0.0), result

    left: Left = {}
    for (step, number), found in zip(every, ledger.each(read, every), strict=True):
        left.setdefault(step, {})[number] = found
    return left


def beginning(deployment: Deployment) -> Event:
    """The first event of a run that was handed to its engine."""
    return Event("run_started", deployment.run_id, deployment.created, data=facts_of(deployment))


def derive(deployment: Deployment, left: Left, run: Run) -> list[Event]:
    """What happened in a run beyond what `run` tells of it, as far as its attempts tell. Pure."""
    events: list[Event] = []
    for name, step in deployment.steps.items():
        before = run.steps.get(name) or StepRun(name)
        if before.status not in DONE:
            events += _of_step(deployment, step, left.get(name, {}), before)
    return sorted(events, key=lambda event: event.time)


def ending(deployment: Deployment, run: Run) -> list[Event]:
    """The end of a run that its engine walks by itself, as soon as its steps tell that it came; else nothing."""
    statuses = {name: step.status for name, step in run.steps.items()}
    now = max((step.ended or 0.0 for step in run.steps.values()), default=0.0) or deployment.created
    if all(status in DONE for status in statuses.values()):
        return [Event("run_succeeded", run.run_id, now)]
    failed = [name for name, status in statuses.items() if status == "failed"]
    waiting = [name for name, status in statuses.items() if status not in ENDED]
    if CANCELLED in statuses.values() and all(statuses[name] == PENDING for name in waiting):
        reasons = {"reason": REASONS["cancelled"]}
        skipped = [Event("step_skipped", run.run_id, now, name, data=reasons) for name in waiting]
        return [*skipped, Event("run_cancelled", run.run_id, now, data=reasons)]
    if not failed or any(statuses[name] != PENDING or _may_start(deployment, name, statuses) for name in waiting):
        return []
    reason = f"step '{failed[0]}' failed"
    skipped = [Event("step_skipped", run.run_id, now, name, data={"reason": reason}) for name in waiting]
    return [*skipped, Event("run_failed", run.run_id, now, data={"reason": reason, "failed": failed})]


def _may_start(deployment: Deployment, name: str, statuses: Mapping[str, str]) -> bool:
    """Whether a step that has not started may still do so, after another one has failed."""
    if deployment.on_failure == "fail_fast":
        return False
    needs = [upstream for upstream in deployment.steps[name].upstream if upstream in statuses]
    return all(
        statuses[upstream] in DONE or (statuses[upstream] == PENDING and _may_start(deployment, upstream, statuses))
        for upstream in needs
    )


def _of_step(deployment: Deployment, step: DeployedStep, attempts: Attempts, before: StepRun) -> Iterator[Event]:
    """What happened after `before`: the end of the attempt that was running then, and later attempts."""
    run_id = deployment.run_id
    retries = (step.retry or {}).get("max_retries", 0)
    for number, (start, result) in sorted(attempts.items()):
        is_new = number > before.attempt
        if is_new and not (result and result.status == CACHED):
            start = start or (result.started if result else deployment.created)
            yield Event("step_started", run_id, start, step.name, number)
        if result is None or not (is_new or (number == before.attempt and before.status == RUNNING)):
            continue
        error = failure_to_json(result.error)
        if result.status in DONE:
            yield done_event(result)
        elif result.error is not None and result.error.reason == "cancelled":
            yield Event("step_cancelled", run_id, result.ended, step.name, number, {"reason": REASONS["cancelled"]})
        elif number <= retries:
            yield Event("step_retrying", run_id, result.ended, step.name, number, {"error": error})
        else:
            data = {"error": error, "metrics": result.metrics}
            yield Event("step_failed", run_id, result.ended, step.name, number, data)

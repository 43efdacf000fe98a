"""A run handed over to an engine that carries it without us: submitted, and followed for as long as anybody looks."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from runner.artifact_store.ledger import Ledger
from runner.engine.record import CONTROLLER, ENGINE
from runner.engine.stack import OpenStack
from runner.errors import RunnerError
from runner.orchestrators.base import BaseOrchestrator, Submission
from runner.orchestrators.blame import blamed
from runner.orchestrators.carry import checked
from runner.plan.deployment import Deployment, facts_of
from runner.records import ENDED, RUN_ENDS, Event, LogLines, fold
from runner.run_store.sqlite import SqliteRunStore

Happened = Iterator[Event | LogLines]


def hand_over(
    state: Path, deployment: Deployment, stack: OpenStack, orchestrator: BaseOrchestrator, *, follow: bool = True
) -> Happened:
    """Submit a run and follow it to its end; without `follow`, or where the stack says `synchronous: false`, only its
    first events come.

    Here and in the artifact store the run is on record before the engine hears of it; what happens then the artifact
    store is told by whoever carries the run, and this project's run store as far as it is followed.
    """
    run_id, ledger = deployment.run_id, stack.ledger
    data = facts_of(deployment) | {"detached": True, "walker": _walker(orchestrator)}
    data |= {"resumed": True} if stack.done is not None else {}
    started = Event("run_started", run_id, time.time(), data=data)
    before = ledger.events(run_id) or []
    is_there = bool(before) and stack.done is None  # submitted twice: it goes on as it does
    started = before[0] if is_there else started
    if not is_there:
        ledger.write_events(run_id, [*before, started])
    store = SqliteRunStore(state / "runner.db")
    is_told = is_there and bool(store.run_ids(run_id))  # by whoever was first here
    try:
        if not is_told:
            store.append(started)
        yield started
        with blamed(type(orchestrator), deployment.flavor):
            try:
                submission = orchestrator.submit(orchestrator.compile(deployment), stack)
            except RunnerError as error:
                if is_there:
                    raise
                failed = Event("run_failed", run_id, time.time(), data={"reason": error.message})
                store.append(failed)
                ledger.write_events(run_id, [*before, started, failed])
                error.help = "; ".join(filter(None, (error.help, f"then go on with: runner runs resume {run_id}")))
                raise
            ledger.write_submission(run_id, submission.flavor, submission.handle)
            if submitted := _submitted(orchestrator, submission):
                if not is_there:
                    ledger.write_events(run_id, [*before, started, submitted])
                    store.append(submitted)
                yield submitted
            if follow and getattr(orchestrator.settings, "synchronous", True):
                happens = checked(orchestrator.watch(submission, stack), deployment.flavor)
                yield from followed(ledger, None if is_told else store, run_id, happens)
    finally:
        store.close()


def followed(ledger: Ledger, store: SqliteRunStore | None, run_id: str, happens: Happened) -> Happened:
    """What happens, on record in this run store; the first `run_started` is there already.

    Where an engine walks the steps nobody of ours sees the run end: then whoever looks on tells the ledger, too.
    """
    told: list[Event] = []
    known = True
    stored = {_fact(event) for event in _since_begun(store, run_id)}
    for happened in happens:
        if isinstance(happened, Event):
            if known and happened.event == "run_started":
                known = False
                continue
            if store is not None and _fact(happened) not in stored:
                store.append(happened)
            told.append(happened)
        yield happened
    if told and told[-1].event in RUN_ENDS:
        tell_the_end(ledger, run_id, told)


def tell_the_end(ledger: Ledger, run_id: str, told: Iterable[Event]) -> None:
    """Put a run's end and what led to it on record in the ledger, unless its end stands there already."""
    before = ledger.events(run_id) or []
    if fold(before).status not in ENDED:
        ledger.write_events(run_id, [*before, *told])


def _walker(orchestrator: BaseOrchestrator) -> str:
    """Who walks the run's steps: a controller of ours, which says so in the ledger, or the engine itself."""
    ours = type(orchestrator).control is not BaseOrchestrator.control
    return CONTROLLER if ours else ENGINE


def _since_begun(store: SqliteRunStore | None, run_id: str) -> list[Event]:
    """What is on record here since the run was begun or gone on with: somebody may have looked on before."""
    events = [event for _, event in store.events(run_id)] if store is not None else []
    starts = [number for number, event in enumerate(events) if event.event == "run_started"]
    return events[starts[-1] :] if starts else []


def _fact(event: Event) -> tuple[str, str | None, int | None]:
    return event.event, event.step, event.attempt


def _submitted(orchestrator: BaseOrchestrator, submission: Submission) -> Event | None:
    """Where people can look at the run, if its engine shows it."""
    url = orchestrator.url(submission)
    return Event("run_submitted", submission.run_id, time.time(), data={"url": url}) if url else None

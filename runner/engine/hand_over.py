"""A run handed over to an engine that carries it without us: submitted, and followed for as long as anybody looks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from runner.engine.stack import OpenStack
from runner.errors import RunnerError
from runner.orchestrators.base import BaseOrchestrator
from runner.orchestrators.blame import blamed
from runner.orchestrators.carry import checked
from runner.plan.deployment import Deployment, facts_of
from runner.records import Event, LogLines
from runner.run_store.sqlite import SqliteRunStore

Happened = Iterator[Event | LogLines]


def hand_over(
    state: Path, deployment: Deployment, stack: OpenStack, orchestrator: BaseOrchestrator, *, follow: bool = True
) -> Happened:
    """Submit a run and follow it to its end; without `follow`, or where the stack says `synchronous: false`, only its
    first event comes.

    Here and in the artifact store the run is on record before the engine hears of it; what happens then the artifact
    store is told by whoever carries the run, and this project's run store as far as it is followed.
    """
    run_id, ledger = deployment.run_id, stack.ledger
    data = facts_of(deployment) | {"detached": True} | ({"resumed": True} if stack.done is not None else {})
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
                raise
            ledger.write_submission(run_id, submission.flavor, submission.handle)
            if follow and getattr(orchestrator.settings, "synchronous", True):
                happens = checked(orchestrator.watch(submission, stack), deployment.flavor)
                yield from _told(None if is_told else store, happens)
    finally:
        store.close()


def _told(store: SqliteRunStore | None, happens: Happened) -> Happened:
    """What happens, on record here; the first `run_started` is there already."""
    known = True
    for happened in happens:
        if isinstance(happened, Event):
            if known and happened.event == "run_started":
                known = False
                continue
            if store is not None:
                store.append(happened)
        yield happened

"""A run walked from inside of its engine, by a process that may be killed at any moment and is started again then."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from runner.engine.lease import HeldLedger, held
from runner.engine.record import recorded
from runner.engine.recording import recording, whole
from runner.engine.stack import OpenStack, open_stack
from runner.errors import StateError
from runner.orchestrators.base import BaseOrchestrator, Submission
from runner.orchestrators.blame import blamed
from runner.plan.deployment import Deployment
from runner.project import orchestrator_from
from runner.records import ENDED, Event, LogLines
from runner.run_store.sqlite import SqliteRunStore

Happened = Iterator[Event | LogLines]
TRIES = 4  # controllers that may find that they cannot carry a run on, before it counts as failed
PATIENCE = 600.0  # seconds for another controller, of which nobody knows whether it lives, to say something or be dead


def control(
    run_id: str,
    artifact_store: dict[str, Any],
    secret_store: dict[str, Any],
    asked: Callable[[Mapping[str, int]], None] = lambda requests: None,
) -> Happened:
    """Carry a run on from where its ledger and its engine say it is, to its end; nothing for one that has ended.

    `asked` hears at the end, however that comes, what was asked of the engine: verb and object → how many times.
    Raises StateError when there is no such run, or another controller has it.
    """
    with tempfile.TemporaryDirectory(prefix="runner-") as folder:
        stack = open_stack(artifact_store, Path(folder), secret_store=secret_store, root=folder)
        deployment = stack.ledger.deployment(run_id)
        orchestrator = orchestrator_from(deployment.orchestrator, Path(folder))
        with held(
            None, stack.ledger, run_id, is_gone=partial(orchestrator.is_gone, deployment), patience=PATIENCE
        ) as ledger:
            try:
                yield from _controlled(deployment, stack._replace(ledger=ledger), orchestrator)
            finally:
                asked(orchestrator.requests)


def _controlled(deployment: Deployment, stack: OpenStack, orchestrator: BaseOrchestrator) -> Happened:
    ledger, run_id = stack.ledger, deployment.run_id
    found = recorded(ledger, run_id, alone=True)
    if found is None:
        raise StateError(f"there is no run '{run_id}' in the artifact store", "start one: runner run PIPELINE")
    if found.run.status in ENDED:
        return
    number = 1
    if isinstance(ledger, HeldLedger):
        number = ledger.lease.number
        ledger.begun = {name: step.attempt for name, step in found.run.steps.items()}
    if number > 1 or len(found.events) > 1:
        stack = stack._replace(done=whole(ledger, deployment, found.run))
    with contextlib.closing(SqliteRunStore(stack.folder / "runner.db")) as store:
        store.append(*found.events)
    with blamed(type(orchestrator), deployment.flavor):
        happens = orchestrator.control(Submission(run_id, deployment.flavor), stack)
        if found.events[-1].event == "run_started":  # by whoever handed the run over
            happens = _without_start(happens)
        yield from recording(stack.folder, deployment, stack, happens, carried=True, last_word=number >= TRIES)


def _without_start(happens: Happened) -> Happened:
    return (item for item in happens if not (isinstance(item, Event) and item.event == "run_started"))

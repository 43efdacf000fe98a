"""The one place where what happens becomes what happened: events put on record as an orchestrator yields them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from runner.artifact_store.ledger import Ledger
from runner.engine.lease import LeaseLost, check
from runner.engine.record import Record
from runner.engine.stack import OpenStack
from runner.errors import EngineError, InvalidDocuments, RunnerError, StateError
from runner.plan.deployment import Deployment, facts_of
from runner.records import DONE, RUN_ENDS, Artifact, Event, LogLines, Run

Happened = Iterator[Event | LogLines]


def recording(
    state: Path,
    deployment: Deployment,
    stack: OpenStack,
    happens: Happened,
    *,
    carried: bool = False,
    last_word: bool = True,
) -> Happened:
    """What happens in a run that is walked here. Every event is on disk, in this state folder, before it is yielded;
    the artifact store gets all of them at the run's start and at its end, a bucket also meanwhile.

    `carried`   walked for somebody who looks on by the artifact store alone: it gets them meanwhile, whatever it is
    `last_word` an error ends the run; without it somebody else will try
    """
    record = Record(state / "runner.db", stack.ledger, deployment.run_id)
    ended = lost = False
    try:
        with record.keep(carried or stack.ledger.remote):
            for happened in happens:
                if isinstance(happened, Event):
                    check(stack.ledger)
                    ended = happened.event in RUN_ENDS
                    if happened.event == "run_started":
                        happened = happened._replace(data=facts_of(deployment) | happened.data)
                    record.append(happened)
                    if ended:
                        record.write_if_possible()
                    elif happened.step is None:
                        record.write()
                yield happened
        if not ended:
            reason = f"flavor '{deployment.flavor}' stopped without telling how the run ended"
            raise EngineError(reason, "the last of its events is run_succeeded, run_failed or run_cancelled")
    except LeaseLost:
        lost = True  # what happens to the run from here on is told by who has it now
        raise
    except RunnerError as error:
        if last_word and not ended and not isinstance(error, InvalidDocuments):
            failed = Event("run_failed", deployment.run_id, time.time(), data={"reason": error.message})
            _append_if_possible(record, deployment, failed)
        raise
    finally:
        if not lost:
            record.write_if_possible()
        record.close()


def whole(ledger: Ledger, deployment: Deployment, run: Run) -> dict[str, Mapping[str, Artifact]]:
    """Outputs of the steps that need not run again: they succeeded, and what they left is still there."""
    finished = [name for name, step in run.steps.items() if name in deployment.steps and step.status in DONE]
    there = ledger.each(lambda name: ledger.has_all(run.steps[name].outputs.values()), finished)
    return {name: run.steps[name].outputs for name, is_there in zip(finished, there, strict=True) if is_there}


def _append_if_possible(record: Record, deployment: Deployment, event: Event) -> None:
    try:
        if not record.has_begun:
            record.append(Event("run_started", deployment.run_id, event.time, data=facts_of(deployment)))
        record.append(event)
    except StateError:
        return  # the store is what failed: the error that is on its way says so

"""The end of a run that its engine walks, when nobody looked on as it came: the engine is asked, and it is on record.

A step whose process could not even begin leaves nothing in the artifact store: only its engine knows that it failed.
"""

from __future__ import annotations

from runner.engine.as_begun import as_begun
from runner.engine.hand_over import followed
from runner.engine.lookup import Lookup
from runner.engine.record import Recorded
from runner.engine.stack import OpenStack
from runner.orchestrators.base import BaseOrchestrator, Seen, Submission
from runner.orchestrators.blame import blamed
from runner.orchestrators.carry import checked
from runner.project import Project, orchestrator_from
from runner.records import ENDED, PENDING, RUNNING, Run
from runner.run_store.sqlite import SqliteRunStore


def as_its_engine_says(project: Project, lookup: Lookup, found: Recorded) -> Recorded:
    """The same run; with its end, if it is said to run and its engine says that it does not, which then is on record.

    Raises RunnerError where the engine cannot be asked from here.
    """
    return looked_at(project, lookup, found)[0]


def looked_at(project: Project, lookup: Lookup, found: Recorded) -> tuple[Recorded, bool]:
    """The same, and whether its engine says that it goes on."""
    if found.run.status != RUNNING or not found.detached or found.walker:
        return found, False
    opened = lookup.stack_of(found.run.run_id)
    orchestrator, submission, seen = _ask(project, opened, found.run.run_id)
    if seen is None:
        return found, False
    if seen.status not in ENDED:
        return found._replace(run=_with_what_is_waited_for(found.run, seen)), True
    with blamed(type(orchestrator), submission.flavor):
        _put_on_record(project, opened, orchestrator, submission)
    return lookup.known(found.run.run_id), False


def _with_what_is_waited_for(run: Run, seen: Seen) -> Run:
    """The run, each of its steps that has not begun with what its engine says that it waits for."""
    waits = {name: step.message for name, step in seen.steps.items() if step.message}
    steps = {
        name: step._replace(reason=waits[name]) if name in waits and step.status == PENDING else step
        for name, step in run.steps.items()
    }
    return run._replace(steps=steps)


def _ask(project: Project, opened: OpenStack, run_id: str) -> tuple[BaseOrchestrator, Submission, Seen | None]:
    """What the engine of a run says of it, and whom it was asked by. Raises RunnerError where it cannot be asked."""
    deployment = opened.ledger.deployment(run_id)
    orchestrator = orchestrator_from(deployment.orchestrator, project.root)
    submission = Submission(run_id, deployment.flavor, opened.ledger.submission(run_id))
    with as_begun(project, deployment), blamed(type(orchestrator), deployment.flavor):
        return orchestrator, submission, orchestrator.seen(submission, opened)


def _put_on_record(project: Project, opened: OpenStack, orchestrator: BaseOrchestrator, submission: Submission) -> None:
    run_id, ledger = submission.run_id, opened.ledger
    happens = checked(orchestrator.watch(submission, opened), submission.flavor)
    store = _store_that_knows(project, run_id)
    try:
        for _ in followed(ledger, store, run_id, happens):
            pass
    finally:
        if store is not None:
            store.close()


def _store_that_knows(project: Project, run_id: str) -> SqliteRunStore | None:
    """This project's run store, if the run is in it."""
    path = project.state / "runner.db"
    store = SqliteRunStore(path) if path.exists() else None
    if store is not None and run_id not in store.run_ids(run_id):
        store.close()
        return None
    return store

"""What has run: find it, stop it, forget it, take its artifacts out.

`stack` is the name or the file of one whose artifact store is looked into instead of what the project knows.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from runner.artifact_store.export import export
from runner.artifact_store.ledger import Ledger
from runner.engine.as_begun import as_begun
from runner.engine.ended_there import as_its_engine_says
from runner.engine.lease import held
from runner.engine.lock import is_walked
from runner.engine.lookup import Lookup
from runner.engine.record import INTERRUPTED, Recorded, is_walked_by_engine
from runner.engine.stack import OpenStack
from runner.errors import RunnerError, StateError, UsageError
from runner.orchestrators.base import Submission
from runner.project import Project, orchestrator_from
from runner.records import CANCELLED, ENDED, REASONS, RUNNING, Artifact, Event, Run
from runner.run_store.sqlite import SqliteRunStore

CANCEL_TICK, REMOTE_CANCEL_TICK = 0.05, 1.0
CANCEL_PATIENCE, REMOTE_CANCEL_PATIENCE = 15.0, 90.0


def recent(
    project: Project,
    limit: int,
    pipeline: str | None = None,
    stack: str | None = None,
    missed: Callable[[RunnerError], None] | None = None,
) -> list[Run]:
    """The newest runs first, without their steps. `missed` as in `Lookup.recent`."""
    return Lookup(project, stack).recent(limit, pipeline, missed)


def find(project: Project, which: str, stack: str | None = None) -> Run:
    """The run of this id, of the one id that starts so, or the newest for `last`.

    Raises UsageError when there is none, or more than one.
    """
    return Lookup(project, stack).known(which).run


def find_now(
    project: Project, which: str, stack: str | None = None, missed: Callable[[RunnerError], None] = lambda error: None
) -> Run:
    """The same run, for which its engine is asked too, if that knows more than what is on record. `missed` hears why it
    could not be."""
    lookup = Lookup(project, stack)
    found = lookup.known(which)
    try:
        return as_its_engine_says(project, lookup, found).run
    except RunnerError as error:
        missed(error)
        return found.run


def has_begun(project: Project, run_id: str) -> bool:
    """Whether this project's run store has a run of this id."""
    path = project.state / "runner.db"
    if not path.exists():
        return False
    store = SqliteRunStore(path)
    try:
        return run_id in store.run_ids(run_id)
    finally:
        store.close()


def cancel(project: Project, run_id: str, stack: str | None = None, *, force: bool = False) -> str:
    """Stop a run, wherever it is walked; gives the status it ended with. With `force` it counts as cancelled even if
    its engine cannot be told.

    Raises UsageError for a run that has ended, StateError when its process does not answer, EngineError.
    """
    lookup = Lookup(project, stack)
    run = lookup.known(run_id).run
    if run.status in ENDED:
        raise UsageError(f"run '{run.run_id}' has ended already: {run.status}", f"see: runner runs show {run.run_id}")
    opened = lookup.stack_of(run.run_id)
    opened.ledger.request_cancel(run.run_id)
    found = _until_nobody_walks(project, lookup, run.run_id, opened.ledger)
    if _has_its_end(found):
        return found.run.status
    with _held(project, opened, run.run_id):  # so that nobody resumes it meanwhile
        found = lookup.known(run.run_id, alone=True)
        return found.run.status if _has_its_end(found) else _bury(project, found, opened, force=force)


def delete(project: Project, run_id: str, stack: str | None = None) -> None:
    """Forget a run and its logs, here and in the artifact store; artifacts stay, since other runs may share them.

    Raises UsageError for a run that is still going.
    """
    lookup = Lookup(project, stack)
    run = lookup.known(run_id).run
    if run.status == RUNNING:
        raise UsageError(f"run '{run.run_id}' is still going", f"stop it first: runner runs cancel {run.run_id}")
    opened = lookup.stack_of(run.run_id)
    with _held(project, opened, run.run_id):  # so that nobody resumes it meanwhile
        # Without its deployment nobody knows what to stop; what has ended by itself has seldom left anything.
        with contextlib.suppress(StateError if run.status == INTERRUPTED else RunnerError):
            _stop_rest(project, opened, run.run_id)
        opened.ledger.delete_run(run.run_id)
        shutil.rmtree(project.state / "logs" / run.run_id, ignore_errors=True)
        if has_begun(project, run.run_id):
            store = SqliteRunStore(project.state / "runner.db")
            store.delete(run.run_id)
            store.close()


def artifacts(project: Project, run: Run) -> list[tuple[str, str, Artifact]]:
    """Step, output and artifact of everything that the run's steps left."""
    return [(name, output, artifact) for name, step in run.steps.items() for output, artifact in step.outputs.items()]


def fetch(project: Project, run: Run, artifact: Artifact, destination: Path, stack: str | None = None) -> Path:
    """Copy an artifact out of the store, to a file or a folder of this name. Gives the path.

    Raises StateError when it is gone or damaged.
    """
    return export(artifact, ledger_of(project, run.run_id, stack).ledger.store, destination)


def ledger_of(project: Project, run_id: str, stack: str | None = None) -> OpenStack:
    """The open stack whose artifact store holds this run."""
    return Lookup(project, stack).stack_of(run_id)


def _held(project: Project, opened: OpenStack, run_id: str) -> contextlib.AbstractContextManager[Ledger]:
    """Hold a run that may be no concern of this project: a folder without state gets none."""
    return held(project.state if project.state.exists() else None, opened.ledger, run_id)


def _has_its_end(found: Recorded) -> bool:
    """Whether nothing is left to stop. Steps that saw a request to cancel tell of it before their engine has heard it,
    which would try them again."""
    unheard = found.run.status == CANCELLED and is_walked_by_engine(found.events)
    return found.run.status in ENDED and not unheard


def _until_nobody_walks(project: Project, lookup: Lookup, run_id: str, ledger: Ledger) -> Recorded:
    """Wait for whoever walks this run to stop, and give the run then. Raises StateError when that takes too long."""
    patience, tick = CANCEL_PATIENCE, CANCEL_TICK
    if ledger.remote:
        patience, tick = REMOTE_CANCEL_PATIENCE, REMOTE_CANCEL_TICK
    give_up = time.monotonic() + patience
    while True:
        if is_walked(project.state, run_id):
            who = ""
        else:
            found = lookup.known(run_id)
            if found.run.status != RUNNING or not found.walker:
                return found
            who = f", by {found.walker}"
        if time.monotonic() > give_up:
            raise StateError(
                f"run '{run_id}' was asked to stop and is still going{who}", "ask again, or kill its process"
            )
        time.sleep(tick)


def _bury(project: Project, found: Recorded, opened: OpenStack, *, force: bool) -> str:
    """Cancel a run that nobody walks any more: what its process left behind is stopped, and the run gets its end."""
    run = found.run
    try:
        _stop_rest(project, opened, run.run_id)
    except RunnerError as error:
        if not force:
            told = f"if it is gone for good: runner runs cancel {run.run_id} --force"
            error.help = "; ".join(filter(None, (error.help, told)))
            raise
    by_engine = is_walked_by_engine(found.events)
    reason = {"reason": REASONS["cancelled"] if by_engine else "the run was cancelled after its process had gone"}
    left = [name for name, step in run.steps.items() if step.status not in ENDED]
    now = time.time()
    events = [Event("step_cancelled", run.run_id, now, name, data=reason) for name in left]
    if run.status not in ENDED:
        events.append(Event("run_cancelled", run.run_id, now, data=reason))
    if has_begun(project, run.run_id):
        store = SqliteRunStore(project.state / "runner.db")
        store.replace(run.run_id, [*found.events, *events])  # the engine may have told more than this project has heard
        store.close()
    opened.ledger.write_events(run.run_id, [*found.events, *events])
    return CANCELLED


def _stop_rest(project: Project, opened: OpenStack, run_id: str) -> None:
    """Stop what the process of a run left behind when it was killed."""
    deployment = opened.ledger.deployment(run_id)
    orchestrator = orchestrator_from(deployment.orchestrator, project.root)
    with as_begun(project, deployment):
        orchestrator.cancel(Submission(run_id, deployment.flavor, opened.ledger.submission(run_id)), opened)

"""What has run: find it, read its logs, stop it, forget it, take its artifacts out."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from runner.artifact_store.export import export
from runner.artifact_store.ledger import Ledger
from runner.engine.lock import is_walked, walking
from runner.engine.stack import OpenStack, open_stack
from runner.errors import StateError, UsageError
from runner.orchestrators.base import Submission
from runner.project import Project, orchestrator_from
from runner.records import CANCELLED, ENDED, RUNNING, Artifact, Event, LogLines, Run, fold
from runner.run_store.sqlite import SqliteRunStore

INTERRUPTED = "interrupted"
"""The status of a run whose process is gone before the run had ended: `runs resume` goes on with it."""
LOG_TICK = 0.2
CANCEL_PATIENCE = 15.0


def recent(project: Project, limit: int, pipeline: str | None = None) -> list[Run]:
    """The newest runs first, without their steps."""
    store = _store(project)
    try:
        return [_as_it_is(project, store, run) for run in store.runs(limit, pipeline)] if store else []
    finally:
        if store:
            store.close()


def find(project: Project, which: str) -> Run:
    """The run of this id, of the one id that starts so, or the newest for `last`.

    Raises UsageError when there is none, or more than one.
    """
    store = _store(project)
    if store is None:
        raise UsageError("nothing has run in this project yet", "start with `runner run PIPELINE`")
    try:
        run_id = _resolve(store, which)
        return _as_it_is(project, store, _folded(store, run_id))
    finally:
        store.close()


def logs(project: Project, run: Run, step: str | None = None, follow: bool = False) -> Iterator[LogLines]:
    """What the run's steps printed, attempt by attempt; with `follow`, until the run has ended.

    Raises UsageError for a step that the run does not have.
    """
    if step is not None and step not in run.steps:
        raise UsageError(f"run '{run.run_id}' has no step '{step}'", f"its steps: {', '.join(run.steps)}")
    stack = ledger_of(project, run.run_id)
    seen: dict[tuple[str, int], int] = {}
    while True:
        ended = run.status not in (RUNNING,)
        for name in [step] if step else run.steps:
            yield from _new_lines(stack.ledger, run.run_id, name, seen, whole=ended)
        if not follow or ended:
            return
        time.sleep(LOG_TICK)
        run = find(project, run.run_id)


def cancel(project: Project, run_id: str) -> str:
    """Stop a run, wherever on this machine it is walked; gives the status it ended with.

    Raises UsageError for a run that has ended, StateError when its process does not answer.
    """
    run = find(project, run_id)
    if run.status in ENDED:
        raise UsageError(f"run '{run.run_id}' has ended already: {run.status}", f"see: runner runs show {run.run_id}")
    stack = ledger_of(project, run.run_id)
    stack.ledger.request_cancel(run.run_id)
    give_up = time.monotonic() + CANCEL_PATIENCE
    while is_walked(project.state, run.run_id):
        if time.monotonic() > give_up:
            raise StateError(
                f"run '{run.run_id}' was asked to stop and is still going", "ask again, or kill its process"
            )
        time.sleep(0.05)
    with walking(project.state, run.run_id):  # so that nobody resumes it meanwhile
        run = find(project, run.run_id)
        return run.status if run.status in ENDED else _bury(project, run, stack)


def delete(project: Project, run_id: str) -> None:
    """Forget a run and its logs; artifacts stay, since other runs and the cache may share them.

    Raises UsageError for a run that is still going.
    """
    run = find(project, run_id)
    if run.status == RUNNING:
        raise UsageError(f"run '{run.run_id}' is still going", f"stop it first: runner runs cancel {run.run_id}")
    stack = ledger_of(project, run.run_id)
    with walking(project.state, run.run_id):  # so that nobody resumes it meanwhile
        if run.status == INTERRUPTED:
            with contextlib.suppress(StateError):  # without its deployment nobody knows what to stop
                _stop_rest(stack, run.run_id)
        stack.ledger.delete_run(run.run_id)
        shutil.rmtree(project.state / "logs" / run.run_id, ignore_errors=True)
        store = SqliteRunStore(project.state / "runner.db")
        store.delete(run.run_id)
        store.close()


def artifacts(project: Project, run: Run) -> list[tuple[str, str, Artifact]]:
    """Step, output and artifact of everything that the run's steps left."""
    return [(name, output, artifact) for name, step in run.steps.items() for output, artifact in step.outputs.items()]


def fetch(project: Project, run: Run, artifact: Artifact, destination: Path) -> Path:
    """Copy an artifact out of the store, to a file or a folder of this name. Gives the path.

    Raises StateError when it is gone or damaged.
    """
    return export(artifact, ledger_of(project, run.run_id).ledger.store, destination)


def ledger_of(project: Project, run_id: str) -> OpenStack:
    """The open stack whose artifact store holds this run: the one that its first event names."""
    store = _store(project)
    events = store.events(run_id) if store else []
    if store:
        store.close()
    where = events[0][1].data.get("artifact_store") if events else None
    return open_stack(where or {"flavor": "local", "path": str(project.state / "artifacts")}, project.state)


def _store(project: Project) -> SqliteRunStore | None:
    path = project.state / "runner.db"
    return SqliteRunStore(path) if path.exists() else None


def _resolve(store: SqliteRunStore, which: str) -> str:
    if which == "last":
        newest = store.runs(1)
        if not newest:
            raise UsageError("nothing has run in this project yet", "start with `runner run PIPELINE`")
        return newest[0].run_id
    found = store.run_ids(which)
    if which in found:
        return which
    if not found:
        raise UsageError(f"there is no run '{which}'", "see `runner runs list`; `last` is the newest")
    if len(found) > 1:
        raise UsageError(f"'{which}' is the start of {len(found)} runs: {', '.join(found[:5])}", "give more of the id")
    return found[0]


def _folded(store: SqliteRunStore, run_id: str) -> Run:
    return fold((event for _, event in store.events(run_id)), run_id)


def _as_it_is(project: Project, store: SqliteRunStore, run: Run) -> Run:
    if run.status != RUNNING or is_walked(project.state, run.run_id):
        return run
    now = _folded(store, run.run_id)  # it may have ended, and told so, before its process let go of it
    if now.status != RUNNING:
        return now if run.steps else now._replace(steps={})
    return run._replace(status=INTERRUPTED, reason=f"its process is gone; go on with: runner runs resume {run.run_id}")


def _bury(project: Project, run: Run, stack: OpenStack) -> str:
    """Cancel a run that nobody walks any more: what its process left behind is stopped, and the run gets its end."""
    _stop_rest(stack, run.run_id)
    store = SqliteRunStore(project.state / "runner.db")
    reason = {"reason": "the run was cancelled after its process had gone"}
    left = [name for name, step in run.steps.items() if step.status not in ENDED]
    now = time.time()
    store.append(
        *(Event("step_cancelled", run.run_id, now, name, data=reason) for name in left),
        Event("run_cancelled", run.run_id, now, data=reason),
    )
    store.close()
    return CANCELLED


def _stop_rest(stack: OpenStack, run_id: str) -> None:
    """Stop what the process of a run left behind when it was killed."""
    deployment = stack.ledger.deployment(run_id)
    orchestrator = orchestrator_from(deployment.orchestrator, Path(deployment.project))
    orchestrator.cancel(Submission(run_id, deployment.flavor), stack)


def _new_lines(
    ledger: Ledger, run_id: str, step: str, seen: dict[tuple[str, int], int], *, whole: bool
) -> Iterator[LogLines]:
    for attempt in ledger.attempts(run_id, step):
        text = ledger.log(run_id, step, attempt)
        start = seen.get((step, attempt), 0)
        end = len(text) if whole else text.rfind("\n") + 1
        if end > start:
            seen[step, attempt] = end
            yield LogLines(step, attempt, text[start:end])

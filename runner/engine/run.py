"""Carry out a plan, or go on with a run: from a plan to events on record."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from runner.artifact_store.ledger import Ledger
from runner.document.read import text_of
from runner.engine.ended_there import looked_at
from runner.engine.hand_over import hand_over
from runner.engine.history import ledger_of
from runner.engine.lease import HeldLedger, held
from runner.engine.lookup import Lookup
from runner.engine.needed_secrets import missing_secrets
from runner.engine.prepare import Prepared, deployment_of, new_run_id, refusals_of
from runner.engine.record import Recorded, later
from runner.engine.recording import recording, whole
from runner.engine.stack import open_stack
from runner.errors import (
    StateError,
    UsageError,
)
from runner.orchestrators.carry import carry_out
from runner.plan.code import CodeIndex
from runner.plan.deployment import Deployment
from runner.plan.fingerprint import part
from runner.plan.modules import Modules
from runner.project import (
    Project,
    orchestrator_from,
)
from runner.records import DONE, Event, LogLines, Run, fold
from runner.run_store.sqlite import SqliteRunStore

if TYPE_CHECKING:
    from runner.engine.images import Tell


Happened = Iterator[Event | LogLines]


def start(prepared: Prepared, run_id: str | None = None, *, follow: bool = True) -> Happened:
    """Run a plan to its end. Every event is on disk before it is yielded.

    Without `follow` a run that its engine carries without us is submitted, and no more.
    """
    deployment = deployment_of(prepared, run_id or new_run_id())
    project, run_id, orchestrator = prepared.project, deployment.run_id, prepared.stack.orchestrator
    stack = open_stack(
        deployment.artifact_store, project.state, secret_store=deployment.secret_store, root=str(project.root)
    )
    if orchestrator.detaches:
        if not stack.ledger.has_run(run_id):
            stack.ledger.write_deployment(deployment)
        yield from hand_over(project.state, deployment, stack, orchestrator, follow=follow)
        return
    with held(project.state, stack.ledger, run_id) as ledger:
        ledger.store.sweep()
        ledger.write_deployment(deployment)
        stack = stack._replace(ledger=ledger)
        yield from recording(project.state, deployment, stack, carry_out(orchestrator, deployment, stack))


def resume(project: Project, run_id: str, stack: str | None = None, tell: Tell = lambda progress: None) -> Happened:
    """Run what did not succeed, with the outputs of what did, whichever machine did it. The project's code is taken as
    it is now and here; artifact store and engine stay those of the run.

    `stack` names the one whose artifact store holds a run that this project does not know. Raises StateError when the
    run is still going, is not on record, or cannot go on here; UsageError when nothing is left to do.
    """
    lookup = Lookup(project, stack)
    opened = lookup.stack_of(run_id)
    _refuse_without_code(opened.ledger.deployment(run_id), lookup.known(run_id).run, project)
    with held(project.state, opened.ledger, run_id) as ledger:
        deployment = ledger.deployment(run_id)
        found = _not_going(project, lookup, lookup.known(run_id, alone=True))
        done = whole(ledger, deployment, found.run)
        if len(done) == len(deployment.steps) and found.run.status == "succeeded":
            raise UsageError(
                f"run '{run_id}' has succeeded: there is nothing to resume", "start a new run with `runner run`"
            )
        orchestrator = orchestrator_from(deployment.orchestrator, project.root)
        pending = [step for name, step in deployment.steps.items() if name not in done]
        missing = missing_secrets(orchestrator, deployment.secret_store, str(project.root), pending)
        for refusal in (*refusals_of(orchestrator, pending, project), *missing):
            raise StateError(f"run '{run_id}' cannot go on here: {refusal.message}", refusal.help)
        deployment = _as_it_is_here(deployment, ledger, project)
        if orchestrator.needs_image:
            from runner.engine.images import made_ready  # as above

            names = {step.name for step in pending}
            deployment = made_ready(deployment, orchestrator, project.state, tell, only=names)
        ledger.write_deployment(deployment)
        ledger.clear_cancel(run_id)
        if isinstance(ledger, HeldLedger):
            ledger.begun = {name: step.attempt for name, step in found.run.steps.items()}
        _adopt(project, found)
        if not orchestrator.detaches:
            stack_of_run = opened._replace(ledger=ledger, done=done)
            happens = carry_out(orchestrator, deployment, stack_of_run)
            yield from recording(project.state, deployment, stack_of_run, happens)
            return
    yield from hand_over(project.state, deployment, opened._replace(done=done), orchestrator)


def changed_since(project: Project, run_id: str, stack: str | None = None) -> str | None:
    """The pipeline's file, when it is not what it was as this run was planned: a resume keeps the plan as it was."""
    path, digest = ledger_of(project, run_id, stack).ledger.deployment(run_id).document
    text, _ = text_of(Path(path)) if path else (None, [])
    return project.shown(Path(path)) if text is not None and part(text) != digest else None


# -- resuming ----------------------------------------------------------------------------------------------------------


def _not_going(project: Project, lookup: Lookup, found: Recorded) -> Recorded:
    """The run, unless its engine is still at it: then StateError."""
    found, goes_on = looked_at(project, lookup, found)
    if goes_on:
        run_id = found.run.run_id
        raise StateError(f"run '{run_id}' is still going in its engine", f"stop it first: runner runs cancel {run_id}")
    return found


def _adopt(project: Project, found: Recorded) -> None:
    """Let this project's run store know what happened elsewhere, before it goes on here."""
    store = SqliteRunStore(project.state / "runner.db")
    try:
        events = [event for _, event in store.events(found.run.run_id)]
        known = Recorded(events, fold(events, found.run.run_id))
        if later(known, found) is found:
            store.replace(found.run.run_id, found.events)
    finally:
        store.close()


def _refuse_without_code(deployment: Deployment, run: Run, project: Project) -> None:
    """Raise StateError for a step whose code would have to come from this folder, and is not here."""
    modules = Modules(project.root)
    for name, step in deployment.steps.items():
        module = step.entrypoint.partition(":")[0]
        done = name in run.steps and run.steps[name].status in DONE
        in_the_image = bool(step.image.get("image"))  # a ready one; into all others the code comes from here
        if not (done or in_the_image or modules.has(module) or _is_installed(module, project)):
            raise StateError(
                f"run '{run.run_id}' cannot go on here: there is no module '{module}' in '{project.root}', which step "
                f"'{name}' runs",
                "resume it in a folder with the project's code",
            )


def _is_installed(module: str, project: Project) -> bool:
    """Whether a module comes from this environment; only its first package is looked at, and nothing imported."""
    top = module.partition(".")[0]
    here = (project.root / top).is_dir() or (project.root / f"{top}.py").exists()
    try:
        return not here and find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def _as_it_is_here(deployment: Deployment, ledger: Ledger, project: Project) -> Deployment:
    """The deployment with the code that is here now, and the artifact store by the way that leads to it from here."""
    return _with_code_of_now(deployment, project)._replace(project=str(project.root), artifact_store=ledger.settings)


def _with_code_of_now(deployment: Deployment, project: Project) -> Deployment:
    index = CodeIndex(project.root)
    steps = {
        name: step._replace(fingerprint={**step.fingerprint, "code": index.digest(step.entrypoint)})
        for name, step in deployment.steps.items()
    }
    return deployment._replace(steps=steps)

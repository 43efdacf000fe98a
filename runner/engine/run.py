"""Run a pipeline: from a request to a plan, from a plan to events on record."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.artifact_store.ledger import Ledger
from runner.document.read import text_of
from runner.engine.asked import Asked
from runner.engine.history import ledger_of
from runner.engine.lease import HeldLedger, LeaseLost, check, held
from runner.engine.lookup import Lookup
from runner.engine.needed_secrets import missing_secrets
from runner.engine.previous import LastSuccesses
from runner.engine.record import Record, Recorded, later
from runner.engine.stack import OpenStack, open_stack
from runner.errors import (
    CannotPlan,
    EngineError,
    InvalidDocuments,
    Problem,
    RunnerError,
    StateError,
    UsageError,
)
from runner.orchestrators.base import BaseOrchestrator, Bundle, Refusal
from runner.orchestrators.blame import blamed
from runner.orchestrators.carry import carry_out
from runner.orchestrators.portability import cannot_honour, require_available
from runner.plan.build import build, deploy
from runner.plan.code import CodeIndex
from runner.plan.deployment import DeployedStep, Deployment, facts_of
from runner.plan.fingerprint import part
from runner.plan.modules import Modules
from runner.plan.plan import RUN, UNKNOWN, Plan, PlannedStep, Selection
from runner.project import (
    Pipeline,
    Project,
    Stack,
    choose_stack,
    components_of,
    load_pipeline,
    load_stack,
    locate,
    orchestrator_from,
    origins,
    places,
    services_of,
    step_images,
    step_settings,
    unreachable,
)
from runner.project.honour import as_problems
from runner.records import DONE, Artifact, Event, LogLines, Run
from runner.run_store.sqlite import SqliteRunStore

if TYPE_CHECKING:
    from runner.engine.images import Tell


class Request(NamedTuple):
    """What the user asked for. `parameters` are typed values, or RawText from a command line."""

    pipeline: Path
    stack: str | None = None
    parameters: dict[str, Any] = {}
    only: tuple[str, ...] = ()
    from_: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    use_cache: bool = True


class Prepared(NamedTuple):
    """A plan, and what is needed to carry it out; `notes` are what the user should know beside it, `containers` what
    steps run in, once `with_images` has made it ready."""

    plan: Plan
    project: Project
    stack: Stack
    pipeline: Pipeline
    document: tuple[str, str] = ("", "")
    notes: tuple[str, ...] = ()
    containers: Mapping[str, dict[str, Any]] = {}

    def origins(self) -> dict[str, dict[str, str]]:
        """Step → each value that it has, as `resources.memory` → the file and the line that set it."""
        return {planned.step.name: origins(self.pipeline, self.stack, planned.step) for planned in self.plan.steps}


Happened = Iterator[Event | LogLines]
NO_RUN = "no-run"  # in place of a run's id, where nothing is run


def prepare(
    project: Project, request: Request, env: Mapping[str, str] | None = None, *, to_run: bool = False, ask: bool = True
) -> Prepared:
    """Everything up to the plan; nothing is started and nothing is written.

    Raises InvalidDocuments, CannotPlan (what this stack or machine cannot do, each at its position), UsageError; with
    `to_run` also EngineError for a flavor that can be planned for and cannot run yet, before any store is reached.
    Without `ask` the artifact store is not asked what is cached, and a flavor that can only be compiled for will do.
    """
    env = os.environ if env is None else env
    pipeline = load_pipeline(project, request.pipeline, request.parameters, env)
    named = (pipeline.spec.name, pipeline.spec.stack)
    stack = load_stack(project, *choose_stack(project, request.stack, env, named), env)
    if problems := unreachable(stack):
        raise CannotPlan(problems, places(pipeline, stack))
    if to_run and (ask or not stack.orchestrator.compiles):
        require_available(stack.orchestrator)
    store = open_run_store(project)
    try:
        asked = Asked(Ledger(_readable(project, stack)), insist=to_run, ask=ask)
        plan = _plan(project, request, pipeline, stack, asked, store)
    finally:
        if store is not None:
            store.close()
    problems = [_at(pipeline, stack, *obstacle) for obstacle in plan.obstacles if obstacle.path]
    steps = [planned.step for planned in plan.steps if planned.action != "reused"]
    problems += as_problems(pipeline, stack, _refusals(stack.orchestrator, steps, project, components_of(stack)))
    if to_run and ask:
        problems += as_problems(pipeline, stack, missing_secrets(project, stack, steps))
    if problems:
        raise CannotPlan(problems, places(pipeline, stack))
    for obstacle in plan.obstacles:
        raise UsageError(obstacle.message, obstacle.help)
    document = (str(request.pipeline.absolute()), part(pipeline.document.text))
    if asked.note:
        plan = plan._replace(steps=tuple(_not_known(planned) for planned in plan.steps))
    notes = (*stack.notes, *([asked.note] if asked.note else []))
    return Prepared(plan, project, stack, pipeline, document, notes)


def new_run_id(now: float | None = None) -> str:
    """An id that sorts by time: `20270131-094500-3f9a1c`."""
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime(now)) + secrets.token_hex(3)


def deployment_of(prepared: Prepared, run_id: str) -> Deployment:
    """The plan with a run id."""
    deployment = deploy(
        prepared.plan,
        run_id=run_id,
        artifact_store=prepared.stack.artifact_store,
        project=str(prepared.project.root),
        created=time.time(),
        orchestrator=prepared.stack.orchestrator_fields,
        secret_store=prepared.stack.secret_store,
    )._replace(document=prepared.document, container_registry=prepared.stack.container_registry)
    found = prepared.containers
    steps = {name: step._replace(container=found.get(name, {})) for name, step in deployment.steps.items()}
    return deployment._replace(steps=steps)


def with_images(prepared: Prepared, tell: Tell) -> Prepared:
    """The plan with what its steps run in: images that are missing are built and pushed, and `tell` hears how it goes.

    Raises EngineError.
    """
    orchestrator = prepared.stack.orchestrator
    if not orchestrator.needs_image:
        return prepared
    from runner.engine.images import made_ready  # only for flavors with images: start-up time counts

    deployment = deployment_of(prepared, NO_RUN)
    made = made_ready(deployment, orchestrator, prepared.project.state, tell, only=_will_run(prepared.plan))
    return prepared._replace(containers={name: step.container for name, step in made.steps.items()})


def build_images(prepared: Prepared, tell: Tell, *, push: bool) -> list[dict[str, Any]]:
    """Make the images of all steps; facts of each. Without `push` they stay on the engine that makes them."""
    from runner.engine.images import images_to_json, made_images  # as above

    deployment = deployment_of(prepared, NO_RUN)
    if not push:
        deployment = deployment._replace(container_registry={})
    return images_to_json(made_images(deployment, prepared.stack.orchestrator, prepared.project.state, tell))


def images_for(prepared: Prepared) -> list[dict[str, Any]] | None:
    """Facts of the images that the steps which would run need, as they are now; None for a flavor without images."""
    orchestrator, names = prepared.stack.orchestrator, _will_run(prepared.plan)
    if not orchestrator.needs_image:
        return None
    from runner.engine.images import images_of, images_to_json  # as above

    found = images_of(deployment_of(prepared, NO_RUN), orchestrator)
    shown = [image._replace(steps=tuple(name for name in image.steps if name in names)) for image in found]
    return images_to_json(image for image in shown if image.steps)


def compiled(prepared: Prepared, run_id: str) -> Bundle:
    """The engine's own documents; nothing is sent."""
    orchestrator, deployment = prepared.stack.orchestrator, deployment_of(prepared, run_id)
    if orchestrator.needs_image and not prepared.containers:
        from runner.engine.images import unresolved  # as above

        deployment = unresolved(deployment, orchestrator)
    with blamed(type(orchestrator), prepared.stack.flavor):
        return orchestrator.compile(deployment)


def start(prepared: Prepared, run_id: str | None = None) -> Happened:
    """Run a plan to its end. Every event is on disk before it is yielded."""
    deployment = deployment_of(prepared, run_id or new_run_id())
    project, run_id = prepared.project, deployment.run_id
    stack = open_stack(
        deployment.artifact_store, project.state, secret_store=deployment.secret_store, root=str(project.root)
    )
    with held(project.state, stack.ledger, run_id) as ledger:
        ledger.store.sweep()
        ledger.write_deployment(deployment)
        yield from _record(project, deployment, stack._replace(ledger=ledger), prepared.stack.orchestrator)


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
        found = lookup.known(run_id, alone=True)
        done = _whole(ledger, deployment, found.run)
        if len(done) == len(deployment.steps) and found.run.status == "succeeded":
            raise UsageError(
                f"run '{run_id}' has succeeded: there is nothing to resume", "start a new run with `runner run`"
            )
        orchestrator = orchestrator_from(deployment.orchestrator, project.root)
        pending = [step for name, step in deployment.steps.items() if name not in done]
        for refusal in _refusals(orchestrator, pending, project):
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
        yield from _record(project, deployment, opened._replace(ledger=ledger, done=done), orchestrator)


def changed_since(project: Project, run_id: str, stack: str | None = None) -> str | None:
    """The pipeline's file, when it is not what it was as this run was planned: a resume keeps the plan as it was."""
    path, digest = ledger_of(project, run_id, stack).ledger.deployment(run_id).document
    text, _ = text_of(Path(path)) if path else (None, [])
    return project.shown(Path(path)) if text is not None and part(text) != digest else None


def open_run_store(project: Project) -> SqliteRunStore | None:
    """The project's run store, or None when nothing has run yet."""
    path = project.state / "runner.db"
    return SqliteRunStore(path) if path.exists() else None


def _will_run(plan: Plan) -> set[str]:
    return {planned.step.name for planned in plan.steps if planned.action in (RUN, UNKNOWN)}


# -- planning ----------------------------------------------------------------------------------------------------------


def _plan(
    project: Project, request: Request, pipeline: Pipeline, stack: Stack, asked: Asked, store: SqliteRunStore | None
) -> Plan:
    return build(
        pipeline.spec,
        parameters=pipeline.parameters,
        stack=stack.name,
        flavor=stack.flavor,
        settings=step_settings(pipeline.spec, type(stack.orchestrator), stack.flavor),
        images=step_images(pipeline.spec, project.root),
        resources={name: found for name, (found, _) in pipeline.resources.items()},
        code=CodeIndex(project.root).digest,
        cached=asked.cached,
        previous=LastSuccesses(store, asked.ledger, pipeline.spec.name) if store is not None else {},
        selection=Selection(request.only, request.from_, request.to),
        use_cache=request.use_cache,
        file=pipeline.document.file,
        beneath=stack.defaults,
        services=services_of(stack, pipeline.spec.name),
    )


def _not_known(planned: PlannedStep) -> PlannedStep:
    """A step of a plan for which the artifact store could not be asked."""
    never = planned.action == RUN and planned.reason in ("never ran", "no longer in the cache")
    return planned._replace(reason="not known whether it is cached") if never else planned


def _readable(project: Project, stack: Stack) -> Any:
    opened = open_stack(stack.artifact_store, Path(), secret_store=stack.secret_store, root=str(project.root))
    return opened.ledger.store


def _refusals(
    orchestrator: BaseOrchestrator,
    steps: Iterable[DeployedStep],
    project: Project,
    components: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[Refusal]:
    steps, kind = list(steps), type(orchestrator)
    with blamed(kind, orchestrator.flavor or kind.__name__):
        yield from cannot_honour(orchestrator, steps, str(project.root), components)
        yield from orchestrator.lacks(steps, str(project.root))


def _at(pipeline: Pipeline, stack: Stack, path: tuple[str, ...], code: str, message: str, help: str | None) -> Problem:
    return Problem(locate(pipeline, path, stack), code, message, help)


# -- running -----------------------------------------------------------------------------------------------------------


def _record(project: Project, deployment: Deployment, stack: OpenStack, orchestrator: BaseOrchestrator) -> Happened:
    """The one place where what happens becomes what happened."""
    record = Record(project.state / "runner.db", stack.ledger, deployment.run_id)
    ended = lost = False
    try:
        with record.keep():
            for happened in carry_out(orchestrator, deployment, stack):
                if isinstance(happened, Event):
                    check(stack.ledger)
                    ended = happened.step is None and happened.event != "run_started"
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
        if not ended and not isinstance(error, InvalidDocuments):
            failed = Event("run_failed", deployment.run_id, time.time(), data={"reason": error.message})
            _append_if_possible(record, deployment, failed)
        raise
    finally:
        if not lost:
            record.write_if_possible()
        record.close()


def _append_if_possible(record: Record, deployment: Deployment, event: Event) -> None:
    try:
        if not record.has_begun:
            record.append(Event("run_started", deployment.run_id, event.time, data=facts_of(deployment)))
        record.append(event)
    except StateError:
        return  # the store is what failed: the error that is on its way says so


# -- resuming ----------------------------------------------------------------------------------------------------------


def _adopt(project: Project, found: Recorded) -> None:
    """Let this project's run store know what happened elsewhere, before it goes on here."""
    store = SqliteRunStore(project.state / "runner.db")
    try:
        known = Recorded([event for _, event in store.events(found.run.run_id)], found.run)
        if later(known, found) is found:
            store.delete(found.run.run_id)
            store.append(*found.events)
    finally:
        store.close()


def _refuse_without_code(deployment: Deployment, run: Run, project: Project) -> None:
    """Raise StateError for a step whose code would have to come from this folder, and is not here."""
    modules = Modules(project.root)
    for name, step in deployment.steps.items():
        module = step.entrypoint.partition(":")[0]
        done = name in run.steps and run.steps[name].status in DONE
        if not (done or step.image or modules.has(module) or _is_installed(module, project)):
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


def _whole(ledger: Ledger, deployment: Deployment, run: Run) -> dict[str, Mapping[str, Artifact]]:
    """Outputs of the steps that need not run again: they succeeded, and what they left is still there."""
    finished = [name for name, step in run.steps.items() if name in deployment.steps and step.status in DONE]
    whole = ledger.each(lambda name: ledger.has_all(run.steps[name].outputs.values()), finished)
    return {name: run.steps[name].outputs for name, there in zip(finished, whole, strict=True) if there}


def _with_code_of_now(deployment: Deployment, project: Project) -> Deployment:
    index = CodeIndex(project.root)
    steps = {
        name: step._replace(fingerprint={**step.fingerprint, "code": index.digest(step.entrypoint)})
        for name, step in deployment.steps.items()
    }
    return deployment._replace(steps=steps)

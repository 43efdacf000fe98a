"""From a request to a plan, and to what an orchestrator is given; nothing is started and nothing written."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.artifact_store.ledger import Ledger
from runner.engine.asked import Asked
from runner.engine.needed_secrets import missing_secrets
from runner.engine.previous import LastSuccesses
from runner.engine.stack import open_stack
from runner.errors import (
    CannotPlan,
    Problem,
    UsageError,
)
from runner.images.trouble import ImageError
from runner.orchestrators.base import BaseOrchestrator, Bundle, Refusal
from runner.orchestrators.blame import blamed
from runner.orchestrators.portability import cannot_honour, on_failure, require_available
from runner.plan.build import build, deploy
from runner.plan.code import CodeIndex
from runner.plan.deployment import DeployedStep, Deployment
from runner.plan.fingerprint import part
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
    origins,
    places,
    services_of,
    step_images,
    step_settings,
    unreachable,
)
from runner.project.honour import as_problems
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
    """A plan, and what is needed to carry it out; `notes` are what the user should know beside it, `containers` and
    `controller` what steps and the run's controller run in, once `with_images` has made it ready."""

    plan: Plan
    project: Project
    stack: Stack
    pipeline: Pipeline
    document: tuple[str, str] = ("", "")
    notes: tuple[str, ...] = ()
    containers: Mapping[str, dict[str, Any]] = {}
    controller: Mapping[str, Any] = {}

    def origins(self) -> dict[str, dict[str, str]]:
        """Step → each value that it has, as `resources.memory` → the file and the line that set it."""
        return {planned.step.name: origins(self.pipeline, self.stack, planned.step) for planned in self.plan.steps}


NO_RUN = "no-run"  # in place of a run's id, where nothing is run


def prepare(
    project: Project, request: Request, env: Mapping[str, str] | None = None, *, to_run: bool = False, ask: bool = True
) -> Prepared:
    """Everything up to the plan; nothing is started and nothing is written.

    Raises InvalidDocuments, CannotPlan (what this stack or machine cannot do, each at its position), UsageError; with
    `to_run` also EngineError for a flavor that can be planned for and cannot run yet, before any store is reached.
    Without `ask` the artifact store is not asked what is cached, and a flavor that can only be compiled for will do.
    """
    pipeline, stack = _loaded(project, request, os.environ if env is None else env)
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
    problems += as_problems(pipeline, stack, refusals_of(stack.orchestrator, steps, project, components_of(stack)))
    problems += as_problems(pipeline, stack, on_failure(stack.orchestrator, plan.on_failure))
    if to_run and ask:
        to_start = [step for step in steps if step.name in _will_run(plan)]
        missing = missing_secrets(stack.orchestrator, stack.secret_store, str(project.root), to_start)
        problems += as_problems(pipeline, stack, missing)
    if problems:
        raise CannotPlan(problems, places(pipeline, stack))
    for obstacle in plan.obstacles:
        raise UsageError(obstacle.message, obstacle.help)
    document = (str(request.pipeline.absolute()), part(pipeline.document.text))
    if asked.note:
        plan = plan._replace(steps=tuple(_not_known(planned) for planned in plan.steps))
    notes = (*stack.notes, *([asked.note] if asked.note else []))
    return Prepared(plan, project, stack, pipeline, document, notes)


def is_carried_elsewhere(project: Project, request: Request, env: Mapping[str, str] | None = None) -> bool:
    """Whether the run would go on in its engine without whoever started it. Raises InvalidDocuments, UsageError."""
    _, stack = _loaded(project, request, os.environ if env is None else env)
    return stack.orchestrator.detaches


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
    if prepared.stack.orchestrator.serves_many:
        from runner.project.runtime import runtime_parameters  # few flavors ask for them: start-up time counts

        deployment = deployment._replace(runtime=runtime_parameters(prepared.pipeline))
    found = prepared.containers
    steps = {name: step._replace(container=found.get(name, {})) for name, step in deployment.steps.items()}
    return deployment._replace(steps=steps, controller=dict(prepared.controller))


def with_images(prepared: Prepared, tell: Tell) -> Prepared:
    """The plan with what its steps run in: images that are missing are built and pushed, and `tell` hears how it goes.

    Raises EngineError.
    """
    orchestrator = prepared.stack.orchestrator
    if not orchestrator.needs_image:
        return prepared
    from runner.engine.images import made_ready  # only for flavors with images: start-up time counts

    deployment, state = deployment_of(prepared, NO_RUN), prepared.project.state
    with _placed(prepared):
        made = made_ready(deployment, orchestrator, state, tell, only=_will_run(prepared.plan))
    containers = {name: step.container for name, step in made.steps.items()}
    return prepared._replace(containers=containers, controller=made.controller)


def build_images(prepared: Prepared, tell: Tell, *, push: bool) -> list[dict[str, Any]]:
    """Make the images of all steps; facts of each. Without `push` they stay on the engine that makes them."""
    from runner.engine.images import images_to_json, made_images  # as above

    deployment = deployment_of(prepared, NO_RUN)
    if not push:
        deployment = deployment._replace(container_registry={})
    with _placed(prepared):
        return images_to_json(made_images(deployment, prepared.stack.orchestrator, prepared.project.state, tell))


def images_for(prepared: Prepared) -> list[dict[str, Any]] | None:
    """Facts of the images that the steps which would run need, as they are now; None for a flavor without images."""
    orchestrator, names = prepared.stack.orchestrator, _will_run(prepared.plan)
    if not orchestrator.needs_image:
        return None
    from runner.engine.images import images_of, images_to_json  # as above

    with _placed(prepared):
        found = images_of(deployment_of(prepared, NO_RUN), orchestrator)
    shown = [image._replace(steps=tuple(name for name in image.steps if name in names)) for image in found]
    return images_to_json(image for image in shown if image.steps or image.controller)


def compiled(prepared: Prepared, run_id: str) -> Bundle:
    """The engine's own documents; nothing is sent."""
    orchestrator, deployment = prepared.stack.orchestrator, deployment_of(prepared, run_id)
    if orchestrator.needs_image and not prepared.containers:
        from runner.engine.images import unresolved  # as above

        with _placed(prepared):
            deployment = unresolved(deployment, orchestrator)
    with blamed(type(orchestrator), prepared.stack.flavor):
        return orchestrator.compile(deployment)


@contextlib.contextmanager
def _placed(prepared: Prepared) -> Iterator[None]:
    """What is wrong with an image is told with the place where it was written."""
    try:
        yield
    except ImageError as error:
        step, pipeline = error.steps[0], prepared.pipeline
        image = {planned.step.name: planned.step.image for planned in prepared.plan.steps}[step]
        key = next((each for each in (error.key, "context") if each in image), "")
        path: list[str | int] = ["steps", step, "settings", "image", *filter(None, [key])]
        values = image.get(key) if error.word else None
        if isinstance(values, list) and error.word in values:
            path.append(values.index(error.word))
        raise error.at(locate(pipeline, path, prepared.stack)) from error.__cause__


def open_run_store(project: Project) -> SqliteRunStore | None:
    """The project's run store, or None when nothing has run yet."""
    path = project.state / "runner.db"
    return SqliteRunStore(path) if path.exists() else None


def _loaded(project: Project, request: Request, env: Mapping[str, str]) -> tuple[Pipeline, Stack]:
    pipeline = load_pipeline(project, request.pipeline, request.parameters, env)
    named = (pipeline.spec.name, pipeline.spec.stack)
    return pipeline, load_stack(project, *choose_stack(project, request.stack, env, named), env)


def _will_run(plan: Plan) -> set[str]:
    return {planned.step.name for planned in plan.steps if planned.action in (RUN, UNKNOWN)}


def _plan(
    project: Project, request: Request, pipeline: Pipeline, stack: Stack, asked: Asked, store: SqliteRunStore | None
) -> Plan:
    # To know what has changed since is not worth a request where the store is not to be asked; to reuse outputs is.
    looks_back = asked.ask or bool(request.only or request.from_ or request.to)
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
        previous=LastSuccesses(store, asked.ledger, pipeline.spec.name) if store is not None and looks_back else {},
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


def refusals_of(
    orchestrator: BaseOrchestrator,
    steps: Iterable[DeployedStep],
    project: Project,
    components: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[Refusal]:
    """What this flavor cannot honour of these steps, beside the stack's other `components`, and what it lacks here."""
    steps, kind = list(steps), type(orchestrator)
    with blamed(kind, orchestrator.flavor or kind.__name__):
        yield from cannot_honour(orchestrator, steps, str(project.root), components)
        yield from orchestrator.lacks(steps, str(project.root))
    if orchestrator.needs_image and (project.root / ".dockerignore").exists():
        from runner.engine.left_out import left_out  # as above

        yield from left_out(steps, project.root)


def _at(pipeline: Pipeline, stack: Stack, path: tuple[str, ...], code: str, message: str, help: str | None) -> Problem:
    return Problem(locate(pipeline, path, stack), code, message, help)

"""Run a pipeline: from a request to a plan, from a plan to events on record."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from runner.artifact_store.ledger import Ledger
from runner.document.read import text_of
from runner.engine.history import ledger_of
from runner.engine.lock import walking
from runner.engine.previous import LastSuccesses
from runner.engine.stack import OpenStack, open_stack
from runner.errors import (
    CannotPlan,
    EngineError,
    InvalidDocuments,
    Position,
    Problem,
    RunnerError,
    StateError,
    UsageError,
)
from runner.orchestrators.base import BaseOrchestrator, Bundle, Refusal, refusals
from runner.plan.build import build, deploy
from runner.plan.code import CodeIndex
from runner.plan.deployment import DeployedStep, Deployment, facts_of
from runner.plan.fingerprint import part
from runner.plan.plan import Plan, Selection
from runner.project import (
    Pipeline,
    Project,
    Stack,
    load_pipeline,
    load_stack,
    locate,
    orchestrator_from,
    step_images,
    step_settings,
)
from runner.records import DONE, Artifact, Event, LogLines, Run, fold
from runner.run_store.sqlite import SqliteRunStore


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
    """A plan, and what is needed to carry it out."""

    plan: Plan
    project: Project
    stack: Stack
    document: tuple[str, str] = ("", "")


Happened = Iterator[Event | LogLines]


def prepare(project: Project, request: Request, env: Mapping[str, str] | None = None) -> Prepared:
    """Everything up to the plan; nothing is started and nothing is written.

    Raises InvalidDocuments, CannotPlan (what this stack or machine cannot do, each at its position), UsageError.
    """
    env = os.environ if env is None else env
    pipeline = load_pipeline(project, request.pipeline, request.parameters, env)
    stack = load_stack(project, *_chosen(request, pipeline, env), env)
    store = open_run_store(project)
    try:
        plan = _plan(project, request, pipeline, stack, Ledger(_readable(stack)), store)
    finally:
        if store is not None:
            store.close()
    problems = [_at(pipeline, *obstacle) for obstacle in plan.obstacles if obstacle.path]
    problems += _refused(
        project, pipeline, stack, [planned.step for planned in plan.steps if planned.action != "reused"]
    )
    if problems:
        raise CannotPlan(problems, {pipeline.document.file: pipeline.document.text})
    for obstacle in plan.obstacles:
        raise UsageError(obstacle.message, obstacle.help)
    return Prepared(plan, project, stack, (str(request.pipeline.absolute()), part(pipeline.document.text)))


def new_run_id(now: float | None = None) -> str:
    """An id that sorts by time: `20270131-094500-3f9a1c`."""
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime(now)) + secrets.token_hex(3)


def deployment_of(prepared: Prepared, run_id: str) -> Deployment:
    """The plan with a run id."""
    return deploy(
        prepared.plan,
        run_id=run_id,
        artifact_store=prepared.stack.artifact_store,
        project=str(prepared.project.root),
        created=time.time(),
        orchestrator=prepared.stack.orchestrator_fields,
    )._replace(document=prepared.document)


def compiled(prepared: Prepared, run_id: str) -> Bundle:
    """The engine's own documents; nothing is sent."""
    return prepared.stack.orchestrator.compile(deployment_of(prepared, run_id))


def start(prepared: Prepared, run_id: str | None = None) -> Happened:
    """Run a plan to its end. Every event is on disk before it is yielded."""
    deployment = deployment_of(prepared, run_id or new_run_id())
    stack = open_stack(deployment.artifact_store, prepared.project.state)
    with walking(prepared.project.state, deployment.run_id):
        stack.ledger.store.sweep()
        stack.ledger.write_deployment(deployment)
        yield from _record(prepared.project, deployment, stack, prepared.stack.orchestrator)


def resume(project: Project, run_id: str) -> Happened:
    """Run what did not succeed, with the outputs of what did. The project's code is taken as it is now.

    Raises StateError when the run is still going or is not on record, UsageError when nothing is left to do.
    """
    with walking(project.state, run_id):
        store = SqliteRunStore(project.state / "runner.db")
        run = fold((event for _, event in store.events(run_id)), run_id)
        store.close()
        deployment, stack = _recorded(project, run_id)
        done = _whole(stack.ledger, deployment, run)
        if len(done) == len(deployment.steps) and run.status == "succeeded":
            raise UsageError(
                f"run '{run_id}' has succeeded: there is nothing to resume", "start a new run with `runner run`"
            )
        orchestrator = orchestrator_from(deployment.orchestrator, project.root)
        pending = [step for name, step in deployment.steps.items() if name not in done]
        for refusal in _refusals(orchestrator, pending, project):
            raise StateError(f"run '{run_id}' cannot go on here: {refusal.message}", refusal.help)
        deployment = _with_code_of_now(deployment, project)
        stack.ledger.write_deployment(deployment)
        stack.ledger.clear_cancel(run_id)
        yield from _record(project, deployment, stack._replace(done=done), orchestrator)


def changed_since(project: Project, run_id: str) -> str | None:
    """The pipeline's file, when it is not what it was as this run was planned: a resume keeps the plan as it was."""
    path, digest = ledger_of(project, run_id).ledger.deployment(run_id).document
    text, _ = text_of(Path(path)) if path else (None, [])
    return project.shown(Path(path)) if text is not None and part(text) != digest else None


def open_run_store(project: Project) -> SqliteRunStore | None:
    """The project's run store, or None when nothing has run yet."""
    path = project.state / "runner.db"
    return SqliteRunStore(path) if path.exists() else None


# -- planning ----------------------------------------------------------------------------------------------------------


def _chosen(request: Request, pipeline: Pipeline, env: Mapping[str, str]) -> tuple[str | None, str]:
    if request.stack:
        return request.stack, "--stack"
    if env.get("RUNNER_STACK"):
        return env["RUNNER_STACK"], "RUNNER_STACK"
    if pipeline.spec.stack:
        return pipeline.spec.stack, f"the pipeline '{pipeline.spec.name}'"
    return None, "nothing else was named"


def _plan(
    project: Project, request: Request, pipeline: Pipeline, stack: Stack, ledger: Ledger, store: SqliteRunStore | None
) -> Plan:
    return build(
        pipeline.spec,
        parameters=pipeline.parameters,
        stack=stack.name,
        flavor=stack.flavor,
        settings=step_settings(pipeline, type(stack.orchestrator), stack.flavor),
        images=step_images(pipeline.spec, project.root),
        resources=pipeline.resources,
        code=CodeIndex(project.root).digest,
        cached=ledger.cached,
        previous=LastSuccesses(store, ledger, pipeline.spec.name) if store is not None else {},
        selection=Selection(request.only, request.from_, request.to),
        use_cache=request.use_cache,
        file=pipeline.document.file,
    )


def _readable(stack: Stack) -> Any:
    return open_stack(stack.artifact_store, Path()).ledger.store


def _refused(project: Project, pipeline: Pipeline, stack: Stack, steps: list[DeployedStep]) -> list[Problem]:
    found: dict[tuple[Position, str], list[Problem]] = {}
    for refusal in _refusals(stack.orchestrator, steps, project):
        problem = _at(pipeline, *refusal)
        found.setdefault((problem.position, problem.code), []).append(problem)
    return [_told_once(problems) for problems in found.values()]


def _told_once(problems: list[Problem]) -> Problem:
    """One problem for all steps that have it from the same place, as from the pipeline's defaults."""
    first, more = problems[0], len(problems) - 1
    if not more:
        return first
    return first._replace(message=f"{first.message} (and so for {more:,} more step{'' if more == 1 else 's'})")


def _refusals(orchestrator: BaseOrchestrator, steps: Iterable[DeployedStep], project: Project) -> Iterator[Refusal]:
    steps = list(steps)
    yield from refusals(orchestrator, steps)
    yield from orchestrator.refusals(steps, str(project.root))


def _at(pipeline: Pipeline, path: tuple[str, ...], code: str, message: str, help: str | None) -> Problem:
    return Problem(locate(pipeline.document, path), code, message, help)


# -- running -----------------------------------------------------------------------------------------------------------


def _record(project: Project, deployment: Deployment, stack: OpenStack, orchestrator: BaseOrchestrator) -> Happened:
    """The one place where what happens becomes what happened."""
    store = SqliteRunStore(project.state / "runner.db")
    ended = False
    try:
        for happened in orchestrator.prepare_or_run_pipeline(deployment, stack):
            if isinstance(happened, Event):
                if happened.event == "run_started":
                    happened = happened._replace(data=facts_of(deployment) | happened.data)
                store.append(happened)
                ended = happened.step is None and happened.event != "run_started"
            yield happened
        if not ended:
            reason = f"flavor '{deployment.flavor}' stopped without telling how the run ended"
            raise EngineError(reason, "the last of its events is run_succeeded, run_failed or run_cancelled")
    except RunnerError as error:
        if not ended and not isinstance(error, InvalidDocuments):
            failed = Event("run_failed", deployment.run_id, time.time(), data={"reason": error.message})
            _append_if_possible(store, deployment, failed)
        raise
    finally:
        store.close()


def _append_if_possible(store: SqliteRunStore, deployment: Deployment, event: Event) -> None:
    try:
        if not store.run_ids(deployment.run_id):
            store.append(Event("run_started", deployment.run_id, event.time, data=facts_of(deployment)))
        store.append(event)
    except StateError:
        return  # the store is what failed: the error that is on its way says so


# -- resuming ----------------------------------------------------------------------------------------------------------


def _recorded(project: Project, run_id: str) -> tuple[Deployment, OpenStack]:
    """A run's deployment and its open stack."""
    stack = ledger_of(project, run_id)
    return stack.ledger.deployment(run_id), stack


def _whole(ledger: Ledger, deployment: Deployment, run: Run) -> dict[str, Mapping[str, Artifact]]:
    """Outputs of the steps that need not run again: they succeeded, and what they left is still there."""
    done: dict[str, Mapping[str, Artifact]] = {}
    for name, step_run in run.steps.items():
        finished = name in deployment.steps and step_run.status in DONE
        if finished and ledger.has_all(step_run.outputs.values()):
            done[name] = step_run.outputs
    return done


def _with_code_of_now(deployment: Deployment, project: Project) -> Deployment:
    index = CodeIndex(project.root)
    steps = {
        name: step._replace(fingerprint={**step.fingerprint, "code": index.digest(step.entrypoint)})
        for name, step in deployment.steps.items()
    }
    return deployment._replace(steps=steps)

"""What `runner doctor` tries from inside of a stack's engine, in an image of the stack that is known to exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

from runner.checks import Check
from runner.engine.prepare import NO_RUN, open_run_store
from runner.engine.stack import open_stack
from runner.errors import RunnerError
from runner.orchestrators.base import BaseOrchestrator
from runner.orchestrators.blame import blamed
from runner.plan.deployment import Deployment
from runner.project import Project, Stack, components_of

NAME = "inside"
RECENT = 50  # runs whose images are looked for


def inside(project: Project, stack: Stack, environ: Mapping[str, str]) -> Iterator[Check]:
    """What the flavor finds out there; nothing for one that has no inside."""
    orchestrator = stack.orchestrator
    if type(orchestrator).inside is BaseOrchestrator.inside:
        return
    try:
        with blamed(type(orchestrator), stack.flavor):
            image = _of_controller(project, stack, environ) or _of_steps(project, stack)
            for check in orchestrator.inside(components_of(stack), image):
                yield check._replace(told=" ".join(check.told.split()))
    except RunnerError as error:
        yield Check(NAME, False, error.message, error.help)
    except Exception as error:  # what an SDK lets through
        help = "this is a mistake in what tries the engine"
        yield Check(NAME, False, f"{type(error).__name__}: {error}", help)


def _of_controller(project: Project, stack: Stack, environ: Mapping[str, str]) -> str | None:
    """The image of the stack's controllers, when it has been made."""
    from runner.engine.images import images_of  # only for flavors with images: start-up time counts
    from runner.images.resolve import EXISTS

    deployment = Deployment(
        NO_RUN,
        NAME,
        stack.name,
        stack.flavor,
        {},
        stack.artifact_store,
        str(project.root),
        orchestrator=stack.orchestrator_fields,
        secret_store=stack.secret_store,
        container_registry=stack.container_registry,
    )
    with suppress(RunnerError):  # where images cannot be asked for, doctor says so of the registry
        for image in images_of(deployment, stack.orchestrator, environ):
            if image.controller and image.state == EXISTS:
                return image.reference
    return None


def _of_steps(project: Project, stack: Stack) -> str | None:
    """The image of a step of the stack's newest run that had one."""
    store = open_run_store(project)
    if store is None:
        return None
    opened = open_stack(stack.artifact_store, Path(), secret_store=stack.secret_store, root=str(project.root))
    with closing(store), suppress(RunnerError):
        for run in store.runs(RECENT):
            if run.stack == stack.name:
                steps = opened.ledger.deployment(run.run_id).steps.values()
                return next((str(step.container["image"]) for step in steps if step.container.get("image")), None)
    return None

"""A run keeps the engine that it began with: who asks it in vain is told when the stack names another by now."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from runner.errors import EngineError, RunnerError
from runner.plan.deployment import Deployment
from runner.project import Project, choose_stack, load_stack


@contextlib.contextmanager
def as_begun(project: Project, deployment: Deployment) -> Iterator[None]:
    """What the engine of a run raises, with a word on the stack, if that has changed since the run began."""
    try:
        yield
    except EngineError as error:
        if _has_changed(project, deployment):
            told = f"stack '{deployment.stack}' has changed since: this run stays with what it said when it began"
            error.help = "; ".join(filter(None, (error.help, told)))
        raise


def _has_changed(project: Project, deployment: Deployment) -> bool:
    with contextlib.suppress(RunnerError):
        stack = load_stack(project, *choose_stack(project, deployment.stack, os.environ), os.environ)
        return stack.orchestrator_fields != deployment.orchestrator
    return False

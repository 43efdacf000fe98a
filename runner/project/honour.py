"""What of a pipeline a stack's flavor cannot honour, each at the place that asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from runner.document.node import UNKNOWN
from runner.errors import Position, Problem
from runner.orchestrators import registry
from runner.orchestrators.base import Refusal
from runner.orchestrators.portability import Report, as_it_comes, cannot_honour, on_failure, report
from runner.plan.deployment import DeployedStep
from runner.plan.steps import complete
from runner.project.folder import Project
from runner.project.origins import locate
from runner.project.pipelines import Pipeline, step_images, step_settings
from runner.project.stacks import Stack, components_of
from runner.spec.pipeline import PipelineSpec
from runner.spec.stack import StackDefaults


def refused(project: Project, pipeline: Pipeline, stack: Stack) -> list[Problem]:
    """What the stack's flavor cannot honour of this pipeline, on whatever machine. Parameters may lack values."""
    pipeline = pipeline._replace(spec=_without_unknown(pipeline.spec))
    try:
        settings = step_settings(pipeline.spec, type(stack.orchestrator), stack.flavor)
    except ValidationError:  # without what depends on a parameter they are not whole: told when it has a value
        return []
    steps = _steps(project, pipeline, settings, stack.defaults)
    refusals = [
        *cannot_honour(stack.orchestrator, steps, str(project.root), components_of(stack)),
        *on_failure(stack.orchestrator, pipeline.spec.on_failure),
    ]
    return as_problems(pipeline, stack, refusals)


def as_problems(pipeline: Pipeline, stack: Stack | None, refusals: Iterable[Refusal]) -> list[Problem]:
    """Refusals at their positions; one for all steps that have it from the same place, as from the defaults."""
    found: dict[tuple[Position, str], list[Problem]] = {}
    for path, code, message, help in refusals:
        problem = Problem(locate(pipeline, path, stack), code, message, help)
        found.setdefault((problem.position, problem.code), []).append(problem)
    return [_told_once(problems) for problems in found.values()]


def on_all_flavors(project: Project, pipeline: Pipeline) -> tuple[Report, dict[str, list[Problem]]]:
    """What each flavor honours of this pipeline, and flavor → what it refuses, at its positions."""
    steps = _steps(project, pipeline, {}, StackDefaults())
    spec = pipeline.spec
    written = {
        name: {
            key: {**(spec.settings.get(key) or {}), **(step.settings.get(key) or {})}
            for key in {**spec.settings, **step.settings}
            if key != "image"
        }
        for name, step in spec.steps.items()
    }
    flavors = {name: registry.flavor(name, project.root) for name in registry.in_order()}
    found = report(steps, lambda name, kind: step_settings(spec, kind, name), written, flavors, str(project.root))
    more = (
        (name, refusal) for name, kind in flavors.items() for refusal in on_failure(as_it_comes(kind), spec.on_failure)
    )
    found = found._replace(refusals=(*found.refusals, *more))
    problems = {
        name: as_problems(pipeline, None, [refusal for who, refusal in found.refusals if who == name])
        for name in flavors
    }
    return found, problems


def _steps(
    project: Project, pipeline: Pipeline, settings: Mapping[str, Mapping[str, Any]], beneath: StackDefaults
) -> list[DeployedStep]:
    steps = complete(
        pipeline.spec,
        pipeline.spec.steps,
        settings=settings,
        images=step_images(pipeline.spec, project.root),
        resources={name: found for name, (found, _) in pipeline.resources.items()},
        code=lambda entrypoint: "",  # what it does makes no difference here
        beneath=beneath,
    )
    return list(steps.values())


def _without_unknown(spec: PipelineSpec) -> PipelineSpec:
    """The spec without those settings that depend on a parameter without a value."""
    steps = {name: step.model_copy(update={"settings": _known(step.settings)}) for name, step in spec.steps.items()}
    return spec.model_copy(update={"settings": _known(spec.settings), "steps": steps})


def _known(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _known(member) for key, member in value.items() if member is not UNKNOWN}
    if isinstance(value, list):
        return [_known(element) for element in value if element is not UNKNOWN]
    return value


def _told_once(problems: list[Problem]) -> Problem:
    first, more = problems[0], len(problems) - 1
    if not more:
        return first
    return first._replace(message=f"{first.message} (and so for {more:,} more step{'' if more == 1 else 's'})")

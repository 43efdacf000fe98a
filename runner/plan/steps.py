"""Declared steps made whole: defaults merged in, names resolved, and the parts of the fingerprint taken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runner.plan.deployment import DeployedStep
from runner.plan.fingerprint import part
from runner.spec import OUTPUT
from runner.spec.pipeline import CachePolicy, Defaults, PipelineSpec, Retry, StepSpec
from runner.spec.resources import Resources
from runner.spec.stack import NO_DEFAULTS, StackDefaults

Settings = Mapping[str, Mapping[str, Any]]

# Asked of the class each time, these are slow.
_RESOURCES, _RETRY = tuple(Resources.model_fields), tuple(Retry.model_fields)


def complete(
    spec: PipelineSpec,
    names: Iterable[str],
    *,
    settings: Settings,
    images: Settings,
    resources: Mapping[str, Resources],
    code: Callable[[str], str],
    beneath: StackDefaults = NO_DEFAULTS,
    services: Mapping[str, str] = {},
) -> dict[str, DeployedStep]:
    """These steps of the pipeline with all that holds for them; see `build` for the arguments."""
    layers = (beneath, spec.defaults)
    single = {name: _single_output(step) for name, step in spec.steps.items()}
    part_of = _remembered(part)
    steps = {}
    for name in names:
        step = spec.steps[name]
        image = dict(images.get(name, {}))
        environment = beneath.environment | spec.environment | step.environment
        cache = step.cache if "cache" in step.model_fields_set else spec.defaults.cache
        steps[name] = DeployedStep(
            name=name,
            entrypoint=step.entrypoint,
            inputs={argument: source(reference, single) for argument, reference in step.inputs.items()},
            after=step.after,
            parameters=dict(step.parameters),
            outputs=tuple(step.outputs or ()),
            resources=_resources((*layers, step), resources),
            retry=_retry((*layers, step)),
            timeout=_timeout((*layers, step)),
            cache=cache is not False and not names_run([step.parameters, environment, image]),
            expires_after=cache.expires_after if isinstance(cache, CachePolicy) else None,
            environment={**services, **environment} if services else environment,
            settings=dict(settings.get(name, {})),
            image=image,
            fingerprint={
                "code": code(step.entrypoint),
                "parameters": part_of(step.parameters),
                "outputs": part_of(step.outputs or [OUTPUT]),
                "environment": part_of(environment),
                "image": part_of(image),
            },
        )
    return steps


def source(reference: str, single: Mapping[str, str]) -> tuple[str, str]:
    """The step and the output that `step` or `step.output` means; `single` has the output that a bare name means."""
    step, _, output = reference.partition(".")
    return step, output or single.get(step, OUTPUT)


def names_run(value: Any) -> bool:
    """Whether `${run.id}` stands anywhere in a value: it differs with every run. `$${run.id}` is just text."""
    todo = [value]
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            if "run.id" in value and any(not escape for escape in re.findall(r"(\$?)\$\{\s*run\.id\s*\}", value)):
                return True
        elif isinstance(value, Mapping):
            todo += [*value, *value.values()]
        elif isinstance(value, list | tuple):
            todo += value
    return False


def _single_output(step: StepSpec) -> str:
    return step.outputs[0] if step.outputs and len(step.outputs) == 1 else OUTPUT


# The stack's defaults, the pipeline's, and the step: what a later one says wins, field by field. `null` is said too:
# that is how one takes back what stands beneath it.
Layers = tuple[StackDefaults | Defaults | StepSpec, ...]


def _timeout(layers: Layers) -> float | None:
    found = None
    for layer in layers:
        if "timeout" in layer.model_fields_set:
            found = layer.timeout
    return found


def _resources(layers: Layers, named: Mapping[str, Resources]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for layer in layers:
        if "resources" in layer.model_fields_set:
            fields = {} if layer.resources is None else fields | _fields(layer.resources, named)
    return {name: fields[name] for name in _RESOURCES if fields.get(name) is not None} if fields else fields


def _fields(choice: str | Resources, named: Mapping[str, Resources]) -> dict[str, Any]:
    found = named.get(choice) if isinstance(choice, str) else choice
    return {name: getattr(found, name) for name in found.model_fields_set} if found else {}


def _retry(layers: Layers) -> dict[str, Any] | None:
    found: dict[str, Any] | None = None
    for layer in layers:
        if "retry" in layer.model_fields_set:
            if layer.retry is None:
                found = None
                continue
            said = layer.retry.model_fields_set
            found = {
                name: found[name] if found is not None and name not in said else getattr(layer.retry, name)
                for name in _RETRY
            }
    return found


def _remembered(function: Callable[[Any], str]) -> Callable[[Any], str]:
    # Most steps of a large pipeline have no environment, no image and one output.
    empty = {"{}": function({}), "[]": function([OUTPUT])}

    def remembered(value: Any) -> str:
        if value == {}:
            return empty["{}"]
        return empty["[]"] if value == [OUTPUT] else function(value)

    return remembered

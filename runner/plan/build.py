"""From a pipeline to a plan, and from a plan to a deployment. Pure: what was found elsewhere comes in as functions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from runner.errors import nearest
from runner.plan.deployment import DeployedStep, Deployment
from runner.plan.fingerprint import PARTS, cache_key
from runner.plan.graph import ancestors, select, waves
from runner.plan.plan import CACHED, REUSED, RUN, UNKNOWN, Obstacle, Plan, PlannedStep, PreviousStep, Selection
from runner.plan.steps import Settings, complete, names_run
from runner.records import Artifact, StepResult
from runner.spec.pipeline import PipelineSpec
from runner.spec.resources import Resources
from runner.spec.stack import NO_DEFAULTS, StackDefaults

Cached = Callable[[str, float | None], StepResult | None]
Outputs = Mapping[str, Mapping[str, Artifact]]


class Found(NamedTuple):
    """What was found of earlier runs: results by key (and how old they may be), and each step's last success."""

    cached: Cached
    previous: Mapping[str, PreviousStep]


def build(
    spec: PipelineSpec,
    *,
    parameters: Mapping[str, Any],
    stack: str,
    flavor: str,
    settings: Settings,
    images: Settings,
    resources: Mapping[str, Resources],
    code: Callable[[str], str],
    cached: Cached,
    previous: Mapping[str, PreviousStep],
    selection: Selection,
    use_cache: bool,
    file: str = "",
    beneath: StackDefaults = NO_DEFAULTS,
    services: Mapping[str, str] = {},
) -> Plan:
    """The plan of a pipeline whose document is valid and filled in; what stands in its way is in `Plan.obstacles`.

    `parameters` the pipeline's, for the record      `settings`, `images` of each step, bound and complete
    `resources` `kind: resources` documents by name  `code` entrypoint → digest of its code (CodeIndex.digest)
    `cached` key, greatest age in seconds → a result whose artifacts are all there, or None
    `previous` steps that have succeeded before, and whose outputs are still there
    `beneath` the stack's defaults                    `services` variables by which steps find the stack's services:
                                                     they do not count in the cache
    """
    needs = _needs(spec)
    obstacles = list(_unknown_names(selection, needs))
    chosen = set() if obstacles else select(needs, *selection)
    if not chosen and not obstacles:
        obstacles.append(Obstacle((), "nothing-selected", "no step is selected", _why_nothing(selection)))
    relevant = _relevant(spec, chosen)
    steps = complete(
        spec,
        relevant,
        settings=settings,
        images=images,
        resources=resources,
        code=code,
        beneath=beneath,
        services=services,
    )
    found = Found(cached, previous)
    planned = _decide(_narrow(steps, chosen), chosen, found, use_cache)
    shown = _in_order(planned, chosen)
    obstacles += _nothing_to_reuse(steps, chosen, planned)
    return Plan(
        pipeline=spec.name,
        stack=stack,
        flavor=flavor,
        parameters=dict(parameters),
        on_failure=spec.on_failure,
        steps=shown,
        file=file,
        use_cache=use_cache,
        obstacles=tuple(obstacles),
        left_out=_left_out(needs, shown),
    )


def deploy(
    plan: Plan,
    *,
    run_id: str,
    artifact_store: dict[str, Any],
    project: str,
    created: float,
    orchestrator: dict[str, Any],
    secret_store: dict[str, Any] | None = None,
) -> Deployment:
    """The plan as one run. Steps that the plan found in the cache are in it: the run looks them up again."""
    return Deployment(
        run_id=run_id,
        pipeline=plan.pipeline,
        stack=plan.stack,
        flavor=plan.flavor,
        steps={planned.step.name: planned.step for planned in plan.steps if planned.action != REUSED},
        artifact_store=artifact_store,
        project=project,
        parameters=plan.parameters,
        on_failure=plan.on_failure,
        provided={planned.step.name: planned.outputs for planned in plan.steps if planned.action == REUSED},
        use_cache=plan.use_cache,
        created=created,
        file=plan.file,
        orchestrator=orchestrator,
        secret_store=secret_store or {},
    )


def _needs(spec: PipelineSpec) -> dict[str, list[str]]:
    return {
        name: [reference.partition(".")[0] for reference in step.inputs.values()] + list(step.after)
        for name, step in spec.steps.items()
    }


def _relevant(spec: PipelineSpec, chosen: set[str]) -> list[str]:
    """The chosen steps; those whose outputs they take; and those that must be looked up to know the keys of these."""
    if len(chosen) == len(spec.steps):
        return list(spec.steps)
    givers = {
        name: {reference.partition(".")[0] for reference in step.inputs.values()} for name, step in spec.steps.items()
    }
    beyond = {name: needed - chosen for name, needed in givers.items()}
    wanted = ancestors(beyond, set().union(*(beyond[name] for name in chosen)) if chosen else ())
    return [name for name in spec.steps if name in chosen or name in wanted]


def _narrow(steps: Mapping[str, DeployedStep], chosen: Collection[str]) -> dict[str, DeployedStep]:
    # `after` a step that does not run is nothing to wait for.
    return {
        name: step._replace(after=tuple(other for other in step.after if other in chosen)) if step.after else step
        for name, step in steps.items()
    }


def _decide(
    steps: Mapping[str, DeployedStep], chosen: set[str], found: Found, use_cache: bool
) -> dict[str, PlannedStep]:
    """What happens to each of these steps; the waves are filled in later."""
    outputs: dict[str, Mapping[str, Artifact]] = {}  # all that are known now
    current: dict[str, Mapping[str, Artifact]] = {}  # those that the steps as they are today would give
    planned: dict[str, PlannedStep] = {}
    for name in waves({name: step.upstream for name, step in steps.items()}):
        if name in chosen:
            step = _plan_step(steps[name], outputs, planned, found, use_cache)
        else:
            step = _reuse_step(steps[name], current, found)
        planned[name] = step
        if step.action in (CACHED, REUSED):
            outputs[name] = step.outputs
            if step.key is not None:
                current[name] = step.outputs
    return planned


def _plan_step(
    step: DeployedStep, outputs: Outputs, planned: Mapping[str, PlannedStep], found: Found, use_cache: bool
) -> PlannedStep:
    inputs = _digests(step, outputs)
    changed = _changed(step, inputs, found.previous.get(step.name))
    if not use_cache or not step.cache:
        return PlannedStep(step, 0, RUN, _cache_is_off(step, use_cache), changed)
    if len(inputs) < len(step.inputs):
        givers = (name for argument, (name, _) in step.inputs.items() if argument not in inputs)
        waiting = list(dict.fromkeys(givers))
        return PlannedStep(step, 0, UNKNOWN, _waits(waiting, planned, changed), changed)
    key = cache_key(step.fingerprint, inputs)
    result = found.cached(key, step.expires_after)
    if result is not None:
        return PlannedStep(step, 0, CACHED, _as_in(step, result), (), key, result.outputs)
    return PlannedStep(step, 0, RUN, _why(step, key, changed, found), changed, key)


def _reuse_step(step: DeployedStep, outputs: Outputs, found: Found) -> PlannedStep:
    inputs = _digests(step, outputs)
    previous = found.previous.get(step.name)
    if step.cache and len(inputs) == len(step.inputs):
        key = cache_key(step.fingerprint, inputs)
        result = found.cached(key, step.expires_after)
        if result is not None:
            return PlannedStep(step, 0, REUSED, f"not selected, {_as_in(step, result)}", (), key, result.outputs)
    if previous is None:
        return PlannedStep(step, 0, REUSED, "not selected, never ran")
    changed = _changed(step, inputs, previous)
    since = f", although {_listed(changed)} changed since" if changed else ""
    return PlannedStep(
        step, 0, REUSED, f"not selected, from run {previous.run_id}{since}", changed, None, previous.outputs
    )


def _digests(step: DeployedStep, outputs: Outputs) -> dict[str, str]:
    """The digests of the inputs that are known, by argument."""
    return {
        argument: outputs[name][output].digest
        for argument, (name, output) in step.inputs.items()
        if name in outputs and output in outputs[name]
    }


def _changed(step: DeployedStep, inputs: Mapping[str, str], previous: PreviousStep | None) -> tuple[str, ...]:
    if previous is None:
        return ()
    parts = [name for name in PARTS if step.fingerprint.get(name) != previous.fingerprint.get(name)]
    known = [name for name in step.inputs if name in inputs and inputs[name] != previous.inputs.get(name)]
    surplus = previous.inputs.keys() - step.inputs.keys()
    rewired = [name for name in step.inputs if name not in inputs and name not in previous.inputs] + sorted(surplus)
    return (*parts, *(f"inputs.{name}" for name in known + rewired))


def _why(step: DeployedStep, key: str, changed: tuple[str, ...], found: Found) -> str:
    if step.name not in found.previous:
        return "never ran"
    if changed:
        return f"{_listed(changed)} changed"
    if step.expires_after is not None and found.cached(key, None) is not None:
        return "result expired"
    return "no longer in the cache"


def _cache_is_off(step: DeployedStep, use_cache: bool) -> str:
    if not use_cache:
        return "cache is off for this run"
    if names_run([step.parameters, step.environment, step.image]):
        return "cache is off: ${run.id} differs with every run"
    return "cache is off"


def _waits(waiting: list[str], planned: Mapping[str, PlannedStep], changed: tuple[str, ...]) -> str:
    names = _quoted(waiting)
    if all(planned[name].action == RUN for name in waiting if name in planned):
        text = f"after {names} {'has' if len(waiting) == 1 else 'have'} run"
    else:
        text = f"may be cached, depends on {names}"
    return f"{text}; {_listed(changed)} changed" if changed else text


def _as_in(step: DeployedStep, result: StepResult) -> str:
    where = "" if result.step == step.name else f"'{result.step}' of "
    return f"as in {where}run {result.run_id}"


def _listed(changed: Iterable[str]) -> str:
    parts = [f"input '{part.removeprefix('inputs.')}'" if part.startswith("inputs.") else part for part in changed]
    return _joined(parts)


def _quoted(names: Iterable[str]) -> str:
    return _joined([f"'{name}'" for name in names])


def _joined(words: list[str]) -> str:
    if len(words) > 4:
        words = [*words[:3], f"{len(words) - 3} more"]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def _in_order(planned: Mapping[str, PlannedStep], chosen: set[str]) -> tuple[PlannedStep, ...]:
    """The reused steps that a chosen one takes from, then the chosen ones by wave."""
    taken = {name for step in chosen for name, _ in planned[step].step.inputs.values()} - chosen
    reused = [step for name, step in planned.items() if name in taken]
    written = [name for name in planned if name in chosen]
    order = waves({name: planned[name].step.upstream for name in written})
    return (*reused, *(planned[name]._replace(wave=wave) for name, wave in order.items()))


def _left_out(needs: Mapping[str, object], shown: Iterable[PlannedStep]) -> tuple[str, ...]:
    there = {planned.step.name for planned in shown}
    return tuple(name for name in needs if name not in there)


def _nothing_to_reuse(
    steps: Mapping[str, DeployedStep], chosen: set[str], planned: Mapping[str, PlannedStep]
) -> Iterator[Obstacle]:
    for name in (name for name in steps if name in chosen):
        for argument, (giver, output) in steps[name].inputs.items():
            if giver not in chosen and output not in planned[giver].outputs:
                yield Obstacle(
                    ("steps", name, "inputs", argument),
                    "nothing-to-reuse",
                    f"step '{giver}' is not selected, and its output '{output}' is in no earlier run or cache",
                    f"select '{giver}' too, or run the pipeline up to it first: --to {giver}",
                )


def _unknown_names(selection: Selection, known: Collection[str]) -> Iterator[Obstacle]:
    for option, names in zip(("--only", "--from", "--to"), selection, strict=True):
        for name in names:
            if name not in known:
                near = nearest(name, known)
                help = f"did you mean '{near}'?" if near else "the steps are: " + _quoted(known)
                yield Obstacle((), "unknown-step", f"unknown step '{name}' in {option}", help)


def _why_nothing(selection: Selection) -> str:
    options = zip(("--only", "--from", "--to"), selection, strict=True)
    said = " ".join(f"{option} {name}" for option, names in options for name in names)
    return f"no step of the pipeline fits all of: {said}"

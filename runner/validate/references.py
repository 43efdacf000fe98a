"""What one pipeline says about itself: names that point nowhere, circles, and settings that contradict each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from runner.document.node import UNKNOWN, Document
from runner.errors import Problem, nearest
from runner.plan.secrets import secret_names
from runner.spec import OUTPUT
from runner.spec.common import format_duration
from runner.spec.pipeline import IMAGE_CONFLICTS, Parameter, PipelineSpec, Retry, StepSpec
from runner.validate.cycles import cycles
from runner.validate.parameters import parameter_values

Path = tuple[str | int, ...]

# What our worker tells a step; a document cannot set it.
RESERVED = "RUNNER_"
USUAL_RETRY = Retry()
# Comparing a word with ten thousand names takes long; after so many comparisons the rest go without a suggestion.
COMPARISONS = 20_000

RANGES = (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems"))
OPEN_RANGES = (
    ("exclusiveMinimum", "exclusiveMaximum"),
    ("minimum", "exclusiveMaximum"),
    ("exclusiveMinimum", "maximum"),
)


def references(spec: PipelineSpec, document: Document, resources: Collection[str]) -> list[Problem]:
    """Every problem that a bound pipeline has with itself; `resources` are the names of the resources documents.

    Values that are not known yet (an interpolated parameter that was not given) are not judged.
    """
    problems = [
        *_parameters(spec, document),
        *_top(spec, document, resources),
        *_steps(spec, document, resources),
        *cycles(spec.steps, document),
    ]
    return sorted(problems, key=lambda problem: problem.position)


def outputs_of(step: StepSpec) -> tuple[str, ...]:
    """The names of a step's outputs: those it declares, or the one output."""
    return step.outputs or (OUTPUT,)


def _top(spec: PipelineSpec, document: Document, resources: Collection[str]) -> Iterator[Problem]:
    yield from _environment(spec.environment, document, ("environment",))
    yield from _image(spec.settings, document, ("settings", "image"))
    if isinstance(spec.defaults.resources, str):
        yield from _resources(spec.defaults.resources, document, ("defaults", "resources"), resources)
    if spec.defaults.retry:
        yield from _retry(spec.defaults.retry, None, document, ("defaults", "retry"))


def _steps(spec: PipelineSpec, document: Document, resources: Collection[str]) -> Iterator[Problem]:
    suggest = _suggestions(spec.steps)
    for name, step in spec.steps.items():
        if step.inputs:
            yield from _inputs(name, step, spec.steps, document, suggest)
        if step.after:
            yield from _after(name, step, spec.steps, document, suggest)
        if step.outputs:
            yield from _outputs(name, step, document)
        if isinstance(step.resources, str):
            yield from _resources(step.resources, document, ("steps", name, "resources"), resources)
        if step.retry:
            yield from _retry(step.retry, spec.defaults.retry, document, ("steps", name, "retry"))
        if step.environment:
            yield from _environment(step.environment, document, ("steps", name, "environment"))
        if step.settings:
            yield from _image(step.settings, document, ("steps", name, "settings", "image"))


def _inputs(
    name: str, step: StepSpec, steps: Mapping[str, StepSpec], document: Document, suggest: Callable[[str], str]
) -> Iterator[Problem]:
    for argument, reference in step.inputs.items():
        at = ("steps", name, "inputs", argument)
        if argument in step.parameters:
            message = f"argument '{argument}' of step '{name}' is given twice, in inputs and in parameters"
            twice = document.position(("steps", name, "parameters", argument), key=True)
            yield Problem(twice, "duplicate-argument", message, "keep one of the two")
        upstream, _, output = reference.partition(".")
        if upstream not in steps:
            yield Problem(document.position(at), "unknown-step", f"no step is named '{upstream}'", suggest(upstream))
        elif upstream == name:
            yield _needs_itself(name, document, at)
        else:
            yield from _output(upstream, output, outputs_of(steps[upstream]), document, at)


def _output(upstream: str, output: str, outputs: tuple[str, ...], document: Document, at: Path) -> Iterator[Problem]:
    if output in outputs or (not output and len(outputs) == 1) or _unknown(document, ("steps", upstream, "outputs")):
        return
    written = _listed([f"{upstream}.{name}" for name in outputs])
    if not output:
        message = f"step '{upstream}' has {len(outputs)} outputs, and this names none of them"
        yield Problem(document.position(at), "output-not-named", message, f"write one of: {written}")
        return
    word = nearest(output, outputs)
    help = f"did you mean '{upstream}.{word}'? its outputs: {written}" if word else f"its outputs: {written}"
    yield Problem(document.position(at), "unknown-output", f"step '{upstream}' has no output '{output}'", help)


def _after(
    name: str, step: StepSpec, steps: Mapping[str, StepSpec], document: Document, suggest: Callable[[str], str]
) -> Iterator[Problem]:
    for index, upstream in enumerate(step.after):
        at = ("steps", name, "after", index)
        if upstream not in steps:
            yield Problem(document.position(at), "unknown-step", f"no step is named '{upstream}'", suggest(upstream))
        elif upstream == name:
            yield _needs_itself(name, document, at)


def _needs_itself(name: str, document: Document, at: Path) -> Problem:
    message = f"step '{name}' needs itself, so it could never start"
    return Problem(document.position(at), "needs-itself", message, "name another step, or take this out")


def _outputs(name: str, step: StepSpec, document: Document) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, output in enumerate(outputs_of(step)):
        if output in seen:
            message = f"step '{name}' has two outputs named '{output}'"
            position = document.position(("steps", name, "outputs", index))
            yield Problem(position, "duplicate-output", message, "give each output a name of its own")
        seen.add(output)


def _resources(name: str, document: Document, at: Path, known: Collection[str]) -> Iterator[Problem]:
    if name in known:
        return
    word = nearest(name, known)
    if word:
        help = f"did you mean '{word}'? declared: {_listed(sorted(known))}"
    elif known:
        help = f"declared: {_listed(sorted(known))}"
    else:
        help = f"write the fields in place, or a document with `kind: resources` and `name: {name}`"
    yield Problem(document.position(at), "unknown-resources", f"no resources document is named '{name}'", help)


def _retry(retry: Retry, default: Retry | None, document: Document, at: Path) -> Iterator[Problem]:
    """Judge what this place wrote; the fields that it leaves out are the pipeline's defaults."""
    written = retry.model_fields_set & {"delay", "max_delay"}
    base = default or USUAL_RETRY
    delay = retry.delay if "delay" in written else base.delay
    limit = retry.max_delay if "max_delay" in written else base.max_delay
    if not written or delay <= limit:
        return
    if any(
        _unknown(document, (*place, key)) for place in (at, ("defaults", "retry")) for key in ("delay", "max_delay")
    ):
        return
    if "max_delay" in written:
        position = document.position((*at, "max_delay"))
        message = f"max_delay '{format_duration(limit)}' is less than delay '{format_duration(delay)}'"
    else:
        position = document.position((*at, "delay"))
        message = f"delay '{format_duration(delay)}' is more than max_delay, which is '{format_duration(limit)}'"
    help = f"no wait is longer than max_delay: write `max_delay: {format_duration(delay)}` or more, or a shorter delay"
    yield Problem(position, "delay-above-limit", message, help)


def _unknown(document: Document, path: Path) -> bool:
    """Whether a value waits for a parameter; binding leaves it out of the spec."""
    return document.node.at(path).value is UNKNOWN


def _environment(environment: Any, document: Document, at: Path) -> Iterator[Problem]:
    for name in environment if isinstance(environment, Mapping) else ():
        if name.startswith(RESERVED):
            message = (
                f"the environment variable '{name}' is reserved: names that start with {RESERVED} are the runner's"
            )
            help = f"choose another name, for example '{name.removeprefix(RESERVED) or 'MY_NAME'}'"
            yield Problem(document.position((*at, name), key=True), "reserved-variable", message, help)


def _image(settings: Mapping[str, Any], document: Document, at: Path) -> Iterator[Problem]:
    image = settings.get("image")
    if not isinstance(image, Mapping):
        return
    yield from _environment(image.get("env"), document, (*at, "env"))
    for field, value in image.items():
        yield from _no_secrets(value, document, (*at, field))
    told: set[str] = set()
    for key, others in IMAGE_CONFLICTS.items():
        for other in others:
            if image.get(key) is not None and image.get(other) is not None and other not in told:
                told.add(other)
                what = "a ready image is taken as it is" if key == "image" else "a Dockerfile names its own base"
                message = f"'{other}' has no meaning beside '{key}': {what}"
                position = document.position((*at, other), key=True)
                yield Problem(position, "image-conflict", message, f"keep '{key}' or '{other}'")


def _no_secrets(value: Any, document: Document, at: Path) -> Iterator[Problem]:
    """A reference to a secret, anywhere in the settings of an image."""
    if isinstance(value, Mapping | list | tuple):
        members = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, member in members:
            yield from _no_secrets(member, document, (*at, key))
        return
    for name in secret_names(value):
        message = f"the secret '{name}' would be in an image, where everybody who has the image can read it"
        help = f"hand it to the step itself: environment: {{{name}: ${{secrets.{name}}}}}"
        yield Problem(document.position(at), "secret-in-image", message, help)


def _parameters(spec: PipelineSpec, document: Document) -> Iterator[Problem]:
    sound = {}
    for name, parameter in spec.parameters.items():
        problems = list(_parameter(parameter, document, ("parameters", name)))
        yield from problems
        if parameter.optional and not problems:
            sound[name] = parameter
    _, wrong = parameter_values(sound, {})
    for name, (_, message, help) in wrong.items():
        position = document.position(("parameters", name, "default"))
        help = help or "write a default that fits, or change the schema"
        yield Problem(position, "bad-default", f"the default does not fit its own schema: {message}", help)


def _parameter(parameter: Parameter, document: Document, at: Path) -> Iterator[Problem]:
    """What is wrong with a parameter's schema itself, at every depth."""
    if parameter.pattern is not None:
        try:
            re.compile(parameter.pattern)
        except (re.error, RecursionError, OverflowError) as error:
            message = f"'{parameter.pattern}' is no regular expression: {error}"
            position = document.position((*at, "pattern"))
            yield Problem(position, "bad-pattern", message, "write it as Python's `re` reads it; quote it in YAML")
    yield from _ranges(parameter, document, at)
    if parameter.items:
        yield from _parameter(parameter.items, document, (*at, "items"))
    for name, part in (parameter.properties or {}).items():
        yield from _parameter(part, document, (*at, "properties", name))


def _ranges(parameter: Parameter, document: Document, at: Path) -> Iterator[Problem]:
    for pairs, open_ended in ((RANGES, False), (OPEN_RANGES, True)):
        for low, high in pairs:
            least, most = getattr(parameter, low), getattr(parameter, high)
            if least is None or most is None or least < most or (least == most and not open_ended):
                continue
            message = f"no value is allowed: {low} '{least:g}' leaves nothing below {high} '{most:g}'"
            yield Problem(document.position((*at, high)), "empty-range", message, f"write a {high} above {low}")


def _suggestions(names: Collection[str]) -> Callable[[str], str]:
    """What to say about a word that names no step; each word is compared once, and not without end."""
    told: dict[str, str] = {}
    known = _listed(list(names))

    def suggest(word: str) -> str:
        if word not in told:
            found = nearest(word, names) if len(told) * len(names) <= COMPARISONS else None
            told[word] = f"did you mean '{found}'?" if found else f"steps: {known}"
        return told[word]

    return suggest


def _listed(words: Iterable[str], most: int = 12) -> str:
    words = list(words)
    return ", ".join(words[:most]) + (f", … ({len(words) - most} more)" if len(words) > most else "")

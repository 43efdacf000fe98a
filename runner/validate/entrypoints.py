"""The project's own functions against the pipeline: arguments, and the types that go in and out. Runs their code."""

from __future__ import annotations

import contextlib
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from runner.document.node import Document
from runner.errors import Problem, nearest
from runner.spec.pipeline import PipelineSpec, StepSpec
from runner.validate.annotations import UNCLEAR, bare, fits, misfit, named, named_value, union_members
from runner.validate.imports import MODULE_CODES, Wrong, import_all
from runner.validate.references import outputs_of

STARS: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}


class Signature(NamedTuple):
    """What is known of an entrypoint: its arguments by name, and those annotations that could be read, `return` too."""

    arguments: Mapping[str, inspect.Parameter]
    hints: Mapping[str, Any]

    @property
    def takes_any(self) -> bool:
        return any(argument.kind is argument.VAR_KEYWORD for argument in self.arguments.values())

    def named_arguments(self) -> dict[str, inspect.Parameter]:
        """Those that can be given by name."""
        by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        return {name: argument for name, argument in self.arguments.items() if argument.kind in by_name}


def entrypoints(spec: PipelineSpec, document: Document, root: Path) -> list[Problem]:
    """Every problem between a bound pipeline and the functions it names, which are imported from `root`.

    A module that cannot be imported is told once, at the first step that names it. What modules print goes to stderr.
    """
    problems, signatures = _load(spec, document, root)
    for name, signature in signatures.items():
        problems += _arguments(name, spec.steps[name], signature, document)
        problems += _values(name, spec.steps[name], signature, document)
    problems += _edges(spec, signatures, document)
    return sorted(problems, key=lambda problem: problem.position)


def _load(spec: PipelineSpec, document: Document, root: Path) -> tuple[list[Problem], dict[str, Signature]]:
    """What is wrong with the entrypoints themselves, and the signature of each step whose function has one."""
    found = import_all((step.entrypoint for step in spec.steps.values()), root)
    problems: list[Problem] = []
    signatures: dict[str, Signature] = {}
    told: set[Wrong] = set()
    for name, step in spec.steps.items():
        function = found[step.entrypoint]
        if isinstance(function, tuple):
            if function not in told:
                problems.append(Problem(document.position(("steps", name, "entrypoint")), *function))
            if function[0] in MODULE_CODES:
                told.add(function)
        elif signature := _signature(function):
            signatures[name] = signature
    return problems, signatures


def _signature(function: Callable[..., Any]) -> Signature | None:
    try:
        arguments = inspect.signature(function).parameters
    except Exception:  # built-in functions have none, and an annotation may raise anything
        return None
    if isinstance(function, type):
        return Signature(arguments, _hints(vars(function).get("__init__")) | {"return": function})
    called = function if inspect.isroutine(function) else type(function).__call__
    return Signature(arguments, _hints(inspect.unwrap(called)))


def _hints(source: Any) -> dict[str, Any]:
    """The annotations that can be evaluated: a name that is imported for type checkers only spoils no other."""
    try:
        return typing.get_type_hints(source, include_extras=True)
    except Exception:
        written = dict(getattr(source, "__annotations__", {}))
    known: dict[str, Any] = {}
    for name, annotation in written.items():
        alone = types.SimpleNamespace(__annotations__={name: annotation})
        with contextlib.suppress(Exception):
            known |= typing.get_type_hints(alone, getattr(source, "__globals__", {}), include_extras=True)
    return known


def _arguments(name: str, step: StepSpec, signature: Signature, document: Document) -> Iterator[Problem]:
    given = [*((key, "inputs") for key in step.inputs), *((key, "parameters") for key in step.parameters)]
    known = signature.named_arguments()
    for argument, table in given:
        if argument not in known and not signature.takes_any:
            position = document.position(("steps", name, table, argument), key=True)
            yield Problem(position, *_surplus(name, step.entrypoint, argument, signature))
    told = _written_keys(name, document)
    if told is None:
        return
    for argument, parameter in signature.arguments.items():
        if argument in told or parameter.default is not parameter.empty:
            continue
        position = document.position(("steps", name, "entrypoint"))
        if argument in known:
            message = f"step '{name}' does not give the argument '{argument}' of '{step.entrypoint}'"
            help = f"add it to inputs or parameters; the function is {_written(step.entrypoint, signature)}"
            yield Problem(position, "missing-argument", message, help)
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            message = f"'{step.entrypoint}' takes '{argument}' by position only, and a step gives arguments by name"
            yield Problem(position, "positional-only", message, "take the `/` out of its signature")


def _written_keys(name: str, document: Document) -> set[str] | None:
    """The arguments that the document gives, those with a value that is wrong or not known yet too; None when a whole
    table of them is not known yet."""
    keys: set[str] = set()
    step = document.node.at(("steps", name))
    for table in filter(None, (step.child("inputs"), step.child("parameters"))):
        if not isinstance(table.value, dict):
            return None
        keys |= table.value.keys()
    return keys


def _surplus(step: str, entrypoint: str, argument: str, signature: Signature) -> Wrong:
    if argument in signature.arguments and signature.arguments[argument].kind is inspect.Parameter.POSITIONAL_ONLY:
        message = f"'{entrypoint}' takes '{argument}' by position only, and step '{step}' gives it by name"
        return "positional-only", message, "take the `/` out of its signature"
    word = nearest(argument, signature.named_arguments())
    message = f"'{entrypoint}' has no argument '{argument}', which step '{step}' gives"
    help = f"did you mean '{word}'? " if word else ""
    return "unknown-argument", message, f"{help}the function is {_written(entrypoint, signature)}"


def _written(entrypoint: str, signature: Signature) -> str:
    """`fit(train: DataFrame, model: str = …)`."""
    parts = []
    for name, argument in signature.arguments.items():
        stars = STARS.get(argument.kind, "")
        hint = f": {named(signature.hints[name])}" if name in signature.hints else ""
        parts.append(f"{stars}{name}{hint}{'' if argument.default is argument.empty else ' = …'}")
    return f"{entrypoint.partition(':')[2]}({', '.join(parts)})"


def _values(name: str, step: StepSpec, signature: Signature, document: Document) -> Iterator[Problem]:
    for argument, value in step.parameters.items():
        if argument not in signature.named_arguments():
            continue
        found = misfit(value, signature.hints.get(argument, UNCLEAR))
        if found is None:
            continue
        place = "".join(f"[{part!r}]" for part in found.path)
        message = (
            f"argument '{argument}' of step '{name}' takes {named(found.annotation)}"
            f"{f' at {place}' if place else ''}, and is given {named_value(found.value)}"
        )
        position = document.position(("steps", name, "parameters", argument, *found.path))
        yield Problem(position, "wrong-argument-type", message, _value_help(found.annotation, argument, signature))


def _value_help(annotation: Any, argument: str, signature: Signature) -> str:
    whole = named(signature.hints[argument])
    if any(isinstance(part, type) and issubclass(part, Path) for part in (*union_members(annotation), annotation)):
        return f"'{argument}: {whole}' would be given a str: annotate `str`, and make a Path of it in the function"
    return f"write {named(annotation)}, or change the annotation '{argument}: {whole}'"


def _edges(spec: PipelineSpec, signatures: Mapping[str, Signature], document: Document) -> Iterator[Problem]:
    """Each value that goes from a step to a step: what one returns against what the other takes."""
    returned: dict[str, Mapping[str, Any]] = {}
    for name, signature in signatures.items():
        types_or_wrong = _returned(name, spec.steps[name], signature.hints.get("return", UNCLEAR))
        if isinstance(types_or_wrong, tuple):
            yield Problem(document.position(("steps", name, "outputs")), *types_or_wrong)
        else:
            returned[name] = types_or_wrong
    for name, signature in signatures.items():
        yield from _inputs(name, spec, signature, returned, document)


def _inputs(
    name: str,
    spec: PipelineSpec,
    signature: Signature,
    returned: Mapping[str, Mapping[str, Any]],
    document: Document,
) -> Iterator[Problem]:
    for argument, reference in spec.steps[name].inputs.items():
        if argument not in signature.named_arguments():
            continue
        upstream, _, output = reference.partition(".")
        if upstream not in returned:
            continue
        outputs = outputs_of(spec.steps[upstream])
        given = returned[upstream].get(output or outputs[0], UNCLEAR)
        taken = signature.hints.get(argument, UNCLEAR)
        if not fits(given, taken):
            wants = f"argument '{argument}' of step '{name}' takes {named(taken)}"
            message = f"{wants}, and step '{upstream}' returns {named(given)}"
            functions = f"'{spec.steps[name].entrypoint}' or '{spec.steps[upstream].entrypoint}'"
            help = f"take another output, or change the annotation of {functions}"
            position = document.position(("steps", name, "inputs", argument))
            yield Problem(position, "wrong-input-type", message, help)


def _returned(name: str, step: StepSpec, annotation: Any) -> dict[str, Any] | Wrong:
    """The type of each output, as far as the return annotation is clear, or how it contradicts the declared outputs."""
    outputs = outputs_of(step)
    if not step.outputs:
        return {outputs[0]: annotation}
    annotation = bare(annotation)
    found = typing.get_origin(annotation) or annotation
    if not isinstance(found, type) or found in (Any, object, dict):
        return {}
    parts = _fields(found, annotation)
    if isinstance(parts, dict) and (set(parts) == set(outputs) or typing.is_typeddict(found)):
        if set(parts) == set(outputs):
            return parts
        return _mismatch(name, step, f"a mapping of {_quoted(parts)}")
    values = list(parts.values()) if isinstance(parts, dict) else parts
    if values is not None:
        if len(values) == len(outputs):
            return dict(zip(outputs, values, strict=True))
        return _mismatch(name, step, f"{len(values)} values, '{named(annotation)}'")
    if len(outputs) == 1:
        return {} if _may_hold_several(found) else {outputs[0]: annotation}
    return {} if _may_hold_several(found) else _mismatch(name, step, f"one value, '{named(annotation)}'")


def _fields(found: type, annotation: Any) -> dict[str, Any] | list[Any] | None:
    """The types inside a tuple, by name when it has names; None when they cannot be told."""
    if typing.is_typeddict(found) or (issubclass(found, tuple) and hasattr(found, "_fields")):
        hints = _hints(found)
        names = getattr(found, "_fields", None) or found.__annotations__
        return {name: hints.get(name, UNCLEAR) for name in names}
    arguments = typing.get_args(annotation)
    if found is tuple and arguments and ... not in arguments:
        return list(arguments)
    return None


def _may_hold_several(found: type) -> bool:
    """Whether a tuple, a list or a mapping may stand behind this class."""
    if getattr(found, "_is_protocol", False):
        return True
    try:
        return any(issubclass(found, kind) or issubclass(kind, found) for kind in (tuple, list, dict)) or issubclass(
            found, Mapping
        )
    except TypeError:
        return True


def _mismatch(name: str, step: StepSpec, returns: str) -> Wrong:
    outputs = outputs_of(step)
    declared = f"{len(outputs)} output{'' if len(outputs) == 1 else 's'}, {_quoted(outputs)}"
    message = f"step '{name}' declares {declared}, and its function returns {returns}"
    return "wrong-outputs", message, f"declare what '{step.entrypoint}' returns, or change its return annotation"


def _quoted(names: Any) -> str:
    return ", ".join(f"'{name}'" for name in names) or "nothing"

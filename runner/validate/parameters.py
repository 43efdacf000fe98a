"""Values for a pipeline's parameters: read as their declared types, defaults filled in, and checked."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from runner.document.yaml import resolve
from runner.errors import nearest
from runner.spec.pipeline import Parameter

Said = tuple[str, str, str | None]
"""Code, message and help of a problem."""


class RawText(str):
    """A value as it stands on a command line, yet to be read as its parameter's type."""

    __slots__ = ()


def parameter_values(
    declared: Mapping[str, Parameter], given: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Said]]:
    """The values, and by name what is wrong or missing; a value that is wrong is left out.

    Typed values are taken as they are. RawText is read by the declared type: as YAML 1.2 reads a plain scalar, arrays
    and objects as JSON, a string as it stands.
    """
    values: dict[str, Any] = {}
    wrong = {name: _unknown(name, declared) for name in given if name not in declared}
    for name, parameter in declared.items():
        if name in given:
            value, said = _read(given[name], name, parameter)
        elif parameter.optional:
            value, said = parameter.default, None
        else:
            wrong[name] = "missing-parameter", f"the parameter '{name}' has no value", _missing_help(name, parameter)
            continue
        said = said or check(value, name, parameter)
        if said:
            wrong[name] = said
        else:
            values[name] = _whole(value, parameter)
    return values, wrong


def check(value: Any, name: str, parameter: Parameter) -> Said | None:
    """What is wrong with a value for this parameter, if anything."""
    if parameter.type is not None and not _is(value, parameter.type):
        article = "an" if parameter.type[0] in "aio" else "a"
        return "wrong-type", f"the parameter '{name}' is {_as_typed(value)}, not {article} {parameter.type}", None
    said = _choice(value, name, parameter) or _number(value, name, parameter) or _text(value, name, parameter)
    return said or _collection(value, name, parameter)


def _unknown(name: str, declared: Mapping[str, Parameter]) -> Said:
    near = nearest(name, declared)
    known = f"declared: {', '.join(declared)}" if declared else "the pipeline declares none"
    return "unknown-parameter", f"no parameter is named '{name}'", f"did you mean '{near}'? {known}" if near else known


def _missing_help(name: str, parameter: Parameter) -> str:
    about = f": {parameter.description}" if parameter.description else ""
    return f"give it with `-p {name}=…`{about}"


def _read(value: Any, name: str, parameter: Parameter) -> tuple[Any, Said | None]:
    if not isinstance(value, RawText):
        return value, None
    text = str(value)
    choices = [*(parameter.enum or ()), parameter.const]
    if parameter.type == "string" or (parameter.type is None and text in choices):
        return text, None
    if parameter.type in ("array", "object") or (parameter.type is None and text[:1] in ("[", "{")):
        try:
            return json.loads(text), None
        except ValueError as error:
            example = "[1, 2]" if parameter.type != "object" else '{"a": 1}'
            return None, (
                "wrong-type",
                f"{_shown(text)} is not JSON: {error}",
                f"write for example -p {name}='{example}'",
            )
    if not text and parameter.type not in (None, "null"):
        return text, None  # nothing was written: a message says so, and not 'null'
    return _resolved(text), None


def _resolved(text: str) -> Any:
    try:
        return resolve(text)
    except ValueError:
        return text


def _is(value: Any, type: str) -> bool:
    match type:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return _numeric(value) and float(value).is_integer()
        case "number":
            return _numeric(value)
        case "array":
            return isinstance(value, list | tuple)
        case "object":
            return isinstance(value, dict)
        case _:
            return value is None


def _numeric(value: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return value.bit_length() < 1000  # what a float can hold
    return isinstance(value, float) and math.isfinite(value)


def _whole(value: Any, parameter: Parameter) -> Any:
    return int(value) if parameter.type == "integer" else value


def _choice(value: Any, name: str, parameter: Parameter) -> Said | None:
    if parameter.enum is not None and not any(_same(value, choice) for choice in parameter.enum):
        allowed = f"allowed: {', '.join(_shown(choice) for choice in parameter.enum)}"
        near = nearest(value, [c for c in parameter.enum if isinstance(c, str)]) if isinstance(value, str) else None
        help = f"did you mean '{near}'? {allowed}" if near else allowed
        return "not-allowed", f"{_shown(value)} is not allowed for '{name}'", help
    if "const" in parameter.model_fields_set and not _same(value, parameter.const):
        return "not-allowed", f"{_shown(value)} is not allowed for '{name}'", f"allowed: {_shown(parameter.const)}"
    return None


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is 1.0, but true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return bool(one == other)


def _number(value: Any, name: str, parameter: Parameter) -> Said | None:
    if not _numeric(value):
        return None
    limits = (
        (parameter.minimum, "{} or greater", lambda limit: value >= limit),
        (parameter.exclusiveMinimum, "greater than {}", lambda limit: value > limit),
        (parameter.maximum, "{} or less", lambda limit: value <= limit),
        (parameter.exclusiveMaximum, "less than {}", lambda limit: value < limit),
        (parameter.multipleOf, "a multiple of {}", lambda limit: _is_multiple(value, limit)),
    )
    for limit, words, holds in limits:
        if limit is not None and not holds(limit):
            return _out_of_range(value, name, words.format(f"{limit:g}"))
    return None


def _is_multiple(value: float, limit: float) -> bool:
    from decimal import Decimal  # 0.3 is a multiple of 0.1; few parameters ask

    return Decimal(str(value)) % Decimal(str(limit)) == 0


def _text(value: Any, name: str, parameter: Parameter) -> Said | None:
    if not isinstance(value, str):
        return None
    if parameter.minLength is not None and len(value) < parameter.minLength:
        return _out_of_range(value, name, f"at least {parameter.minLength} characters long")
    if parameter.maxLength is not None and len(value) > parameter.maxLength:
        return _out_of_range(value, name, f"at most {parameter.maxLength} characters long")
    if parameter.pattern is None:
        return None
    try:
        matches = re.search(parameter.pattern, value)
    except re.error as error:
        return "bad-pattern", f"'{parameter.pattern}' is no regular expression: {error}", None
    if matches:
        return None
    return "not-allowed", f"{_shown(value)} is not allowed for '{name}'", f"it must match {parameter.pattern}"


_INNER = {"items", "minItems", "maxItems", "uniqueItems", "properties", "required", "additionalProperties"}


def _collection(value: Any, name: str, parameter: Parameter) -> Said | None:
    if not isinstance(value, list | tuple | dict) or not _INNER & parameter.model_fields_set:
        return None
    from jsonschema import Draft202012Validator  # slow to import, and few parameters are collections
    from jsonschema.exceptions import best_match

    schema = parameter.model_dump(mode="json", exclude_unset=True)
    error = best_match(Draft202012Validator(schema).iter_errors(_lists(value)))
    if error is None:
        return None
    inside = "".join(f"[{part!r}]" for part in error.absolute_path)
    return "wrong-value", f"{name}{inside} is not right: {error.message}", None


def _lists(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_lists(element) for element in value]
    return {key: _lists(member) for key, member in value.items()} if isinstance(value, dict) else value


def _out_of_range(value: Any, name: str, limit: str) -> Said:
    return "out-of-range", f"{_shown(value)} is out of range: '{name}' must be {limit}", None


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return f"'{text}'" if len(text) <= 60 else f"'{text[:57]}…'"


def _as_typed(value: Any) -> str:
    """The value; of a text that could be taken for something else, that it is one."""
    is_text = isinstance(value, str) and value != "" and not isinstance(_resolved(value), str)
    return f"the text {_shown(value)}" if is_text else _shown(value)

"""What a user is told about a value that a model refuses, in our own words: a stable code, a message, and help."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, NamedTuple

from runner.errors import nearest
from runner.spec.common import ENTRYPOINT, IDENTIFIER, NAME, REFERENCE
from runner.spec.stack import FLAVOR

Said = tuple[str, str, str | None]
"""Code, message and help of a problem."""


class Expected(NamedTuple):
    """What should stand where something else does: a mapping's keys, and the tags of a union's members."""

    keys: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def wrong_value(details: Mapping[str, Any], name: str, written: str, expected: Expected) -> Said:
    """For one of pydantic's errors: `name` is the value's key, `written` its text when that is one word."""
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind in _EXPECTED or kind == "union_tag_invalid":
        tags = re.findall(r"'(\w+)'", context.get("expected_tags", ""))
        words = " or ".join(_TAGS.get(tag, tag) for tag in expected.tags or tags) or _EXPECTED.get(kind, "")
        return _empty(name, words) if value is None else _wrong_type(value, name, words, written, expected.keys)
    if kind in ("literal_error", "enum"):
        return _not_allowed(value, context.get("expected", ""))
    if kind == "string_pattern_mismatch":
        return _bad_text(str(value), context.get("pattern", ""), details["loc"])
    if kind in _RANGE:
        limit = next(iter(context.values()), None)
        limit = int(limit) if isinstance(limit, float) and limit.is_integer() else limit
        return "out-of-range", f"{_quoted(value)} is out of range: it must be {_RANGE[kind].format(limit)}", None
    if kind in ("too_short", "string_too_short"):
        what = "a value" if isinstance(value, str) else "at least one"
        return "empty", f"'{name}' is empty", f"write {what}" if name == "steps" else f"write {what}, or remove the key"
    if kind == "rule":
        return context["code"], context["message"], context["help"]
    if kind == "memory":
        return "bad-memory", f"{_quoted(value)} is no size of memory", _memory_help(value)
    if kind == "duration":
        return "bad-duration", f"{_quoted(value)} is no duration", _duration_help(value)
    if kind == "secret":
        # The value is not repeated: it may be the secret itself.
        help = f"write {name}: ${{secrets.NAME}}, and put the value under NAME into the stack's secret store"
        return "literal-secret", f"'{name}' must be a reference to a secret, never its value", help
    reason = str(context["error"]) if kind == "value_error" and "error" in context else details["msg"]
    return "bad-value", f"{_quoted(value)} is not right here: {reason}", None


_TAGS = {"name": "a name", "fields": "a mapping", "switch": "true or false", "list": "a list"}
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "none_required": "null",
}
_RANGE = {
    "greater_than": "greater than {}",
    "greater_than_equal": "{} or greater",
    "less_than": "less than {}",
    "less_than_equal": "{} or less",
    "multiple_of": "a multiple of {}",
    "finite_number": "a finite number",
    "too_long": "no longer than {}",
    "string_too_long": "no longer than {}",
}
# Names that other languages give to JSON's types.
_JSON_TYPES = {
    "str": "string",
    "text": "string",
    "int": "integer",
    "float": "number",
    "double": "number",
    "bool": "boolean",
    "list": "array",
    "tuple": "array",
    "dict": "object",
    "map": "object",
    "none": "null",
}


def _empty(name: str, expected: str) -> Said:
    help = 'write "" for empty text, or remove the key' if expected == "text" else "write a value, or remove the key"
    return "wrong-type", f"'{name}' is empty; it must be {expected}", help


def _wrong_type(value: Any, name: str, expected: str, written: str, keys: tuple[str, ...]) -> Said:
    message = f"{_described(value, name, written)}, not {expected}"
    if expected == "text" and isinstance(value, bool | int | float):
        return "wrong-type", message, f'put it in quotes: "{written or _text(value)}"'
    if isinstance(value, str) and "number" in expected and re.fullmatch(r"[-+]?[0-9.]+", value):
        return "wrong-type", message, f"leave out the quotes: {value}"
    if isinstance(value, str) and "true or false" in expected:
        word = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(value.lower(), value.lower())
        return "wrong-type", message, f"write {word}" if word in ("true", "false") else f"write {expected}"
    if isinstance(value, str) and expected == "a list":
        return "wrong-type", message, f"write a list: [{value}]"
    return "wrong-type", message, _mapping_help(value, name, keys) if "a mapping" in expected else f"write {expected}"


def _mapping_help(value: Any, name: str, keys: tuple[str, ...]) -> str:
    if isinstance(value, str) and re.fullmatch(ENTRYPOINT.strip("^$"), value) and "entrypoint" in keys:
        return f'write {name}: {{entrypoint: "{value}"}}'
    if name == "steps":
        return "write each step under its name, as in `load: {entrypoint: …}`"
    keys = (*keys[:10], "…") if len(keys) > 12 else keys
    return f"its keys: {', '.join(keys)}" if keys else "write 'key: value' pairs"


def _described(value: Any, name: str, written: str) -> str:
    match value:
        case bool():
            return f"'{written or _text(value)}' is a boolean"
        case int():
            return f"'{written or value}' is a whole number"
        case float():
            return f"'{written or value}' is a number"
        case str():
            return f"{_quoted(value)} is text"
        case list() | tuple():
            return f"'{name}' is a list"
        case _:
            return f"'{name}' is a mapping"


def _not_allowed(value: Any, expected: str) -> Said:
    allowed = re.findall(r"'([^']*)'", expected) or [expected]
    near = nearest(str(value), allowed)
    if near is None and _JSON_TYPES.get(str(value).lower()) in allowed:
        near = _JSON_TYPES[str(value).lower()]
    known = f"allowed: {', '.join(allowed)}"
    return "not-allowed", f"{_quoted(value)} is not allowed here", f"did you mean '{near}'? {known}" if near else known


_THINGS = {
    "inputs": "an argument",
    "outputs": "an output",
    "parameters": "a parameter",
    "environment": "a variable",
    "env": "a variable",
}


def _bad_text(value: str, pattern: str, loc: tuple[str | int, ...]) -> Said:
    if pattern == NAME:
        help = f"letters, digits, '-' and '_', a letter first, at most 63{_for_example(value, '-')}"
        return "bad-name", f"{_quoted(value)} cannot be a name", help
    if pattern == IDENTIFIER:
        help = f"letters, digits and '_', no digit first{_for_example(value, '')}"
        thing = next((_THINGS[part] for part in reversed(loc) if part in _THINGS), "a value")
        return "bad-name", f"{_quoted(value)} cannot be the name of {thing}", help
    if pattern == ENTRYPOINT:
        return "bad-entrypoint", f"{_quoted(value)} does not lead to a function", _entrypoint_help(value)
    if pattern == REFERENCE:
        guess = re.sub("[/:]", ".", value.strip()).removeprefix("steps.").replace(".outputs.", ".")
        help = (
            f"did you mean '{guess}'?"
            if re.fullmatch(REFERENCE.strip("^$"), guess)
            else "write 'step' or 'step.output'"
        )
        return "bad-reference", f"{_quoted(value)} names no step's output", help
    if pattern == FLAVOR:
        return (
            "bad-flavor",
            f"{_quoted(value)} cannot be a flavor",
            "write a flavor's name, or 'package.module:ClassName'",
        )
    return "bad-value", f"{_quoted(value)} has not the right form", f"it must match {pattern}"


def _entrypoint_help(value: str) -> str:
    path, _, function = value.strip().partition(":")
    path = path.removesuffix(".py").strip("./").replace("/", ".")
    if not function:
        path, _, function = path.rpartition(".")
    guess = f"{path}:{function.removesuffix('()')}"
    form = "write 'package.module:function'"
    return f"did you mean '{guess}'?" if guess != value and re.fullmatch(ENTRYPOINT.strip("^$"), guess) else form


def _memory_help(value: Any) -> str:
    found = re.fullmatch(
        r"([0-9]+(?:[.][0-9]+)?)\s*(?:([kmgtp]?)(i?)b?(?:ytes?)?)", _text(value).strip(), re.IGNORECASE
    )
    if found and (found[2] or found[0][-1:].isdigit()):
        unit = f"{found[2].upper()}{found[3].lower()}B" if found[2] else "MiB"
        return f"did you mean '{found[1]}{unit}'? write a number and its unit, as in 512MiB, 8GB or 1.5GiB"
    return "write a number and its unit, as in 512MiB, 8GB or 1.5GiB"


_UNITS = {"d": "d(?:ays?)?", "h": "h(?:(?:ou)?rs?)?", "m": "m(?:in(?:ute)?s?)?", "s": "(?:s(?:ec(?:ond)?s?)?)?"}


def _duration_help(value: Any) -> str:
    form = "write a number and its unit, as in 90s, 10m, 1h30m or 7d"
    rest, guess = re.sub(r"[\s,]+", "", _text(value).lower()), ""
    for unit, spelling in _UNITS.items():
        found = re.search(rf"([0-9]+(?:[.][0-9]+)?){spelling}(?![a-z])", rest)
        if found:
            rest, guess = rest[: found.start()] + rest[found.end() :], f"{guess}{found[1]}{unit}"
    return f"did you mean '{guess}'? {form}" if guess and not rest else form


def _for_example(value: str, kept: str) -> str:
    """A name much like the value that would be right."""
    plain = unicodedata.normalize("NFKD", value.strip()).encode("ascii", "ignore").decode()
    cleaned = re.sub(rf"[^A-Za-z0-9_{kept}]+", "_", plain).strip("_")[:63]
    if cleaned[:1].isdigit():
        cleaned = "" if kept else f"_{cleaned}"
    return f"; for example '{cleaned}'" if re.match("[A-Za-z_]", cleaned) else ""


def _quoted(value: Any) -> str:
    text = _text(value).replace("\n", "\\n")
    return f"'{text}'" if len(text) <= 60 else f"'{text[:57]}…'"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)

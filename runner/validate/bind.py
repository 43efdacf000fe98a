"""A document's node → a spec, or every problem that keeps it from being one, each at its position."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError

from runner.document.node import UNKNOWN, Document, Node
from runner.errors import Position, Problem, nearest
from runner.spec import pipeline
from runner.spec.common import Spec
from runner.validate.wording import Expected, wrong_value

# What a wrong value does not hide anything of: without it the rest of the document can still be checked.
_APART = {
    "inputs",
    "parameters",
    "after",
    "environment",
    "retry",
    "timeout",
    "resources",
    "cache",
    "settings",
    "description",
}
_APART_AT_TOP = {"parameters", "environment", "settings", "defaults", "on_failure", "stack", "description"}
_MOST = 10_000  # problems of one document that are put into words
_QUOTES = "\"'"
_STAND_IN = "_:_"  # for an entrypoint that is missing or wrong: how steps hang together does not depend on it


def bind(document: Document, model: type[Spec], path: tuple[str, ...] = ()) -> tuple[Spec | None, list[Problem]]:
    """The node at `path` as a `model`, and what is wrong with it.

    Beside problems there is a spec too when what is wrong can be left out without misleading the checks that follow.
    UNKNOWN counts as right everywhere; where it stands in place of a required value, there is neither spec nor problem.
    """
    node = document.node.at(path)
    value = node.plain()
    try:
        return model.model_validate(value), []
    except ValidationError as error:
        mistakes = [_mistake(details, model, node) for details in error.errors(include_url=False)[:_MOST]]
        more = error.error_count() - len(mistakes)
    problems = _problems(document, path, mistakes)
    if more:
        help = "mend these first"
        problems.append(Problem(problems[-1].position, "too-many", f"{more:,} further problems are not shown", help))
        return None, problems
    return _without(value, mistakes, model), problems


def not_yet(document: Document) -> list[Problem]:
    """The words that this version reads but does not carry out yet."""
    return [_not_supported(document, path) for path in _refused_paths(document)]


def _refused_paths(document: Document) -> Iterable[tuple[str, ...]]:
    members = document.node.value
    assert isinstance(members, dict)
    for word in _refused_words(document.kind or "", ()):
        if word in members:
            yield (word,)
    steps = members["steps"].value if document.kind == "pipeline" and "steps" in members else None
    if isinstance(steps, dict):
        words = pipeline.NOT_YET["step"]
        for name, step in steps.items():
            if isinstance(step.value, dict):
                yield from (("steps", name, word) for word in words if word in step.value)


def _refused_words(kind: str, path: tuple[str | int, ...]) -> tuple[str, ...]:
    """The keys of the mapping at `path` that are not supported yet."""
    if kind == "pipeline" and not path:
        return pipeline.NOT_YET["pipeline"]
    if kind == "pipeline" and len(path) == 2 and path[0] == "steps":
        return pipeline.NOT_YET["step"]
    return ()


def _not_supported(document: Document, path: tuple[str, ...]) -> Problem:
    help = "remove it; a later version carries it out"
    return Problem(document.position(path, key=True), "not-supported-yet", f"'{path[-1]}' is not supported yet", help)


class _Mistake(NamedTuple):
    """One of pydantic's errors: `path` leads to the value (of a key that is missing or wrong: to the key), without the
    tags of unions; `fields` are those of the model that holds it; `expected` is what should stand there."""

    path: tuple[str | int, ...]
    unknown: bool
    details: Mapping[str, Any]
    fields: Mapping[str, Any]
    expected: Expected


def _mistake(details: Any, model: type[Spec], node: Node) -> _Mistake:
    path: list[str | int] = []
    tags: tuple[str, ...] = ()
    kinds: list[Any] = [model]
    holder: list[Any] = [model]
    for part in details["loc"]:
        choices = list(_choices(kinds))
        tagged = [kind for tag, kind in choices if tag is not None and tag == part]
        tags = tuple(tag for tag, _ in choices if tag) if tagged else ()
        if tagged:
            kinds = tagged
        elif part != "[key]":
            holder = [kind for _, kind in _choices(kinds)]
            kinds = _inside(holder, part)
            path.append(part)
            node = node.child(part) or node
    expected = Expected(tuple(_fields(kind for _, kind in _choices(kinds))), tags)
    # A key that should not be there is a mistake whatever its value will be.
    about_the_key = details["type"] == "extra_forbidden" or details["loc"][-1:] == ("[key]",)
    return _Mistake(tuple(path), node.value is UNKNOWN and not about_the_key, details, _fields(holder), expected)


def _fields(kinds: Iterable[Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields |= {field.alias or name: field for name, field in kind.model_fields.items()}
    return fields


def _choices(kinds: Iterable[Any]) -> Iterable[tuple[str | None, Any]]:
    """The members of unions, each with its tag."""
    for kind in kinds:
        origin = get_origin(kind)
        if origin is Annotated:
            inner, *metadata = get_args(kind)
            tag = next((entry.tag for entry in metadata if isinstance(entry, Tag)), None)
            for inner_tag, member in _choices([inner]):
                yield tag or inner_tag, member
        elif origin in (Union, types.UnionType):
            yield from _choices(get_args(kind))
        else:
            yield None, kind


def _inside(kinds: Iterable[Any], part: str | int) -> list[Any]:
    """The annotations of what stands under this key or index."""
    found: list[Any] = []
    for kind in kinds:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            for name, field in kind.model_fields.items():
                if part in (name, field.alias):
                    found.append(Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation)
        elif get_origin(kind) is dict:
            found.append(get_args(kind)[1])
        elif get_origin(kind) in (list, tuple, set, frozenset):
            found.append(get_args(kind)[0])
    return found


def _without(value: Any, mistakes: list[_Mistake], model: type[Spec]) -> Spec | None:
    """The spec of the document without what is wrong in it, where that misleads nobody."""
    for mistake in mistakes:
        if _is_entrypoint(mistake.path) and not mistake.unknown:
            value["steps"][mistake.path[1]]["entrypoint"] = _STAND_IN
        elif mistake.path == ("name",) and "name" in mistake.fields and not mistake.unknown:
            value["name"] = "nameless"
        elif mistake.unknown or _stands_apart(mistake):
            _drop(value, mistake.path)
        elif section := _section(mistake.path):
            _drop(value, section)
        else:
            return None
    try:
        return model.model_validate(value)
    except ValidationError:
        return None


def _is_entrypoint(path: tuple[str | int, ...]) -> bool:
    return len(path) == 3 and path[0] == "steps" and path[2] == "entrypoint"


def _stands_apart(mistake: _Mistake) -> bool:
    path = mistake.path
    if mistake.details["type"] == "missing":
        return False
    if mistake.details["type"] == "extra_forbidden":
        near = _near(mistake)
        return near in (None, "entrypoint") or near in _APART or (len(path) == 1 and near in _APART_AT_TOP)
    if path and path[0] == "steps":
        return len(path) > 2 and path[2] in _APART
    return bool(path) and path[0] in _APART_AT_TOP


def _section(path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The part that holds a missing or misspelt key, where all of it can be left out: a step's `retry`, a parameter."""
    if len(path) > 3 and path[0] == "steps" and path[2] in _APART:
        return path[:3]
    return path[:2] if len(path) > 2 and path[0] in _APART_AT_TOP else ()


def _drop(value: Any, path: tuple[str | int, ...]) -> None:
    """Leave out what is at the path, or the whole list that it is in."""
    keys = list(takewhile(lambda part: isinstance(part, str), path))
    for key in keys[:-1]:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, dict) and keys:
        value.pop(keys[-1], None)


def _problems(document: Document, path: tuple[str, ...], mistakes: list[_Mistake]) -> list[Problem]:
    problems = []
    lines = re.split(r"\r\n|\r|\n", document.text)
    meant: set[tuple[str | int, ...]] = set()
    for mistake in mistakes:
        if mistake.details["type"] == "extra_forbidden":
            near = _near(mistake)
            if near:
                meant.add((*mistake.path[:-1], near))
    for mistake in mistakes:
        if mistake.unknown or (mistake.details["type"] == "missing" and mistake.path in meant):
            continue
        if mistake.details["type"] == "too_short" and mistake.details["input"]:
            continue  # not empty: its elements were refused, each for itself
        if mistake.details["type"] == "extra_forbidden":
            words = _refused_words(document.kind or "", (*path, *mistake.path[:-1]))
            if mistake.path[-1] in words:
                continue
        problems.append(_problem(document, lines, path, mistake))
    return problems


def _problem(document: Document, lines: list[str], path: tuple[str, ...], mistake: _Mistake) -> Problem:
    where = (*path, *mistake.path)
    kind, loc = mistake.details["type"], mistake.details["loc"]
    if kind == "extra_forbidden":
        return Problem(document.position(where, key=True), *_unknown_key(mistake))
    if kind == "missing":
        place = document.position(where[:-1], key=True)
        return Problem(place, *_missing_key(document, where, mistake))
    if kind == "rule":  # it is about a value, about a mapping, or about one key of that
        key = mistake.details["ctx"]["key"]
        place = document.position((*where, key) if key else where, key=bool(key) or loc[-1:] in ((), ("[key]",)))
        return Problem(place, *wrong_value(mistake.details, "", "", mistake.expected))
    value = mistake.details["input"]
    place = document.position(where, key=value is None or (bool(loc) and loc[-1] == "[key]"))
    name = str(where[-1]) if where else document.kind or "document"
    written = _as_written(lines, place)
    if "${" in written and "inputs" in where[-2:-1]:
        message = f"'{written.strip(_QUOTES)}' is a value, not a step's output"
        return Problem(place, "bad-reference", message, "write it under `parameters:` instead of `inputs:`")
    word = written if re.fullmatch(r"[\w.+-]+", written) else ""
    code, message, help = wrong_value(mistake.details, name, word, mistake.expected)
    field = mistake.fields.get(name)
    if code == "bad-value" and kind == "string_pattern_mismatch" and field is not None and field.description:
        help = f"{name}: {field.description}"  # says what is wanted better than a regular expression
    return Problem(place, code, message, help)


def _unknown_key(mistake: _Mistake) -> tuple[str, str, str | None]:
    key = str(mistake.path[-1])
    near = _near(mistake)
    known = ", ".join(mistake.fields)
    help = f"did you mean '{near}'?" if near else f"known keys: {known}" if known else "nothing can be set here"
    return "unknown-key", f"unknown key '{key}'", help


def _near(mistake: _Mistake) -> str | None:
    """The key that was probably meant: the nearest one, or the only one that begins like this one."""
    key = str(mistake.path[-1])
    begin = [field for field in mistake.fields if len(key) > 2 and field.startswith(key.removesuffix("s"))]
    return nearest(key, mistake.fields) or (begin[0] if len(begin) == 1 else None)


def _missing_key(document: Document, where: tuple[str | int, ...], mistake: _Mistake) -> tuple[str, str, str | None]:
    key = str(where[-1])
    holder = f"'{where[-2]}'" if len(where) > 1 else "the document"
    field = mistake.fields.get(key)
    about = field.description if field is not None and field.description else ""
    help = f"add '{key}': {about[0].lower()}{about[1:]}" if about else f"add '{key}'"
    return "missing-key", f"{holder} has no '{key}'", help


def _as_written(lines: list[str], place: Position) -> str:
    start = place.column - 1
    return lines[place.line - 1][start : start + place.width] if place.line <= len(lines) else ""

"""Lists as Kubeflow's API server gives them: filtered, sorted, and a page at a time."""

from __future__ import annotations

import base64
import json
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from kubeflow_refusals import Refused, invalid, read

DEFAULT_PAGE, LARGEST_PAGE = 20, 200
OPERATIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "EQUALS": operator.eq,
    "NOT_EQUALS": operator.ne,
    "GREATER_THAN": operator.gt,
    "GREATER_THAN_EQUALS": operator.ge,
    "LESS_THAN": operator.lt,
    "LESS_THAN_EQUALS": operator.le,
    "IN": lambda value, wanted: value in wanted,
    "IS_SUBSTRING": lambda value, wanted: wanted in value,
}
Fields = Mapping[str, Any]
"""What a thing may be filtered and sorted by; `id` is among it."""


class Page(NamedTuple):
    """Some of the things, how many there are on all pages, and the token of the next page."""

    things: list[Any]
    total: int
    token: str | None


def page_of(things: Iterable[tuple[Fields, Any]], query: Mapping[str, str]) -> Page:
    """Oldest first, unless `sort_by` says otherwise."""
    try:
        return _page_of(list(things), query)
    except Refused as refused:
        raise refused.within("Failed to create list options") from refused


def _page_of(things: list[tuple[Fields, Any]], query: Mapping[str, str]) -> Page:
    given = query.get("page_size") or "0"
    if not given.isdigit():
        raise invalid(f"The page size should be greater than 0. Got {given}")
    size = min(int(given) or DEFAULT_PAGE, LARGEST_PAGE)
    start, wanted = 0, {name: query[name] for name in ("filter", "sort_by") if query.get(name)}
    if token := query.get("page_token"):
        start, meant = _read_token(token)
        if wanted and wanted != meant:
            raise invalid("page token does not match the supplied sort by and/or filtering criteria.")
        wanted = meant
    predicates = _filter(wanted.get("filter", "")).predicates or []
    found = [each for each in things if all(_matches(predicate, each[0]) for predicate in predicates)]
    _sort(found, wanted.get("sort_by", "created_at"))
    following = _token(start + size, wanted) if start + size < len(found) else None
    return Page([thing for _, thing in found[start : start + size]], len(found), following)


def _sort(found: list[tuple[Fields, Any]], sort_by: str) -> None:
    name, _, order = sort_by.partition(" ")
    if order not in ("", "asc", "desc") or (found and name not in found[0][0]):
        raise invalid(f'Invalid sorting field: "{sort_by}"')
    found.sort(key=lambda each: (each[0][name], each[0]["id"]), reverse=order == "desc")


def _token(start: int, wanted: Mapping[str, str]) -> str:
    return base64.b64encode(json.dumps([start, wanted]).encode()).decode()


def _read_token(token: str) -> tuple[int, dict[str, str]]:
    try:
        start, wanted = json.loads(base64.b64decode(token, validate=True))
        return start, wanted
    except ValueError as error:
        raise invalid("Invalid package token.") from error


def _filter(text: str) -> Any:
    try:
        return read("V2beta1Filter", json.loads(text or "{}"))
    except (json.JSONDecodeError, Refused) as error:
        raise invalid(f'failed to parse valid filter from "{text}": {error}') from error


def _matches(predicate: Any, fields: Fields) -> bool:
    if predicate.key not in fields:
        raise invalid(f'no support for filtering on unrecognized field "{predicate.key}"')
    if predicate.operation not in OPERATIONS:
        raise invalid(f"invalid predicate operation: {predicate.operation}")
    single = (predicate.string_value, predicate.timestamp_value, predicate.int_value, predicate.long_value)
    several = (predicate.string_values, predicate.int_values, predicate.long_values)
    wanted = next((each for each in (*single, *(some and some.values for some in several)) if each is not None), "")
    try:
        return OPERATIONS[predicate.operation](fields[predicate.key], wanted)
    except TypeError as error:
        raise invalid(f"cannot compare {predicate.key} with {wanted!r}") from error

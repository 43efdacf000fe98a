"""What differs between what was applied last and what is declared now. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

CREATE, CHANGE, SAME, DELETE = "create", "change", "same", "delete"
ACTIONS = (CREATE, CHANGE, SAME, DELETE)
SET, CHANGED, REMOVED = "set", "changed", "removed"


class FieldChange(NamedTuple):
    """One field of a document: `path` has dots, as `orchestrator.max_parallel`; `how` is SET, CHANGED or REMOVED."""

    path: str
    how: str
    before: Any = None
    after: Any = None


class Change(NamedTuple):
    """What applying does with one document, one of ACTIONS; `source` is where it stands, `prod.yaml:7`, or empty."""

    action: str
    kind: str
    name: str
    source: str = ""
    fields: tuple[FieldChange, ...] = ()


def change(
    kind: str, name: str, before: Mapping[str, Any] | None, after: Mapping[str, Any], source: str = ""
) -> Change:
    """From what a document declared before, or None, to what it declares now; both as plain data."""
    if before is None:
        return Change(CREATE, kind, name, source)
    fields = tuple(_differences("", before, after))
    return Change(CHANGE if fields else SAME, kind, name, source, fields)


def changes_to_json(changes: list[Change]) -> list[dict[str, Any]]:
    """Changes as JSON values."""
    return [each._asdict() | {"fields": [field._asdict() for field in each.fields]} for each in changes]


def _differences(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[FieldChange]:
    for key in dict.fromkeys([*before, *after]):
        inner = f"{path}.{key}" if path else str(key)
        old, new = before.get(key), after.get(key)
        if key not in after:
            yield FieldChange(inner, REMOVED, before=old)
        elif key not in before:
            yield FieldChange(inner, SET, after=new)
        elif isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _differences(inner, old, new)
        elif (type(old), old) != (type(new), new):
            yield FieldChange(inner, CHANGED, old, new)

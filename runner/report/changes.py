"""Changes as a person reads them: one line a document, and its fields below it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from runner.plan.changes import ACTIONS, CHANGE, CHANGED, CREATE, DELETE, REMOVED, SAME, Change, FieldChange
from runner.report.words import counted

_WORDS = {CREATE: "to create", CHANGE: "to change", SAME: "the same", DELETE: "to delete"}
_DONE = {CREATE: "created", CHANGE: "changed", SAME: "the same", DELETE: "deleted"}


def changes_text(changes: Sequence[Change], *, dry_run: bool = False, noun: str = "document") -> str:
    """What applying does or did, and a closing line with how many of each; `noun` is what a change is one of."""
    if not changes:
        return "nothing is declared there that can be applied"
    width = max(len(f"{each.kind} {each.name}") for each in changes)
    lines = []
    for each in changes:
        lines.append(f"{each.action:<7} {f'{each.kind} {each.name}':<{width}}  {each.source}".rstrip())
        lines += [f"          {_field(field)}" for field in each.fields]
    return "\n".join([*lines, "", closing(changes, dry_run=dry_run, noun=noun)])


def closing(changes: Iterable[Change], *, dry_run: bool = False, noun: str = "document") -> str:
    """`2 created, 1 the same`."""
    actions = [each.action for each in changes]
    words = _WORDS if dry_run else _DONE
    told = ", ".join(f"{actions.count(action)} {words[action]}" for action in ACTIONS if action in actions)
    return f"{counted(len(actions), noun)}: {told}" + (" (nothing was written)" if dry_run else "")


def _field(field: FieldChange) -> str:
    if field.how == REMOVED:
        return f"{field.path}: {as_word(field.before)} → (not set)"
    before = as_word(field.before) if field.how == CHANGED else "(not set)"
    return f"{field.path}: {before} → {as_word(field.after)}"


def as_word(value: Any) -> str:
    """A value as one writes it on a line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {as_word(member)}" for key, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_word, value)) + "]"
    return value if isinstance(value, str) else json.dumps(value, default=str)

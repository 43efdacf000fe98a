"""Stacks and their revisions as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from runner.report.changes import as_word
from runner.report.words import moment, pairs, table


class RevisionLike(Protocol):
    """What is told of a revision."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def action(self) -> str: ...
    @property
    def time(self) -> float: ...
    @property
    def author(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def line(self) -> int: ...
    @property
    def digest(self) -> str: ...
    @property
    def text(self) -> str: ...


def stacks_table(stacks: Sequence[Mapping[str, Any]]) -> str:
    """One stack a line; the active one is marked."""
    head = ("", "stack", "orchestrator", "artifact_store", "declared")
    rows = [
        ("*" if each["active"] else "", each["name"], each["orchestrator"], each["artifact_store"], each["declared"])
        for each in stacks
    ]
    return table(head, rows)


def stack_text(facts: Mapping[str, Any]) -> str:
    """One stack: why it is the one, and its components."""
    active = f"active: {_why(facts['chosen_by'])}" if facts["active"] else "not the active one"
    told = {"stack": facts["name"], "": active, "declared": facts["declared"]}
    if facts["description"]:
        told["description"] = facts["description"]
    parts = [pairs({key or "chosen": value for key, value in told.items()})]
    rows = [
        (kind, each["name"] or "(in place)", each["flavor"], _fields(each["fields"]))
        for kind, each in facts["components"].items()
        if each is not None
    ]
    parts.append(table(("component", "name", "flavor", "fields"), rows, gives_way=("fields",)))
    if facts["defaults"]:
        parts.append("defaults\n" + pairs({f"  {key}": as_word(value) for key, value in facts["defaults"].items()}))
    parts += [f"note: {note}" for note in facts["notes"]]
    return "\n\n".join(parts)


def revisions_table(revisions: Sequence[RevisionLike]) -> str:
    """All revisions of a document, the first one first."""
    head = ("revision", "action", "time", "author", "from", "digest")
    rows = [
        (str(each.number), each.action, moment(each.time), each.author, _from(each), each.digest[:12])
        for each in revisions
    ]
    return table(head, rows)


def revision_text(revision: RevisionLike) -> str:
    """One revision: who, when, from where, and the document's text."""
    told = {
        revision.kind: revision.name,
        "revision": f"{revision.number}, {revision.action} {moment(revision.time)} by {revision.author}",
        "from": _from(revision),
        "digest": revision.digest,
    }
    return f"{pairs(told)}\n\n{revision.text.strip()}"


def _why(chosen_by: str) -> str:
    return "nothing else was chosen" if chosen_by.startswith("nothing") else f"chosen by {chosen_by}"


def _from(revision: RevisionLike) -> str:
    return f"{revision.source}:{revision.line}" if revision.source else "a command"


def _fields(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {as_word(value)}" for key, value in fields.items())

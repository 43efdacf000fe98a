"""Stacks and components by command: register, update, copy, delete, export. Each writes a document, as `apply` does."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from runner.catalog import open_catalog
from runner.document.node import Document
from runner.document.read import read_text
from runner.document.write import edited, segments, to_yaml
from runner.engine.apply import carry_out, of_document
from runner.errors import Problem, UsageError, nearest
from runner.plan.changes import Change
from runner.project.check import check
from runner.project.declared import around, names_of
from runner.project.folder import SUFFIXES, Project
from runner.project.stacks import DEFAULT, UNREACHABLE, known_stacks
from runner.spec.stack import COMPONENT_KINDS

DEFAULT_STACK = {"kind": "stack", "name": DEFAULT, "orchestrator": {"flavor": "local"}}


def register(project: Project, kind: str, name: str, fields: Mapping[str, Any]) -> Change:
    """Declare a new stack or component. Raises UsageError when its name is taken or its fields are wrong."""
    documents = around(project, [])
    if found := _find(documents, kind, name) or (_default() if (kind, name) == ("stack", DEFAULT) else None):
        where = f", {found.file}" if found.file else ""
        raise UsageError(
            f"there is {_a(kind)} '{name}' already{where}", f"change it: runner {_verb(kind)} update {name} …"
        )
    return _declare(project, to_yaml({"kind": kind, "name": name, **fields}))


def update(project: Project, kind: str, name: str, fields: Mapping[str, Any], removed: Collection[str] = ()) -> Change:
    """Set or remove fields of a declared stack or component; the rest of its document stays as it is."""
    found = declared(project, kind, name)
    if (kind, name) == ("stack", DEFAULT) and not found.revision:
        raise UsageError(
            "the stack 'default' is built in and stays as it is", "copy it: runner stack copy default NAME"
        )
    if missing := [field for field in removed if not found.node.has((field,))]:
        raise UsageError(f"{_noun(kind)} '{name}' has no {missing[0]}", f"see: runner {_verb(kind)} show {name}")
    return _declare(project, edited(as_yaml(found), fields, removed), found)


def beside(change: Change) -> list[str]:
    """What the user should know beside an update: that the file it was applied from says something else now."""
    if not change.source or not change.fields:
        return []
    return [
        f"{change.source} is as it was, and the next `runner apply` of it takes this back: write it there too, or keep "
        "what `runner stack export` gives"
    ]


def copy(project: Project, source: str, target: str) -> Change:
    """Declare a stack that is what another one is."""
    text = as_yaml(declared(project, "stack", source))
    if target == DEFAULT or _find(around(project, []), "stack", target):
        raise UsageError(f"there is a stack '{target}' already", "choose another name, or delete that one first")
    return _declare(project, edited(text, {"name": target}))


def delete(project: Project, kind: str, name: str) -> Change:
    """Take back what was registered or applied. Raises UsageError for what is still used, or stands in a file."""
    found = declared(project, kind, name)
    if not found.revision:
        if (kind, name) == ("stack", DEFAULT):
            raise UsageError("the stack 'default' is built in and stays", None)
        raise UsageError(
            f"{_noun(kind)} '{name}' was not applied: it stands in {found.position(())}", "remove it from that file"
        )
    return carry_out(project, [], deleted=[(kind, name)])[0]


def set_active(project: Project, name: str) -> None:
    """Choose the stack that is used where nothing else names one; `default` takes the choice back."""
    declared(project, "stack", name)
    catalog = open_catalog(project.state, make=True)
    assert catalog is not None
    with catalog:
        catalog.set_active(None if name == DEFAULT else name)


def declared(project: Project, kind: str, name: str) -> Document:
    """The document of this kind and name: as applied, else from a file of `stacks/`. UsageError when there is none."""
    documents = around(project, [])
    found = _find(documents, kind, name) or (_default() if (kind, name) == ("stack", DEFAULT) else None)
    if found is not None:
        return found
    names = known_stacks(documents) if kind == "stack" else names_of(kind, documents)
    if name.endswith(SUFFIXES):
        raise UsageError(f"'{name}' is a file, and not the name of {_a(kind)}", f"apply it first: runner apply {name}")
    guess = nearest(name, names)
    known = f"known: {', '.join(names)}" if names else f"declare one: runner {_verb(kind)} register NAME …"
    raise UsageError(f"there is no {_noun(kind)} '{name}'", (f"did you mean '{guess}'? " if guess else "") + known)


def export(project: Project, name: str) -> str:
    """A stack and everything that it names, as the YAML that `apply` takes."""
    stack = declared(project, "stack", name)
    documents = around(project, [])
    parts = [as_yaml(stack)]
    for kind, used in _named(stack):
        if found := _find(documents, kind, used):
            parts.append(as_yaml(found))
    return "---\n".join(part.strip("\n") + "\n" for part in parts)


def as_yaml(document: Document) -> str:
    """The text of one document, with its comments; what stands in TOML is written as YAML."""
    piece = [text for line, text in segments(document.text) if line <= document.node.line][-1].lstrip("\n")
    found, problems = read_text(piece, "piece.yaml")
    same = not problems and len(found) == 1 and found[0].node.plain() == document.node.plain()
    return piece if same else to_yaml(document.node.plain())


def _declare(project: Project, text: str, before: Document | None = None) -> Change:
    documents, problems = read_text(text, "command.yaml")
    known = around(project, documents)
    for document in documents:
        problems += check(project, document, known, os.environ)
    # A stack is put together piece by piece: whether its engine reaches its store is asked when it is to run something.
    problems = [problem for problem in problems if problem.code != UNREACHABLE]
    if problems:
        raise _told(text, problems)
    source, line = _source(project, before)
    return carry_out(project, [of_document(documents[0], text, source, line)])[0]


def _told(text: str, problems: Sequence[Problem]) -> UsageError:
    """Problems of a document that the user did not write: told by the field that they are about, not by a line."""
    lines = text.splitlines()
    told: dict[str, str | None] = {}
    for problem in problems:
        line = problem.position.line - 1
        field = lines[line].strip().partition(":")[0] if line < len(lines) else ""
        message = problem.message.replace("the document has", "it has")
        about = problem.code != "missing-key" and field not in ("", "kind", "name") and field not in message
        told[f"{field}: {message}" if about else message] = problem.help
    if len(told) == 1:
        return UsageError(*next(iter(told.items())))
    each = [f"{message} ({help})" if help else message for message, help in told.items()]
    return UsageError("several things are wrong:\n  " + "\n  ".join(each))


def _source(project: Project, before: Document | None) -> tuple[str, int]:
    """The file that an updated document was applied from: what it says by then is told when it is applied again."""
    if before is None or not before.revision:
        return "", 1
    catalog = open_catalog(project.state)
    assert catalog is not None
    with catalog:
        latest = catalog.history(before.kind or "", before.name or "")[-1]
        return latest.source, latest.line


def _find(documents: Collection[Document], kind: str, name: str) -> Document | None:
    return next((each for each in documents if (each.kind, each.name) == (kind, name)), None)


def _default() -> Document:
    documents, _ = read_text(to_yaml(DEFAULT_STACK), "")
    return documents[0]


def _named(stack: Document) -> Iterator[tuple[str, str]]:
    for kind in COMPONENT_KINDS:
        if isinstance(value := stack.node.at((kind,)).value, str) and stack.node.has((kind,)):
            yield kind, value
    place = ("defaults", "resources")
    if stack.node.has(place) and isinstance(value := stack.node.at(place).value, str):
        yield "resources", value


def _a(kind: str) -> str:
    return f"an {_noun(kind)}" if kind[0] in "aeio" else f"a {_noun(kind)}"


def _noun(kind: str) -> str:
    return kind.replace("_", " ")


def _verb(kind: str) -> str:
    return kind.replace("_", "-")

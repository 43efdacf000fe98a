"""What is to be told about a project's stacks: which there are, which is active and why, and their revisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.catalog import Revision, open_catalog
from runner.document.node import Document
from runner.engine.declare import declared
from runner.errors import UsageError
from runner.project.declared import around
from runner.project.folder import Project
from runner.project.stacks import DEFAULT, Stack, choose_stack, find_stack, known_stacks, load_stack
from runner.spec.stack import COMPONENT_KINDS


def overview(project: Project, env: Mapping[str, str]) -> list[dict[str, Any]]:
    """For each stack that can be named its components, where it is declared, and whether it is the active one."""
    active = choose_stack(project, None, env)[0] or DEFAULT
    documents = around(project, [])
    return [
        {
            "name": name,
            "active": name == active,
            "declared": _where(found := _document(documents, name)),
            **{kind: _short(found, kind) for kind in COMPONENT_KINDS},
        }
        for name in known_stacks(documents)
    ]


def show(project: Project, given: str | None, env: Mapping[str, str]) -> dict[str, Any]:
    """Everything about one stack, the active one when none is given; raises what `load_stack` raises."""
    active, why = choose_stack(project, None, env)
    chosen, chosen_by = (given, "the command line") if given else (active, why)
    stack = load_stack(project, chosen, chosen_by, env)
    document = find_stack(project, chosen, chosen_by)[1] if chosen else None
    return {
        "name": stack.name,
        "active": stack.name == (active or DEFAULT),
        "chosen_by": chosen_by,
        "description": stack.description,
        "declared": _where(document),
        "components": {kind: _component(stack, document, kind) for kind in COMPONENT_KINDS},
        "defaults": document.node.plain().get("defaults", {}) if document is not None else {},
        "notes": list(stack.notes),
    }


def revisions(project: Project, name: str, number: int | None) -> list[Revision]:
    """Every revision of a stack, or the one of this number. UsageError when there is none."""
    catalog = open_catalog(project.state)
    found: list[Revision] = []
    if catalog is not None:
        with catalog:
            found = catalog.history("stack", name)
    if not found:
        declared(project, "stack", name)
        raise UsageError(f"the stack '{name}' was never applied, so that it has no revisions", "runner apply PATH")
    if number is not None and number > len(found):
        raise UsageError(f"the stack '{name}' has no revision {number}", f"its revisions: 1 to {len(found)}")
    return found if number is None else [found[number - 1]]


def _document(documents: list[Document], name: str) -> Document | None:
    return next((each for each in documents if (each.kind, each.name) == ("stack", name)), None)


def _where(document: Document | None) -> str:
    if document is None:
        return "built in"
    return document.file if document.revision else str(document.position(()))


def _short(document: Document | None, kind: str) -> str:
    """A component in a word: its name, or the flavor of what is written in place."""
    if document is None:
        return "local" if kind in ("orchestrator", "artifact_store") else ""
    value = document.node.plain().get(kind)
    if isinstance(value, dict):
        return str(value.get("flavor", ""))
    return str(value) if value else ("local" if kind == "artifact_store" else "")


def _component(stack: Stack, document: Document | None, kind: str) -> dict[str, Any] | None:
    fields = stack.orchestrator_fields if kind == "orchestrator" else getattr(stack, kind)
    if not fields:
        return None
    written = document.node.at((kind,)).value if document is not None and document.node.has((kind,)) else None
    rest = {key: value for key, value in fields.items() if key != "flavor"}
    return {"name": written if isinstance(written, str) else None, "flavor": fields["flavor"], "fields": rest}

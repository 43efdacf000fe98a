"""What orchestrators need to have in their engines before anything runs there; `runner apply` makes it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from runner.document.interpolate import interpolate
from runner.document.node import Document
from runner.errors import EngineError
from runner.orchestrators.base import BaseOrchestrator
from runner.orchestrators.blame import blamed
from runner.plan.changes import Change
from runner.project.components import Components
from runner.project.declared import FIXED
from runner.project.folder import Project
from runner.project.stacks import check_stack

WITHOUT = "register it without asking its engine: add --no-engine"


class Needing(NamedTuple):
    """An orchestrator, and where which document names it: `stack 'prod' at stacks/prod.yaml:3:1`."""

    orchestrator: BaseOrchestrator
    named: str


def engines_of(
    project: Project, documents: Sequence[Document], known: Sequence[Document], env: Mapping[str, str]
) -> list[Needing]:
    """The orchestrators that documents without problems declare or name, each once; names may refer to `known` ones."""
    found: dict[str, Needing] = {}
    for document in documents:
        orchestrator, fields = None, {}
        if document.kind == "stack":
            stack, _ = check_stack(project, document, known, env)
            orchestrator, fields = (stack.orchestrator, stack.orchestrator_fields) if stack else (None, {})
        elif document.kind == "orchestrator":
            filled, problems = interpolate(document, {}, (), env, skip=FIXED)
            orchestrator, fields = Components(project, known, env, problems).bind_orchestrator(filled, ())
        if orchestrator is not None and _needs(orchestrator):
            place = document.position(("orchestrator",) if document.kind == "stack" else ("name",))
            key = json.dumps(fields, sort_keys=True, default=str)
            found.setdefault(key, Needing(orchestrator, f"{document.kind} '{document.name}' at {place}"))
    return list(found.values())


def provide(needing: Iterable[Needing], *, dry_run: bool) -> list[Change]:
    """Make what they need, once every one of their engines has said what it would do; with `dry_run` that is all.

    Raises EngineError, which names the document, before anything is made where possible.
    """
    needing = list(needing)
    planned = [made for each in needing for made in _provided(each, dry_run=True)]
    if not dry_run:
        for each in needing:
            _provided(each, dry_run=False)
    return planned


def _provided(needing: Needing, *, dry_run: bool) -> list[Change]:
    kind = type(needing.orchestrator)
    try:
        with blamed(kind, needing.orchestrator.flavor or kind.__name__):
            return list(needing.orchestrator.provision(dry_run))
    except EngineError as error:
        help = f"{error.help}; or {WITHOUT}" if error.help else WITHOUT
        raise EngineError(f"{needing.named}: {error.message}", help) from error


def _needs(orchestrator: BaseOrchestrator) -> bool:
    return type(orchestrator).provision is not BaseOrchestrator.provision

"""Apply documents: from files to the catalog, with the difference told first."""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from runner.catalog import APPLIED, DELETED, Catalog, Revision, open_catalog
from runner.document.node import Document
from runner.document.write import segments
from runner.engine.provide import engines_of, provide
from runner.errors import InvalidDocuments, UsageError
from runner.plan.changes import CHANGE, CREATE, DELETE, SAME, Change, change
from runner.plan.fingerprint import part
from runner.project.check import check
from runner.project.declared import around, document_of, read_all, same_names, texts_of
from runner.project.folder import Project, files_of
from runner.spec.stack import COMPONENT_KINDS

KINDS = ("resources", *COMPONENT_KINDS, "stack")
"""What is registered, in an order in which each stands after what it may name."""


class Applied(NamedTuple):
    """What applying does, or did. `passed_over` are the names of pipelines, which run from their files; `provided` is
    what orchestrators have in their engines."""

    changes: list[Change]
    passed_over: list[str] = []
    provided: list[Change] = []

    @property
    def differs(self) -> bool:
        return any(each.action != SAME for each in (*self.changes, *self.provided))


def apply(
    project: Project,
    paths: Sequence[Path],
    *,
    dry_run: bool = False,
    prune: bool = False,
    engines: bool = True,
    env: Mapping[str, str] | None = None,
) -> Applied:
    """Register the stacks, components and resources of these files and folders, and make what their orchestrators need
    in their engines; without `engines` none of these is asked.

    `prune` deletes what was applied from the same files and is no longer declared there, and nothing in an engine;
    `dry_run` writes nothing. Raises InvalidDocuments with every problem, UsageError when something that is still used
    would go, EngineError when an engine refuses or cannot be reached: then nothing is registered.
    """
    env = os.environ if env is None else env
    paths = list(paths) or [project.root / "stacks"]
    gone = _gone(project, paths)
    if gone and not prune:
        help = "delete what was applied from there: add --prune"
        raise UsageError(f"there is no file or folder '{project.shown(gone[0])}' any more", help)
    there = [path for path in paths if path not in gone]
    documents, problems, texts = read_all(project, files_of(project, there) if there else [])
    known = around(project, documents)
    problems += same_names(documents)
    for document in documents:
        problems += check(project, document, known, env)
    if problems:
        raise InvalidDocuments(set(problems), texts_of(known) | texts)
    wanted = [_revision(project, document) for document in documents if document.kind in KINDS]
    scope = _scope(project, paths, texts) if prune else None
    pipelines = [document.name or "" for document in documents if document.kind == "pipeline"]
    needing = engines_of(project, documents, known, env) if engines else []
    changes = carry_out(project, wanted, scope=scope, dry_run=True) if needing or dry_run else []
    provided = provide(needing, dry_run=dry_run)
    if not dry_run:
        changes = carry_out(project, wanted, scope=scope)
    return Applied(changes, pipelines, provided)


def carry_out(
    project: Project,
    wanted: Sequence[Revision],
    *,
    deleted: Collection[tuple[str, str]] = (),
    scope: _Scope | None = None,
    dry_run: bool = False,
) -> list[Change]:
    """Bring the catalog to what is wanted, in one transaction: revisions as `of_document` makes them.

    `deleted` are kinds and names that go; with a `scope` so does what was applied from it and is not wanted.
    """
    catalog = open_catalog(project.state, make=not dry_run)
    if catalog is None:
        return [change(each.kind, each.name, None, {}, _place(each)) for each in _in_order(wanted)]
    with catalog:
        if dry_run:
            return [made for made, _, _ in _decided(project, catalog, wanted, deleted, scope)]
        with catalog.changing():
            found = _decided(project, catalog, wanted, deleted, scope)
            for made, before, after in found:
                _write(catalog, made, before, after)
        return [made for made, _, _ in found]


def of_document(document: Document, text: str, source: str = "", line: int = 1) -> Revision:
    """The revision that a document would be, by whom runs this and now."""
    plain = document.node.plain()
    return Revision(
        document.kind or "", document.name or "", 0, APPLIED, time.time(), author(), source, line, part(plain), text
    )


def author() -> str:
    """Who runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user often has no name
        return str(os.getuid())


class _Scope(NamedTuple):
    """Files, and folders that end in `/`, relative to the project's root; the root itself is empty."""

    places: tuple[str, ...]

    def covers(self, source: str) -> bool:
        inside = (source.startswith(place) for place in self.places if place.endswith("/"))
        return source in self.places or any(inside) or ("" in self.places and not source.startswith("/"))


_Decided = list[tuple[Change, Revision | None, Revision | None]]


def _decided(
    project: Project,
    catalog: Catalog,
    wanted: Sequence[Revision],
    deleted: Collection[tuple[str, str]],
    scope: _Scope | None,
) -> _Decided:
    current = {(each.kind, each.name): each for each in catalog.current()}
    found: _Decided = []
    for after in _in_order(wanted):
        before = current.get((after.kind, after.name))
        made = change(after.kind, after.name, _plain(before), _plain(after) or {}, _place(after))
        found.append((made, before, after))
    names = {(each.kind, each.name) for each in wanted}
    gone = [
        each
        for key, each in current.items()
        if key in deleted or (scope is not None and key not in names and each.source and scope.covers(each.source))
    ]
    _refuse_if_used(project, catalog, gone, current, wanted)
    return found + [(Change(DELETE, each.kind, each.name, _place(each)), each, None) for each in _in_order(gone)[::-1]]


def _write(catalog: Catalog, made: Change, before: Revision | None, after: Revision | None) -> None:
    if made.action in (CREATE, CHANGE) and after is not None:
        catalog.add(after)
    elif made.action == DELETE and before is not None:
        catalog.add(before._replace(action=DELETED, time=time.time(), author=author()))
    elif before is not None and after is not None and after.source:
        catalog.refresh(after._replace(number=before.number))


def _refuse_if_used(
    project: Project,
    catalog: Catalog,
    gone: Sequence[Revision],
    current: Mapping[tuple[str, str], Revision],
    wanted: Sequence[Revision],
) -> None:
    names = {(each.kind, each.name) for each in gone}
    if not names:
        return
    left = {key: each for key, each in current.items() if key not in names} | {
        (each.kind, each.name): each for each in wanted
    }
    declared = {(document.kind, document.name) for document in around(project, []) if not document.revision}
    for stack in (each for each in left.values() if each.kind == "stack"):
        for kind, name in _uses(stack):
            if (kind, name) in names and (kind, name) not in left and (kind, name) not in declared:
                help = f"update or delete the stack first: runner stack update {stack.name} …"
                raise UsageError(f"{kind.replace('_', ' ')} '{name}' cannot go: stack '{stack.name}' uses it", help)
    active = catalog.active()
    if ("stack", active) in names and ("stack", active) not in declared:
        raise UsageError(f"stack '{active}' cannot go: it is the active one", "runner stack set default")


def _uses(stack: Revision) -> Iterator[tuple[str, str]]:
    """Kind and name of everything that a stack names."""
    plain = _plain(stack) or {}
    yield from ((kind, plain[kind]) for kind in COMPONENT_KINDS if isinstance(plain.get(kind), str))
    resources = (plain.get("defaults") or {}).get("resources")
    if isinstance(resources, str):
        yield "resources", resources


def _plain(revision: Revision | None) -> dict[str, Any] | None:
    if revision is None:
        return None
    plain: dict[str, Any] = document_of(revision).node.plain()
    return plain


def _in_order(revisions: Sequence[Revision]) -> list[Revision]:
    return sorted(revisions, key=lambda each: (KINDS.index(each.kind), each.name))


def _revision(project: Project, document: Document) -> Revision:
    source = _relative(project, Path(document.file))
    line, text, language = 1, document.text, "toml"
    if not document.file.endswith(".toml"):
        language = "yaml"
        line, text = [piece for piece in segments(document.text) if piece[0] <= document.node.line][-1]
    return of_document(document, text, source, line)._replace(language=language)


def _relative(project: Project, path: Path) -> str:
    absolute = path.resolve()
    return str(absolute.relative_to(project.root)) if absolute.is_relative_to(project.root) else str(absolute)


def _gone(project: Project, paths: Sequence[Path]) -> list[Path]:
    """Those of the paths that are not there, and from which something was applied."""
    missing = [path for path in paths if not path.exists()]
    catalog = open_catalog(project.state) if missing else None
    if catalog is None:
        return []
    with catalog:
        sources = [each.source for each in catalog.current() if each.source]
    return [path for path in missing if any(_scope(project, [path], {}).covers(source) for source in sources)]


def _scope(project: Project, paths: Sequence[Path], texts: Mapping[str, str]) -> _Scope:
    folders = [path for path in paths if path.is_dir() or not path.exists()]
    files = [_relative(project, path) for path in paths if not path.exists()]
    files += [_relative(project, Path(file)) for file in texts]
    within = (_relative(project, folder) for folder in folders)
    return _Scope((*files, *("" if folder == "." else f"{folder}/" for folder in within)))


def _place(revision: Revision) -> str:
    return f"{revision.source}:{revision.line}" if revision.source else ""

"""Documents together: read from files, and those around them that their names may refer to.

A name is looked for in this order: the file that says it, what was applied, the files of `stacks/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from runner.catalog import Catalog, Revision, open_catalog
from runner.document.interpolate import interpolate
from runner.document.node import Document
from runner.document.read import read_text, text_of
from runner.errors import Position, Problem
from runner.project.folder import Project, stack_files
from runner.spec.resources import Resources, ResourcesDocument
from runner.validate.bind import bind

FIXED = ("kind", "name")
"""What identifies a document is the same whatever it is given."""


def read_all(project: Project, paths: Iterable[Path]) -> tuple[list[Document], list[Problem], dict[str, str]]:
    """Documents and problems of files, and the texts that the problems stand in, file → text."""
    documents: list[Document] = []
    problems: list[Problem] = []
    texts: dict[str, str] = {}
    seen: set[Path] = set()
    for path in paths:
        if path.resolve() in seen:
            continue
        seen.add(path.resolve())
        shown = project.shown(path)
        text, wrong = text_of(path, shown)
        problems += wrong
        if text is not None:
            texts[shown] = text
            found, wrong = read_text(text, shown)
            documents += found
            problems += wrong
    return documents, problems, texts


def texts_of(documents: Iterable[Document]) -> dict[str, str]:
    """The texts that problems of these documents stand in."""
    return {document.file: document.text for document in documents}


def around(project: Project, documents: Sequence[Document]) -> list[Document]:
    """These documents, then the applied ones, then those of the `stacks` folder: what names may refer to."""
    files = {document.file for document in documents}
    others = read_all(project, [path for path in stack_files(project) if project.shown(path) not in files])[0]
    return [*documents, *applied(project), *others]


def applied(project: Project) -> list[Document]:
    """What was applied or registered by commands, as documents."""
    catalog = open_catalog(project.state)
    if catalog is None:
        return []
    with catalog:
        return documents_of(catalog)


def documents_of(catalog: Catalog) -> list[Document]:
    """The catalog's current documents."""
    return [document_of(revision) for revision in catalog.current()]


def document_of(revision: Revision) -> Document:
    """A revision as the document it was; its positions are those that it had in its file."""
    text = "\n" * (revision.line - 1) + revision.text  # which is nothing to either language
    found, _ = read_text(text, f"revision.{revision.language}")
    label = f"{revision.source or f'{revision.kind} {revision.name}'} (revision {revision.number})"
    return found[0]._replace(file=label, revision=revision.number)


def same_names(documents: Sequence[Document]) -> list[Problem]:
    """A problem for each document whose kind and name another one has already."""
    seen: dict[tuple[str, str], Position] = {}
    problems = []
    for document in documents:
        key = (document.kind or "", document.name or "")
        position = document.position(("name",))
        if not document.name:
            continue
        if first := seen.get(key):
            message = f"{key[0]} '{key[1]}' is declared twice"
            problems.append(
                Problem(position, "duplicate-name", message, f"the first one is at {first}; rename one of them")
            )
        seen.setdefault(key, position)
    return problems


def names_of(kind: str, documents: Iterable[Document]) -> list[str]:
    """The names of this kind's documents, each once."""
    return list(dict.fromkeys(document.name for document in documents if document.kind == kind and document.name))


def named_resources(documents: Iterable[Document], env: Mapping[str, str]) -> dict[str, tuple[Resources, Document]]:
    """`kind: resources` documents that are right, by name: the first of a name counts."""
    found: dict[str, tuple[Resources, Document]] = {}
    for document in documents:
        if document.kind == "resources" and document.name and document.name not in found:
            filled, problems = interpolate(document, {}, (), env, skip=FIXED)
            bound, _ = bind(filled, ResourcesDocument)
            if isinstance(bound, Resources) and not problems:
                found[document.name] = (bound, filled)
    return found

"""Every problem of every document of a project."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from runner.document.interpolate import interpolate
from runner.document.node import Document
from runner.errors import Problem
from runner.project.components import Components
from runner.project.declared import FIXED, around, named_resources, names_of, read_all, same_names
from runner.project.folder import Project, files_of
from runner.project.pipelines import Pipeline, bind_pipeline
from runner.project.stacks import (
    DEFAULT,
    Stack,
    check_stack,
    default_stack,
    help_stacks,
    known_stacks,
    load_stack,
    unreachable,
)
from runner.spec.resources import ResourcesDocument
from runner.validate.bind import bind

StackOf = Callable[[str | None], Stack | None]


def validate_paths(
    project: Project,
    paths: Sequence[Path],
    *,
    imports: bool = False,
    env: Mapping[str, str] | None = None,
    stack: str | None = None,
) -> tuple[list[Problem], dict[str, str], int]:
    """Every problem of every document in these files and folders (the project's own when none is given).

    What a pipeline's stack cannot honour is one too: `stack`, by name or file, or else the one that the pipeline names.
    Gives the problems in order, the texts of the files, and how many documents there are.
    """
    env = os.environ if env is None else env
    documents, problems, texts = read_all(project, files_of(project, paths))
    known = around(project, documents)
    problems += same_names(documents)
    given = load_stack(project, stack, "--stack", env) if stack else None
    if given is not None:
        problems += unreachable(given)
        texts |= {document.file: document.text for document in given.places[:1]}
    stack_of = (lambda name: given) if given else _own_stacks(project, known, env)
    for document in documents:
        problems += check(project, document, known, env, imports=imports, stack_of=stack_of)
    # What a stack names may stand elsewhere: its problems are this stack's too, and are told at their own place.
    elsewhere = {problem.position.file for problem in problems}.difference(texts)
    texts |= {document.file: document.text for document in known if document.file in elsewhere}
    return sorted(set(problems), key=lambda problem: problem.position), texts, len(documents)


def check(
    project: Project,
    document: Document,
    known: Sequence[Document],
    env: Mapping[str, str],
    *,
    imports: bool = False,
    stack_of: StackOf | None = None,
) -> list[Problem]:
    """What is wrong with one document; names may refer to the `known` ones.

    `stack_of` gives the stack of a pipeline that names this one, or none; else it is looked for among the known.
    """
    if document.kind == "pipeline":
        filled, spec, values, problems = bind_pipeline(project, document, {}, env, names_of("resources", known))
        problems += _unknown_stack(filled, known)
        stack = None if problems or spec is None else (stack_of or _own_stacks(project, known, env))(spec.stack)
        if stack is not None and spec is not None:
            from runner.project.honour import refused  # not loaded where no stack is named: start-up time counts

            named = named_resources(known, env) if "resources" in document.text else {}
            problems += refused(project, Pipeline(spec, filled, values, named), stack)
        if imports and spec is not None and not problems:
            from runner.validate.entrypoints import entrypoints  # it imports the user's code: only when asked for

            problems += entrypoints(spec, filled, project.root)
        return problems
    if document.kind == "stack":
        stack, problems = check_stack(project, document, known, env)
        return problems if stack is None else unreachable(stack)
    filled, problems = interpolate(document, {}, (), env, skip=FIXED)
    if document.kind == "resources":
        return problems + bind(filled, ResourcesDocument)[1]
    components = Components(project, known, env, problems)
    if document.kind == "orchestrator":
        components.bind_orchestrator(filled, ())
    else:
        components.bind(document.kind or "", filled, ())
    return problems


def _own_stacks(project: Project, known: Sequence[Document], env: Mapping[str, str]) -> StackOf:
    """The stacks that pipelines name, where they can be used; what is wrong with one is told with its own document."""

    @cache  # a thousand pipelines may name one stack
    def stack_of(name: str | None) -> Stack | None:
        for document in known if name else ():
            if document.kind == "stack" and document.name == name:
                return check_stack(project, document, known, env)[0]
        return default_stack(project) if name == DEFAULT else None

    return stack_of


def _unknown_stack(document: Document, known: Sequence[Document]) -> list[Problem]:
    """The stack that a pipeline names, when no document declares it."""
    named = document.node.child("stack")
    names = known_stacks(known)
    if named is None or not isinstance(named.value, str) or named.value in names:
        return []
    message = f"there is no stack '{named.value}'"
    return [Problem(document.position(("stack",)), "unknown-stack", message, help_stacks(named.value, names))]

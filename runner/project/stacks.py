"""Stacks of a project: which one is meant, and from its document to one that can be used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.catalog import open_catalog
from runner.document.interpolate import interpolate
from runner.document.node import Document
from runner.errors import InvalidDocuments, Problem, UsageError, nearest
from runner.orchestrators import registry
from runner.project.components import Components
from runner.project.declared import FIXED, around, named_resources, names_of, read_all, texts_of
from runner.project.folder import SUFFIXES, Project, stack_files
from runner.spec.stack import COMPONENT_KINDS, NO_DEFAULTS, StackDefaults, StackSpec
from runner.validate.bind import bind

if TYPE_CHECKING:
    from runner.orchestrators.base import BaseOrchestrator

DEFAULT = "default"
"""The stack that is always there: local orchestrator, artifacts in `.runner/artifacts`."""


UNREACHABLE = "unreachable-store"
"""The code of a stack's problem whose steps cannot reach its artifacts."""


class Stack(NamedTuple):
    """A stack that can be used. Components are their flavor and fields as written, paths absolute; empty for none.

    `defaults`  what its steps have when they do not say otherwise; names of resources are resolved
    `places`    the documents that `defaults` stand in: the stack's, and that of the resources it names
    `notes`     what the user should know, as that a file says something else than what was applied
    """

    name: str
    chosen_by: str
    flavor: str
    orchestrator: BaseOrchestrator
    orchestrator_fields: dict[str, Any]
    artifact_store: dict[str, Any]
    secret_store: dict[str, Any] = {}
    container_registry: dict[str, Any] = {}
    image_builder: dict[str, Any] = {}
    experiment_tracker: dict[str, Any] = {}
    description: str | None = None
    defaults: StackDefaults = NO_DEFAULTS
    places: tuple[Document, ...] = ()
    notes: tuple[str, ...] = ()


def choose_stack(
    project: Project, given: str | None, env: Mapping[str, str], pipeline: tuple[str, str | None] | None = None
) -> tuple[str | None, str]:
    """The stack that is meant, a name or a file, and what says so; None for the embedded default.

    In this order: what is `given` by --stack, RUNNER_STACK, the stack of the `pipeline` (its name and its stack),
    `runner stack set`.
    """
    if given:
        return given, "--stack"
    if named := env.get("RUNNER_STACK"):
        return named, "RUNNER_STACK"
    if pipeline is not None and pipeline[1]:
        return pipeline[1], f"the pipeline '{pipeline[0]}'"
    if active := active_stack(project):
        return active, "runner stack set"
    return None, "nothing else was named"


def active_stack(project: Project) -> str | None:
    """The stack that `runner stack set` chose."""
    catalog = open_catalog(project.state)
    if catalog is None:
        return None
    with catalog:
        return catalog.active()


def stack_names(project: Project) -> list[str]:
    """The stacks that `--stack` may name."""
    return known_stacks(around(project, []))


def known_stacks(documents: Sequence[Document]) -> list[str]:
    """The names of stacks among these documents, and the default's."""
    return [*(name for name in names_of("stack", documents) if name != DEFAULT), DEFAULT]


def load_stack(project: Project, chosen: str | None, chosen_by: str, env: Mapping[str, str]) -> Stack:
    """The stack of this name, or in this file; the embedded default for None or `default`.

    Raises InvalidDocuments with its problems, UsageError when there is none of that name.
    """
    documents, found = find_stack(project, chosen or DEFAULT, chosen_by)
    return default_stack(project, chosen_by) if found is None else _resolved(project, documents, found, chosen_by, env)


def find_stack(project: Project, chosen: str, chosen_by: str) -> tuple[list[Document], Document | None]:
    """The document of a stack and those around it; no document for the embedded default.

    Raises InvalidDocuments when its file cannot be read, UsageError when there is none, or several.
    """
    file = Path(chosen) if chosen.endswith(SUFFIXES) else None
    own, problems, texts = read_all(project, [file] if file else [])
    if problems:
        raise InvalidDocuments(problems, texts)
    documents = around(project, own)
    found = [document for document in (own if file else documents) if document.kind == "stack"]
    if not file:
        found = [document for document in found if document.name == chosen]
        if found and found[0].revision:  # applied: it comes before what the files say
            found = found[:1]
    if not found and chosen == DEFAULT:
        return documents, None
    if not found and not file:
        _refuse_what_cannot_be_read(project, chosen)
    if len(found) != 1:
        raise _no_such_stack(chosen, chosen_by, file is not None, documents, found)
    return documents, found[0]


def _refuse_what_cannot_be_read(project: Project, name: str) -> None:
    """Raise InvalidDocuments for files of `stacks/` that are no YAML or TOML, where one may declare this name."""
    _, problems, texts = read_all(project, stack_files(project))
    named = [each for each in problems if name in each.position.file or name in texts.get(each.position.file, "")]
    if named:
        raise InvalidDocuments(named, texts)


def default_stack(project: Project, chosen_by: str = "nothing else was named") -> Stack:
    """What runs without any stack file."""
    fields = {"flavor": "local"}
    return Stack(DEFAULT, chosen_by, "local", registry.flavor("local")(), fields, default_artifact_store(project))


def default_artifact_store(project: Project) -> dict[str, Any]:
    """The artifact store of a stack that names none."""
    return {"flavor": "local", "path": str(project.state / "artifacts")}


def components_of(stack: Stack) -> dict[str, dict[str, Any]]:
    """Kind → flavor and fields of what a stack has beside its orchestrator."""
    return {kind: getattr(stack, kind) for kind in COMPONENT_KINDS if kind != "orchestrator"}


def unreachable(stack: Stack) -> list[Problem]:
    """The problems of a stack whose steps run elsewhere and cannot reach what its other components say: artifacts in a
    folder of this machine, secrets."""
    from runner.orchestrators.portability import unreachable_store  # where a stack is used: start-up time counts

    written = stack.artifact_store if stack.places and stack.places[0].node.has(("artifact_store",)) else None
    refusal = unreachable_store(type(stack.orchestrator), stack.flavor, written)
    problems = [
        Problem(stack.places[0].position(found.path), found.code, found.message, found.help)
        for found in stack.orchestrator.beside([], components_of(stack))
        if stack.places
    ]
    if refusal is None:
        return problems
    path = refusal.path if written else ("orchestrator",)
    return [Problem(stack.places[0].position(path, key=True), UNREACHABLE, refusal.message, refusal.help), *problems]


def services_of(stack: Stack, pipeline: str) -> dict[str, str]:
    """The variables by which a stack's steps find its services, named as the services' own clients read them."""
    if stack.experiment_tracker.get("flavor") != "mlflow":
        return {}
    return {
        "MLFLOW_TRACKING_URI": stack.experiment_tracker["tracking_uri"],
        "MLFLOW_EXPERIMENT_NAME": stack.experiment_tracker.get("experiment") or pipeline,
    }


def orchestrator_from(fields: Mapping[str, Any], root: Path) -> BaseOrchestrator:
    """The orchestrator of fields as they were written; Settings are bound again. `root` is the project's."""
    flavor = registry.flavor(fields["flavor"], root)
    settings = flavor.Settings.model_validate({key: value for key, value in fields.items() if key != "flavor"})
    return registry.made(fields["flavor"], settings, root)


def check_stack(
    project: Project, document: Document, documents: Sequence[Document], env: Mapping[str, str]
) -> tuple[Stack | None, list[Problem]]:
    """A stack's document made usable, or every problem in it and in the components that it names."""
    filled, problems = interpolate(document, {}, (), env, skip=FIXED)
    spec, wrong = bind(filled, StackSpec)
    problems += wrong
    components = Components(project, documents, env, problems)
    orchestrator, fields = components.orchestrator(filled)
    others = {kind: components.fields(filled, kind) for kind in COMPONENT_KINDS if kind != "orchestrator"}
    defaults, places = _defaults(spec, filled, documents, env, problems) if isinstance(spec, StackSpec) else (None, ())
    if problems or not isinstance(spec, StackSpec) or orchestrator is None or defaults is None:
        return None, problems
    flavor = orchestrator.flavor or fields["flavor"]
    return (
        Stack(
            name=spec.name,
            chosen_by="",
            flavor=flavor,
            orchestrator=orchestrator,
            orchestrator_fields=fields,
            artifact_store=others["artifact_store"] or default_artifact_store(project),
            secret_store=others["secret_store"],
            container_registry=others["container_registry"],
            image_builder=others["image_builder"],
            experiment_tracker=others["experiment_tracker"],
            description=spec.description,
            defaults=defaults,
            places=(filled, *places),
        ),
        [],
    )


def _resolved(
    project: Project, documents: Sequence[Document], document: Document, chosen_by: str, env: Mapping[str, str]
) -> Stack:
    stack, problems = check_stack(project, document, documents, env)
    if stack is None:
        raise InvalidDocuments(problems, texts_of(documents))
    return stack._replace(chosen_by=chosen_by, notes=tuple(_drift(document, documents)))


def _defaults(
    spec: StackSpec, document: Document, documents: Sequence[Document], env: Mapping[str, str], problems: list[Problem]
) -> tuple[StackDefaults, tuple[Document, ...]]:
    """The stack's defaults with a name of resources resolved, and the document which that name means."""
    named = spec.defaults.resources
    if not isinstance(named, str):
        return spec.defaults, ()
    known = named_resources(documents, env)
    if named not in known:
        guess = nearest(named, known)
        help = f"did you mean '{guess}'?" if guess else "declare it: a document of `kind: resources`"
        position = document.position(("defaults", "resources"))
        problems.append(Problem(position, "unknown-resources", f"there are no resources '{named}'", help))
        return spec.defaults, ()
    resources, place = known[named]
    return spec.defaults.model_copy(update={"resources": resources}), (place,)


def _drift(stack: Document, documents: Sequence[Document]) -> Iterator[str]:
    """Where a stack or a component of it is used as it was applied, and a file of `stacks/` says something else."""
    used = [("stack", stack.name)]
    used += [(kind, value) for kind in COMPONENT_KINDS if isinstance(value := stack.node.at((kind,)).value, str)]
    for kind, name in used:
        same = [document for document in documents if (document.kind, document.name) == (kind, name)]
        for other in same[1:]:
            if same[0].revision and other.node.plain() != same[0].node.plain():
                yield (
                    f"{kind} '{name}' is used as it was applied, {same[0].file}; {other.position(())} says otherwise: "
                    f"runner apply {other.file}"
                )


def _no_such_stack(
    name: str, chosen_by: str, is_file: bool, documents: Sequence[Document], found: Sequence[Document]
) -> UsageError:
    if is_file and found:
        declared = ", ".join(document.name or "?" for document in found)
        return UsageError(f"'{name}' declares several stacks: {declared}", "choose one by its name")
    if is_file:
        return UsageError(f"'{name}' declares no stack", "a stack document starts with `kind: stack`")
    if found:
        places = " and ".join(str(document.position(("name",))) for document in found)
        return UsageError(f"there are {len(found)} stacks '{name}': at {places}", "give each a name of its own")
    names = known_stacks(documents)
    return UsageError(f"there is no stack '{name}', which {chosen_by} names", help_stacks(name, names))


def help_stacks(name: str, names: Sequence[str]) -> str:
    """Help for a stack's name that nothing has."""
    guess = nearest(name, names)
    return (f"did you mean '{guess}'? " if guess else "") + f"known: {', '.join(names)}"

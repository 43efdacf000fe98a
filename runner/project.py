"""A folder of documents → specs that belong together, or every problem in them."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from runner.document.interpolate import interpolate
from runner.document.node import Document
from runner.document.read import neighbour, read_text, text_of
from runner.errors import InvalidDocuments, Position, Problem, UsageError, nearest
from runner.orchestrators import registry
from runner.plan.fingerprint import part
from runner.plugins import UnknownPlugin
from runner.spec.common import Spec
from runner.spec.pipeline import ImageSettings, Parameter, PipelineSpec
from runner.spec.resources import Resources, ResourcesDocument
from runner.spec.stack import NOT_YET, LocalArtifactStoreSettings, StackSpec, component_model
from runner.validate.bind import bind, not_yet
from runner.validate.parameters import parameter_values
from runner.validate.references import references

if TYPE_CHECKING:
    from runner.orchestrators.base import BaseOrchestrator

MARKERS = ("runner.toml", "pyproject.toml")
SUFFIXES = (".yaml", ".yml", ".toml")
FIXED = ("kind", "name")  # what identifies a document is the same whatever it is given
ARTIFACT_STORES: Mapping[str, type[Spec]] = {"local": LocalArtifactStoreSettings}


class Project(NamedTuple):
    """A project's folder. Its state is in `.runner` beside its `pyproject.toml` or `runner.toml`."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / ".runner"

    def shown(self, path: Path) -> str:
        """A file's name as messages show it: from the current folder where that is shorter."""
        for base in (Path.cwd(), self.root):
            if path.is_absolute() and path.is_relative_to(base):
                return str(path.relative_to(base))
        return str(path)


class Pipeline(NamedTuple):
    """A pipeline that can be planned: bound, with its parameters' values filled in."""

    spec: PipelineSpec
    document: Document
    parameters: dict[str, Any]
    resources: dict[str, Resources]


class Stack(NamedTuple):
    """A stack that can be used. `orchestrator_fields` and `artifact_store` are as they were written, paths absolute."""

    name: str
    chosen_by: str
    flavor: str
    orchestrator: BaseOrchestrator
    orchestrator_fields: dict[str, Any]
    artifact_store: dict[str, Any]


def find_project(start: Path) -> Project:
    """The project that a folder belongs to: the nearest one upward with a marker file, else the folder itself."""
    folder = start.resolve()
    for candidate in (folder, *folder.parents):
        if any((candidate / marker).exists() for marker in MARKERS):
            return Project(candidate)
    return Project(folder)


def validate_paths(
    project: Project, paths: Sequence[Path], *, imports: bool = False, env: Mapping[str, str] | None = None
) -> tuple[list[Problem], dict[str, str], int]:
    """Every problem of every document in these files and folders (the project's own when none is given).

    Gives the problems in order, the texts of the files, and how many documents there are.
    """
    env = os.environ if env is None else env
    documents, problems, texts = _read_all(project, files_of(project, paths))
    around = _around(project, documents)
    problems += _same_names(documents)
    for document in documents:
        problems += _check(project, document, around, env, imports=imports)
    return sorted(problems, key=lambda problem: problem.position), texts, len(documents)


def texts_of(documents: Iterable[Document]) -> dict[str, str]:
    """The texts that problems of these documents stand in."""
    return {document.file: document.text for document in documents}


def is_project(project: Project) -> bool:
    """Whether anything in this folder says that it is one."""
    there = ("pipelines", "stacks", project.state.name, *MARKERS)
    return any((project.root / name).exists() for name in there)


def find_pipeline(project: Project, named: Path) -> Path:
    """The file meant by what stands on a command line: a file, or the name of a pipeline in `pipelines/`.

    A pipeline is named by its document, or by its file without the ending. Raises UsageError when there is none.
    """
    if named.is_file() or named.suffix in SUFFIXES or len(named.parts) != 1:
        return named
    declared = pipelines_of(project)
    fits = [path for path, name in declared if name == named.name] or [
        path for path, _ in declared if path.stem == named.name
    ]
    if len(fits) == 1:
        return fits[0]
    if fits:
        files = ", ".join(project.shown(path) for path in fits)
        raise UsageError(f"several pipelines are named '{named}'", f"say which file: {files}")
    names = list(dict.fromkeys(name for _, name in declared))
    guess = nearest(named.name, names)
    known = f"pipelines here: {', '.join(names)}" if names else "there are none in 'pipelines': give a file"
    raise UsageError(
        f"there is no file and no pipeline '{named}'", (f"did you mean '{guess}'? " if guess else "") + known
    )


def pipelines_of(project: Project) -> list[tuple[Path, str]]:
    """The files of `pipelines/` that declare a pipeline, or cannot be read, and its name or the file's."""
    folder = project.root / "pipelines"
    found: list[tuple[Path, str]] = []
    for path in files_of(project, [folder]) if folder.is_dir() else []:
        documents, problems, _ = _read_all(project, [path])
        names = [document.name or path.stem for document in documents if document.kind == "pipeline"]
        found += [(path, name) for name in names or ([path.stem] if problems else [])]
    return found


def stack_names(project: Project) -> list[str]:
    """The stacks that `--stack` may name."""
    return _stack_names(_read_all(project, _stack_files(project))[0])


def load_pipeline(project: Project, path: Path, given: Mapping[str, Any], env: Mapping[str, str]) -> Pipeline:
    """The one pipeline of a file, for a run with these parameters.

    Raises InvalidDocuments with every problem of its document, UsageError for parameters that are wrong or missing.
    """
    documents, problems, texts = _read_all(project, [path])
    found = [document for document in documents if document.kind == "pipeline"]
    if not found and not problems:
        raise UsageError(
            f"'{project.shown(path)}' declares no pipeline", "a pipeline document starts with `kind: pipeline`"
        )
    if len(found) > 1:
        names = ", ".join(document.name or "?" for document in found)
        raise UsageError(f"'{project.shown(path)}' declares several pipelines: {names}", "give each a file of its own")
    if problems:
        raise InvalidDocuments(problems, texts)
    around = documents if "resources" not in found[0].text else _around(project, documents)
    document, spec, values, problems = _pipeline(project, found[0], given, env, _resource_names(around))
    if problems or spec is None:
        raise InvalidDocuments(problems, texts_of(documents))
    _refuse_parameters(spec, document, given)
    return Pipeline(spec, document, values, _resources(around))


def load_stack(project: Project, chosen: str | None, chosen_by: str, env: Mapping[str, str]) -> Stack:
    """The stack of this name, or in this file; the embedded default for None or `default`.

    Raises InvalidDocuments with its problems, UsageError when there is none of that name.
    """
    file = Path(chosen) if chosen is not None and chosen.endswith(SUFFIXES) else None
    documents: list[Document] = []
    if chosen is not None:
        paths = [*([file] if file else []), *_stack_files(project)]
        documents, problems, texts = _read_all(project, paths)
        if file is not None and (own := [p for p in problems if p.position.file == project.shown(file)]):
            raise InvalidDocuments(own, texts)
    found = [
        d for d in documents if d.kind == "stack" and (d.name == chosen or (file and d.file == project.shown(file)))
    ]
    if not found and chosen in (None, "default"):
        return default_stack(project)
    if len(found) != 1:
        raise _no_such_stack(chosen or "", chosen_by, file is not None, documents, found)
    document, problems = interpolate(found[0], {}, (), env, skip=FIXED)
    problems += not_yet(document)
    spec, wrong = bind(document, StackSpec)
    problems += wrong
    resolved = _Components(project, documents, env, problems)
    orchestrator, fields = resolved.orchestrator(document)
    artifact_store = resolved.artifact_store(document)
    if problems or spec is None or orchestrator is None:
        raise InvalidDocuments(problems, texts_of(documents))
    return Stack(
        document.name or "", chosen_by, orchestrator.flavor or fields["flavor"], orchestrator, fields, artifact_store
    )


def default_stack(project: Project) -> Stack:
    """Local orchestrator, artifacts in `.runner/artifacts`: what runs without any stack file."""
    fields = {"flavor": "local"}
    store = {"flavor": "local", "path": str(project.state / "artifacts")}
    return Stack("default", "nothing else was named", "local", registry.flavor("local")(), fields, store)


def orchestrator_from(fields: Mapping[str, Any], root: Path) -> BaseOrchestrator:
    """The orchestrator of fields as they were written; Settings are bound again. `root` is the project's."""
    flavor = registry.flavor(fields["flavor"], root)
    return flavor(flavor.Settings.model_validate({key: value for key, value in fields.items() if key != "flavor"}))


def step_settings(pipeline: Pipeline, flavor: type[BaseOrchestrator], name: str) -> dict[str, dict[str, Any]]:
    """For each step the settings of one flavor, the step's over the pipeline's, with defaults filled in."""
    return {
        step: flavor.StepSettings.model_validate(merged).model_dump(mode="json")
        for step, merged in _merged(pipeline.spec, name).items()
    }


def step_images(spec: PipelineSpec, root: Path) -> dict[str, dict[str, Any]]:
    """For each step its `settings.image`, the step's fields over the pipeline's.

    A requirements file is the file and what it says: `requirements_digest` is there, so that the cache sees it change.
    """
    images = {
        step: ImageSettings.model_validate(merged).model_dump(mode="json", exclude_none=True)
        for step, merged in _merged(spec, "image").items()
        if merged
    }
    for image in images.values():
        if isinstance(file := image.get("requirements"), str):
            text, _ = text_of(root / file)
            image["requirements_digest"] = part(text)
    return images


def locate(document: Document, path: Sequence[str]) -> Position:
    """Where a value of a step was written: in the step, in the defaults, in the pipeline's settings, else the step."""
    for candidate in (path, ("defaults", *path[2:]), path[2:]):
        if candidate and document.node.has(candidate):
            return document.position(candidate)
    return document.position(path, key=True)


def files_of(project: Project, paths: Sequence[Path]) -> list[Path]:
    """The documents' files among these paths; folders are searched. Raises UsageError for a path that is not there."""
    chosen = list(paths) or [folder for name in ("pipelines", "stacks") if (folder := project.root / name).is_dir()]
    if not chosen:
        raise UsageError(
            f"there is no folder 'pipelines' or 'stacks' in '{project.root}'", "name the files to validate"
        )
    found: list[Path] = []
    for path in chosen:
        if path.is_dir():
            found += sorted(_documents_below(path))
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"there is no file or folder '{path}'", neighbour(path))
    return list(dict.fromkeys(found))


def _documents_below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]  # a `.venv` has thousands
        wanted = [name for name in names if name.endswith(SUFFIXES) and name not in MARKERS and name[0] != "."]
        paths = [Path(place, name) for name in wanted]
        yield from (path for path in paths if path.is_file())


# -- pipelines ---------------------------------------------------------------------------------------------------------


def _pipeline(
    project: Project, document: Document, given: Mapping[str, Any], env: Mapping[str, str], resources: Collection[str]
) -> tuple[Document, PipelineSpec | None, dict[str, Any], list[Problem]]:
    declared = _declared_parameters(document)
    values, _ = parameter_values(declared, given)
    names = document.node.at(("parameters",)).value if document.node.has(("parameters",)) else {}
    filled, problems = interpolate(
        document, values, list(names) if isinstance(names, dict) else [], env, skip=("parameters", *FIXED)
    )
    problems += not_yet(filled)
    spec, wrong = bind(filled, PipelineSpec)
    problems += wrong
    assert spec is None or isinstance(spec, PipelineSpec)
    if spec is not None:
        problems += references(spec, filled, resources)
        problems += _settings_problems(project, filled, spec)
    return filled, spec, values, problems


def _declared_parameters(document: Document) -> dict[str, Parameter]:
    """Those declared parameters that are right; `bind` tells of the others."""
    section = document.node.child("parameters")
    plain = section.plain() if section is not None else {}
    found = {}
    for name, fields in plain.items() if isinstance(plain, dict) else ():
        try:
            found[str(name)] = Parameter.model_validate(fields)
        except ValidationError:
            continue
    return found


def _refuse_parameters(spec: PipelineSpec, document: Document, given: Mapping[str, Any]) -> None:
    _, wrong = parameter_values(spec.parameters, given)
    if not wrong:
        return
    helps = []
    for name, (_, _, help) in wrong.items():
        declared = document.position(("parameters", name), key=True)
        helps.append(help or f"give '{name}' a value that fits its declaration at {declared}")
    raise UsageError("; ".join(message for _, message, _ in wrong.values()), "; ".join(dict.fromkeys(helps)))


def _settings_problems(project: Project, document: Document, spec: PipelineSpec) -> list[Problem]:
    problems: list[Problem] = []
    places = [("settings",), *(("steps", name, "settings") for name, step in spec.steps.items() if step.settings)]
    for place in places:
        if not document.node.has(place):
            continue
        for key in document.node.at(place).plain():
            path = (*place, key)
            if key == "image":
                problems += bind(document, ImageSettings, path)[1]
                continue
            try:
                problems += bind(document, registry.flavor(key, project.root).StepSettings, path)[1]
            except UnknownPlugin as error:
                known = ["image", *registry.names()]
                guess = nearest(key, known)
                help = f"did you mean '{guess}'? " if guess else ""
                problems.append(
                    Problem(
                        document.position(path, key=True),
                        "unknown-key",
                        f"unknown key '{key}' in settings" if ":" not in key else error.message,
                        f"{help}settings are `image` and flavors: {', '.join(known)}",
                    )
                )
    return problems


def _merged(spec: PipelineSpec, key: str) -> dict[str, dict[str, Any]]:
    common = spec.settings.get(key) or {}
    return {name: {**common, **(step.settings.get(key) or {})} for name, step in spec.steps.items()}


# -- everything else ---------------------------------------------------------------------------------------------------


def _check(
    project: Project, document: Document, around: Sequence[Document], env: Mapping[str, str], *, imports: bool
) -> list[Problem]:
    if document.kind == "pipeline":
        filled, spec, _, problems = _pipeline(project, document, {}, env, _resource_names(around))
        problems += _unknown_stack(filled, around)
        if imports and spec is not None and not problems:
            from runner.validate.entrypoints import entrypoints  # it imports the user's code: only when asked for

            problems += entrypoints(spec, filled, project.root)
        return problems
    filled, problems = interpolate(document, {}, (), env, skip=FIXED)
    if document.kind in NOT_YET:
        message = f"kind '{document.kind}' is not supported yet"
        return [Problem(document.position(("kind",)), "not-supported-yet", message, "remove this document")]
    if document.kind == "resources":
        return problems + bind(filled, ResourcesDocument)[1]
    components = _Components(project, around, env, problems)
    if document.kind == "stack":
        problems += not_yet(filled)
        problems += bind(filled, StackSpec)[1]
        components.orchestrator(filled)
        components.artifact_store(filled)
    elif document.kind == "orchestrator":
        components.bind_orchestrator(filled, ())
    else:
        components.bind_artifact_store(filled, ())
    return problems


class _Components:
    """Resolves a stack's components among the documents around it, and collects what is wrong."""

    def __init__(
        self, project: Project, documents: Sequence[Document], env: Mapping[str, str], problems: list[Problem]
    ) -> None:
        self.project = project
        self.documents = documents
        self.env = env
        self.problems = problems

    def orchestrator(self, stack: Document) -> tuple[BaseOrchestrator | None, dict[str, Any]]:
        """The stack's orchestrator and its fields as written."""
        found = self._place(stack, "orchestrator")
        return self.bind_orchestrator(*found) if found else (None, {})

    def artifact_store(self, stack: Document) -> dict[str, Any]:
        """The stack's artifact store: flavor and fields."""
        if not stack.node.has(("artifact_store",)):
            return {"flavor": "local", "path": str(self.project.state / "artifacts")}
        found = self._place(stack, "artifact_store")
        return self.bind_artifact_store(*found) if found else {}

    def bind_orchestrator(
        self, document: Document, path: tuple[str, ...]
    ) -> tuple[BaseOrchestrator | None, dict[str, Any]]:
        """An orchestrator as written at `path` (in place) or as the document itself."""
        node = document.node.at((*path, "flavor"))
        if not document.node.has((*path, "flavor")) or not isinstance(node.value, str):
            self.problems += bind(document, component_model("orchestrator", Spec, in_place=bool(path)), path)[1][:1]
            return None, {}
        try:
            flavor = registry.flavor(node.value, self.project.root)
        except UnknownPlugin as error:
            self.problems.append(
                Problem(document.position((*path, "flavor")), "unknown-flavor", error.message, error.help)
            )
            return None, {}
        bound, problems = bind(document, component_model("orchestrator", flavor.Settings, in_place=bool(path)), path)
        self.problems += problems
        fields = {k: v for k, v in document.node.at(path).plain().items() if k not in ("kind", "name")}
        return (flavor(bound) if bound is not None else None), fields

    def bind_artifact_store(self, document: Document, path: tuple[str, ...]) -> dict[str, Any]:
        """An artifact store as written, its folder absolute."""
        node = document.node.at((*path, "flavor"))
        known = isinstance(node.value, str) and node.value in ARTIFACT_STORES
        settings = ARTIFACT_STORES[node.value] if known else Spec  # type: ignore[index]
        if document.node.has((*path, "flavor")) and isinstance(node.value, str) and not known:
            message = f"unknown artifact store flavor '{node.value}'"
            help = f"installed: {', '.join(ARTIFACT_STORES)}"
            self.problems.append(Problem(document.position((*path, "flavor")), "unknown-flavor", message, help))
            return {}
        bound, problems = bind(document, component_model("artifact_store", settings, in_place=bool(path)), path)
        self.problems += problems if known else problems[:1]
        folder = getattr(bound, "path", ".runner/artifacts")
        return {"flavor": "local", "path": str(self.project.root / folder)}

    def _place(self, stack: Document, kind: str) -> tuple[Document, tuple[str, ...]] | None:
        """Where a stack's component is written: in the stack itself, or in a document of its own."""
        if not stack.node.has((kind,)):
            return None
        value = stack.node.at((kind,)).value
        if isinstance(value, dict):
            return stack, (kind,)
        if not isinstance(value, str):
            return None
        for document in self.documents:
            if document.kind == kind and document.name == value:
                filled, problems = interpolate(document, {}, (), self.env, skip=FIXED)
                self.problems += problems
                return filled, ()
        names = [document.name for document in self.documents if document.kind == kind and document.name]
        guess = nearest(value, names)
        help = f"did you mean '{guess}'? " if guess else ""
        declared = (
            f"declared: {', '.join(names)}"
            if names
            else f"declare it: a document of `kind: {kind}`, or fields in place"
        )
        message = f"there is no {kind} '{value}'"
        self.problems.append(
            Problem(stack.position((kind,)), f"unknown-{kind.replace('_', '-')}", message, help + declared)
        )
        return None


def _read_all(project: Project, paths: Iterable[Path]) -> tuple[list[Document], list[Problem], dict[str, str]]:
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


def _around(project: Project, documents: Sequence[Document]) -> list[Document]:
    """These documents and those of the project's `stacks` folder that names may refer to."""
    files = {document.file for document in documents}
    others = _read_all(project, [path for path in _stack_files(project) if project.shown(path) not in files])[0]
    return [*documents, *others]


def _stack_files(project: Project) -> list[Path]:
    folder = project.root / "stacks"
    return files_of(project, [folder]) if folder.is_dir() else []


def _same_names(documents: Sequence[Document]) -> list[Problem]:
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


def _resource_names(documents: Sequence[Document]) -> list[str]:
    return [document.name for document in documents if document.kind == "resources" and document.name]


def _resources(documents: Sequence[Document]) -> dict[str, Resources]:
    found: dict[str, Resources] = {}
    for document in documents:
        if document.kind == "resources" and document.name:
            bound, _ = bind(document, ResourcesDocument)
            if isinstance(bound, Resources):
                found[document.name] = bound
    return found


def _unknown_stack(document: Document, around: Sequence[Document]) -> list[Problem]:
    """The stack that a pipeline names, when no document declares it."""
    named = document.node.child("stack")
    names = _stack_names(around)
    if named is None or not isinstance(named.value, str) or named.value in names:
        return []
    message = f"there is no stack '{named.value}'"
    return [Problem(document.position(("stack",)), "unknown-stack", message, _known_stacks(named.value, names))]


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
    names = _stack_names(documents)
    return UsageError(f"there is no stack '{name}', which {chosen_by} names", _known_stacks(name, names))


def _stack_names(documents: Sequence[Document]) -> list[str]:
    return [document.name for document in documents if document.kind == "stack" and document.name] + ["default"]


def _known_stacks(name: str, names: Sequence[str]) -> str:
    guess = nearest(name, names)
    return (f"did you mean '{guess}'? " if guess else "") + f"known: {', '.join(names)}"

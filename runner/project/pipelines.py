"""Pipelines of a project: found, bound, and given their parameters."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from runner.document.interpolate import interpolate
from runner.document.node import Document
from runner.errors import InvalidDocuments, Problem, UsageError, nearest
from runner.orchestrators import registry
from runner.plan.fingerprint import part
from runner.plugins import UnknownPlugin
from runner.project.declared import FIXED, around, named_resources, names_of, read_all, texts_of
from runner.project.folder import SUFFIXES, Project, files_of
from runner.requirements import NoRequirements, requirements_of, unreadable
from runner.spec.pipeline import IMAGE_CONFLICTS, ImageSettings, Parameter, PipelineSpec
from runner.spec.resources import Resources
from runner.validate.bind import bind, not_yet
from runner.validate.parameters import parameter_values
from runner.validate.references import references

if TYPE_CHECKING:
    from runner.orchestrators.base import BaseOrchestrator


class Pipeline(NamedTuple):
    """A pipeline that can be planned: bound, with its parameters' values filled in.

    `resources` are the `kind: resources` documents that names may mean, each with where it stands; `written` is the
    document as it was read, references and all.
    """

    spec: PipelineSpec
    document: Document
    parameters: dict[str, Any]
    resources: dict[str, tuple[Resources, Document]]
    written: Document | None = None


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
        documents, problems, _ = read_all(project, [path])
        names = [document.name or path.stem for document in documents if document.kind == "pipeline"]
        found += [(path, name) for name in names or ([path.stem] if problems else [])]
    return found


def load_pipeline(project: Project, path: Path, given: Mapping[str, Any], env: Mapping[str, str]) -> Pipeline:
    """The one pipeline of a file, for a run with these parameters.

    Raises InvalidDocuments with every problem of its document, UsageError for parameters that are wrong or missing.
    """
    documents, problems, texts = read_all(project, [path])
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
    known = documents if "resources" not in found[0].text else around(project, documents)
    document, spec, values, problems = bind_pipeline(project, found[0], given, env, names_of("resources", known))
    if problems or spec is None:
        raise InvalidDocuments(problems, texts_of(documents))
    _refuse_parameters(spec, document, given)
    return Pipeline(spec, document, values, named_resources(known, env), found[0])


def bind_pipeline(
    project: Project, document: Document, given: Mapping[str, Any], env: Mapping[str, str], resources: Collection[str]
) -> tuple[Document, PipelineSpec | None, dict[str, Any], list[Problem]]:
    """The document filled in, its spec, its parameters' values, and what is wrong. `resources` are known names."""
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


def step_settings(spec: PipelineSpec, flavor: type[BaseOrchestrator], name: str) -> dict[str, dict[str, Any]]:
    """For each step the settings of one flavor, the step's over the pipeline's, with defaults filled in."""
    return {
        step: flavor.StepSettings.model_validate(merged).model_dump(mode="json")
        for step, merged in _merged(spec, *_keys_of(spec, flavor, name)).items()
    }


def step_images(spec: PipelineSpec, root: Path) -> dict[str, dict[str, Any]]:
    """For each step its `settings.image`, the step's fields over the pipeline's: one that it says takes those away
    that have no meaning beside it.

    A file is its name and what it says: `requirements_digest` and `context_digest` are there, so that the cache sees it
    change.
    """
    common = spec.settings.get("image") or {}
    images = {}
    for step, declared in spec.steps.items():
        if merged := _image_over(declared.settings.get("image") or {}, common):
            images[step] = ImageSettings.model_validate(merged).model_dump(mode="json", exclude_none=True)
    digests: dict[tuple[Any, ...], dict[str, str]] = {}
    for image in images.values():
        files = (image.get("requirements"), image.get("dockerfile"), image.get("context"))
        if any(isinstance(file, str) for file in files):
            key = tuple(file if isinstance(file, str) else None for file in files)
            if key not in digests:
                digests[key] = _digests(image, root)
            image |= digests[key]
    return images


def _image_over(own: Mapping[str, Any], common: Mapping[str, Any]) -> dict[str, Any]:
    beside = {
        other
        for key, others in IMAGE_CONFLICTS.items()
        for other in ({key} if any(own.get(name) is not None for name in others) else ())
    }
    without = {other for key, others in IMAGE_CONFLICTS.items() if own.get(key) is not None for other in others}
    return {**{key: value for key, value in common.items() if key not in beside | without}, **own}


def _digests(image: Mapping[str, Any], root: Path) -> dict[str, str]:
    found = {}
    if isinstance(image.get("requirements"), str):
        try:
            found["requirements_digest"] = part(requirements_of(image, str(root)))
        except NoRequirements:
            found["requirements_digest"] = part(None)  # validation has said it, or the build will
    if "dockerfile" in image or "context" in image:
        from runner.images.own import own_build  # few have a Dockerfile of their own: start-up time counts

        found["context_digest"] = own_build(image, root).digest
    return found


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
                problems += bind(document, ImageSettings, path)[1] or _missing_files(project, document, path)
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


def _missing_files(project: Project, document: Document, path: tuple[str, ...]) -> Iterator[Problem]:
    """What an image is to be built from and is not there, or does not say it."""
    image = document.node.at(path).plain()
    if not isinstance(image, dict):
        return
    if isinstance(declared := image.get("requirements"), str | list):
        yield from _unreadable(project, document, (*path, "requirements"), declared)
    if isinstance(image.get("dockerfile") or image.get("context"), str):
        from runner.images.own import lacking  # few have a Dockerfile of their own: start-up time counts

        for key, message, help in lacking(image, project.root):
            yield Problem(document.position((*path, key)), "no-dockerfile", message, help)


def _unreadable(
    project: Project, document: Document, path: tuple[str, ...], declared: str | list[Any]
) -> Iterator[Problem]:
    """A file of requirements that does not say them, and those that pip will not understand."""
    try:
        lines = requirements_of({"requirements": declared}, str(project.root))
    except NoRequirements as error:
        yield Problem(document.position(path), "no-requirements", error.message, error.help)
        return
    of_file = f"in '{declared}', " if isinstance(declared, str) else ""
    for index, message, help in unreadable([line if isinstance(line, str) else "-" for line in lines]):
        position = document.position(path if of_file else (*path, index))
        yield Problem(position, "bad-requirement", f"{of_file}{message}", help)


def _keys_of(spec: PipelineSpec, flavor: type[BaseOrchestrator], name: str) -> Iterator[str]:
    """The keys in `settings` that mean this flavor: it may have a name and an import path."""
    of_steps = (key for step in spec.steps.values() for key in step.settings)
    for key in dict.fromkeys([*spec.settings, *of_steps]):
        with contextlib.suppress(UnknownPlugin):
            if key == name or (key != "image" and registry.flavor(key) is flavor):
                yield key


def _merged(spec: PipelineSpec, *keys: str) -> dict[str, dict[str, Any]]:
    common = {field: value for key in keys for field, value in (spec.settings.get(key) or {}).items()}
    return {
        name: {**common, **{field: value for key in keys for field, value in (step.settings.get(key) or {}).items()}}
        for name, step in spec.steps.items()
    }

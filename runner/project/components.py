"""A stack's components: which flavors there are, and from a document to the fields that a run carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner import plugins
from runner.document.interpolate import interpolate
from runner.document.node import Document
from runner.errors import Problem, nearest
from runner.orchestrators import registry
from runner.plugins import UnknownPlugin
from runner.project.declared import FIXED, names_of
from runner.project.folder import Project
from runner.spec.common import Spec
from runner.spec.stack import COMPONENT_KINDS, component_model
from runner.validate.bind import bind

if TYPE_CHECKING:
    from runner.orchestrators.base import BaseOrchestrator

_STORES, _SECRETS, _OTHERS = "runner.spec.artifact_store", "runner.spec.secret_store", "runner.spec.components"
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "artifact_store": {
        "local": f"{_STORES}:LocalSettings",
        "s3": f"{_STORES}:S3Settings",
        "gcs": f"{_STORES}:GcsSettings",
        "azure": f"{_STORES}:AzureSettings",
    },
    "container_registry": {
        "generic": f"{_OTHERS}:GenericRegistrySettings",
        "ecr": f"{_OTHERS}:EcrSettings",
        "gar": f"{_OTHERS}:GarSettings",
        "acr": f"{_OTHERS}:AcrSettings",
        "dockerhub": f"{_OTHERS}:DockerHubSettings",
    },
    "image_builder": {"local": f"{_OTHERS}:LocalBuilderSettings"},
    "secret_store": {
        "env": f"{_SECRETS}:EnvSettings",
        "file": f"{_SECRETS}:FileSettings",
        "aws": f"{_SECRETS}:AwsSettings",
        "gcp": f"{_SECRETS}:GcpSettings",
        "kubernetes": f"{_SECRETS}:KubernetesSettings",
    },
    "experiment_tracker": {"mlflow": f"{_OTHERS}:MlflowSettings"},
}
"""Kind → flavor → where its Settings are. Orchestrators have a registry of their own."""

PATHS = frozenset({("artifact_store", "local"), ("secret_store", "file")})
"""Components whose field `path` is a path of this machine, and relative to the project's root."""


def flavor_names(kind: str) -> list[str]:
    """Every flavor of a kind that can be named without an import path."""
    return registry.names() if kind == "orchestrator" else plugins.names(SETTINGS[kind], _group(kind))


def settings_of(kind: str, flavor: str, project: Project) -> type[Spec]:
    """The Settings of a component's flavor. Raises plugins.UnknownPlugin when there is none."""
    if kind == "orchestrator":
        return registry.flavor(flavor, project.root).Settings
    noun = f"{kind.replace('_', ' ')} flavor"
    found = plugins.load(flavor, SETTINGS[kind], _group(kind), noun, project.root)
    settings = getattr(found, "Settings", found)
    if not (isinstance(settings, type) and issubclass(settings, Spec)):
        help = "give it an attribute `Settings`, a subclass of `runner.spec.common.Spec`"
        raise UnknownPlugin(f"{noun} '{flavor}' has no Settings", help)
    return settings


def all_settings() -> dict[str, dict[str, type[Spec]]]:
    """Kind → flavor → Settings of everything that is built in or installed; for schemas."""
    here = Project(Path.cwd())
    return {
        kind: {flavor: settings_of(kind, flavor, here) for flavor in flavor_names(kind)} for kind in COMPONENT_KINDS
    }


class Components:
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

    def fields(self, stack: Document, kind: str) -> dict[str, Any]:
        """Another component of the stack: its flavor and fields, paths absolute; empty where the stack has none."""
        found = self._place(stack, kind)
        return self.bind(kind, *found) if found else {}

    def bind_orchestrator(
        self, document: Document, path: tuple[str, ...]
    ) -> tuple[BaseOrchestrator | None, dict[str, Any]]:
        """An orchestrator as written at `path` (in place) or as the document itself."""
        bound = self._bound("orchestrator", document, path)
        fields = _written(document, path)
        if bound is None:
            return None, fields
        try:
            return registry.made(fields["flavor"], bound, self.project.root), fields
        except UnknownPlugin as error:
            position = document.position((*path, "flavor"))
            self.problems.append(Problem(position, "broken-flavor", error.message, error.help))
            return None, fields

    def bind(self, kind: str, document: Document, path: tuple[str, ...]) -> dict[str, Any]:
        """A component of another kind, as written at `path` or as the document itself: its flavor and fields."""
        bound = self._bound(kind, document, path)
        fields = _written(document, path)
        if bound is not None and (kind, fields["flavor"]) in PATHS:
            fields["path"] = str(self.project.root / getattr(bound, "path"))  # noqa: B009  (that class has it)
        return fields

    def _bound(self, kind: str, document: Document, path: tuple[str, ...]) -> Spec | None:
        """The flavor's Settings of what is written there; None beside problems."""
        flavor = document.node.at((*path, "flavor")).value
        if not document.node.has((*path, "flavor")) or not isinstance(flavor, str):
            self.problems += bind(document, component_model(kind, Spec, in_place=bool(path)), path)[1][:1]
            return None
        try:
            settings = settings_of(kind, flavor, self.project)
        except UnknownPlugin as error:
            position = document.position((*path, "flavor"))
            self.problems.append(Problem(position, "unknown-flavor", error.message, error.help))
            return None
        bound, problems = bind(document, component_model(kind, settings, in_place=bool(path)), path)
        self.problems += problems
        return bound if not problems else None

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
        self.problems.append(_unknown(stack, kind, value, self.documents))
        return None


def _unknown(stack: Document, kind: str, name: str, documents: Iterable[Document]) -> Problem:
    names = names_of(kind, documents)
    guess = nearest(name, names)
    known = (
        f"declared: {', '.join(names)}" if names else f"declare it: a document of `kind: {kind}`, or fields in place"
    )
    help = (f"did you mean '{guess}'? " if guess else "") + known
    code = f"unknown-{kind.replace('_', '-')}"
    return Problem(stack.position((kind,)), code, f"there is no {kind} '{name}'", help)


def _written(document: Document, path: tuple[str, ...]) -> dict[str, Any]:
    fields = document.node.at(path).plain()
    return {key: value for key, value in fields.items() if key not in FIXED} if isinstance(fields, dict) else {}


def _group(kind: str) -> str:
    return f"runner.{kind.replace('registry', 'registrie')}s"

"""Flavor names and where their classes live; nothing is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from runner import plugins
from runner.errors import EngineError
from runner.orchestrators.blame import blamed

if TYPE_CHECKING:
    from runner.orchestrators.base import BaseOrchestrator
    from runner.spec.common import Spec

GROUP = "runner.flavors"
BASE = "runner.orchestrators.base:BaseOrchestrator"
SPEC = "runner.spec.common:Spec"
BUILTINS = {
    "local": "runner.orchestrators.flavors.local.orchestrator:LocalOrchestrator",
    "local_docker": "runner.orchestrators.flavors.local_docker.orchestrator:LocalDockerOrchestrator",
    "kubernetes": "runner.orchestrators.flavors.kubernetes.orchestrator:KubernetesOrchestrator",
    "kubeflow": "runner.orchestrators.flavors.kubeflow.orchestrator:KubeflowOrchestrator",
    "airflow": "runner.orchestrators.flavors.airflow:AirflowOrchestrator",
    "vertex": "runner.orchestrators.flavors.vertex.orchestrator:VertexOrchestrator",
    "sagemaker": "runner.orchestrators.flavors.sagemaker:SageMakerOrchestrator",
    "azureml": "runner.orchestrators.flavors.azureml:AzureMLOrchestrator",
    "databricks": "runner.orchestrators.flavors.databricks:DatabricksOrchestrator",
}


def names() -> list[str]:
    """Every flavor that can be named without an import path."""
    return plugins.names(BUILTINS, GROUP)


def in_order() -> list[str]:
    """The same names, the built-in ones first, from the simplest on; for people."""
    return list(dict.fromkeys([*BUILTINS, *names()]))


def flavor(name: str, root: Path | None = None) -> type[BaseOrchestrator]:
    """The class of a flavor; an import path may start at `root`. Raises plugins.UnknownPlugin when there is none."""
    found = plugins.load(name, BUILTINS, GROUP, "orchestrator flavor", root)
    if not (isinstance(found, type) and issubclass(found, plugins.resolve(BASE, "class"))):
        help = "derive it from `runner.orchestrators.base.BaseOrchestrator`"
        raise plugins.UnknownPlugin(f"orchestrator flavor '{name}' is no subclass of BaseOrchestrator", help)
    for message, help in _lacking(found):
        raise plugins.UnknownPlugin(f"orchestrator flavor '{name}' {message}", help)
    return found


def made(name: str, settings: Spec | None, root: Path | None = None) -> BaseOrchestrator:
    """A flavor's orchestrator with these settings. Raises UnknownPlugin, also for what its own `__init__` raises."""
    kind = flavor(name, root)
    try:
        with blamed(kind, name):
            return kind(settings)
    except EngineError as error:
        raise plugins.UnknownPlugin(error.message, error.help) from error


def _lacking(kind: type[BaseOrchestrator]) -> Iterator[tuple[str, str]]:
    """What keeps a class from being a flavor, and what to do about it."""
    base, spec = plugins.resolve(BASE, "class"), plugins.resolve(SPEC, "class")
    for name in ("Settings", "StepSettings"):
        value = getattr(kind, name)
        if not (isinstance(value, type) and issubclass(value, spec)):
            yield f"has {name} that are no Spec", f"derive them: `class {name}(runner.spec.common.Spec)`"
    if not isinstance(kind.capabilities, type(base.capabilities)):
        help = "write `capabilities = Capabilities(retry=Support.NATIVE, …)`, both of `runner.orchestrators.base`"
        yield "has capabilities that are no Capabilities", help
    if kind.prepare_or_run_pipeline is base.prepare_or_run_pipeline:
        missing = [name for name in ("submit", "watch") if getattr(kind, name) is getattr(base, name)]
        if missing:
            help = "give it the method prepare_or_run_pipeline, or both submit and watch"
            yield f"cannot run anything: it has no {' and no '.join(missing)}", help

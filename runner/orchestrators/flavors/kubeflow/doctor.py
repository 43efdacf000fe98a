"""What `runner doctor` tries of Kubeflow: the SDK, the cluster, the login, the API, and whether runs can be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runner import integrations
from runner.checks import Check
from runner.errors import EngineError
from runner.orchestrators.cluster import cluster_checks
from runner.orchestrators.flavors.kubeflow.service import connect
from runner.orchestrators.flavors.kubeflow.settings import KubeflowSettings

NO_RUN = "there is no run of this name"


def checks(settings: KubeflowSettings, secret: Callable[[str], str]) -> Iterator[Check]:
    """Each as soon as it is known; nothing is made."""
    if settings.kubernetes_context is not None:
        for check in cluster_checks("kubeflow", settings.kubernetes_context, settings.kubeflow_namespace):
            yield check
            if not check.ok:
                return
    else:
        found = integrations.sdk("kubeflow")
        yield found
        if not found.ok:
            return
    try:
        service = connect(settings, secret)
        yield Check("Kubeflow", True, f"{service.host} answers{_version(service.health())}")
    except EngineError as error:
        yield Check("Kubeflow", False, error.message, error.help)
        return
    try:
        service.runs(NO_RUN)
        yield Check("runs", True, f"runs {_where(settings)}can be looked at")
    except EngineError as error:
        yield Check("runs", False, error.message, error.help)


def _version(health: dict[str, object]) -> str:
    name = health.get("tag_name") or health.get("commit_sha")
    users = " for several users" if health.get("multi_user") else ""
    return f": version {name}{users}" if name else users


def _where(settings: KubeflowSettings) -> str:
    return f"in the namespace '{settings.user_namespace}' " if settings.user_namespace else ""

"""What `runner doctor` tries of a Kubernetes cluster; shared by the flavors that reach one through its API."""

from __future__ import annotations

from collections.abc import Iterator

from runner import integrations
from runner.checks import Check
from runner.errors import EngineError
from runner.orchestrators.cluster_api import REACH, Cluster, Refused, connect

SECONDS = 8.0  # for one answer


def cluster_checks(integration: str, context: str | None, namespace: str) -> Iterator[Check]:
    """The SDK, the context of the kubeconfig (the cluster this runs in for None), the API server, the namespace."""
    if context is not None:  # inside of a cluster no SDK is needed
        found = integrations.sdk(integration)
        yield found
        if not found.ok:
            return
    try:
        cluster = connect(context, namespace, integration=integration, seconds=SECONDS)
        told = f"{where(context)}: Kubernetes {cluster.version()} answers"
    except EngineError as error:
        yield Check("cluster", False, error.message, error.help or REACH)
        return
    yield Check("cluster", True, told)
    try:
        yield _namespace(cluster, context)
    finally:
        cluster.close()


def where(context: str | None) -> str:
    """A cluster as people know it."""
    return f"context '{context}'" if context else "the cluster this runs in"


def make_namespace(namespace: str, context: str | None) -> str:
    """The command that makes a namespace, which is nobody's to make but its owner's."""
    return f"make it: kubectl create namespace {namespace}" + (f" --context {context}" if context else "")


def _namespace(cluster: Cluster, context: str | None) -> Check:
    name = cluster.namespace
    try:
        if cluster.get("namespaces", name) is None:
            return Check("namespace", False, f"'{name}' is not there", make_namespace(name, context))
        return Check("namespace", True, f"'{name}' is there")
    except Refused as error:
        if error.status != 403:
            return Check("namespace", False, f"'{name}': {error.message}", error.help or REACH)
    # Whoever has rights in one namespace alone may not look at namespaces, and those rights stand in that namespace.
    if cluster.may("list", "pods"):
        return Check("namespace", True, f"pods of '{name}' can be listed")
    help = f"the right to list pods in '{name}' is missing: ask whoever runs the cluster for a role, and whether "
    return Check("namespace", False, f"neither '{name}' nor its pods may be looked at", f"{help}it is there")

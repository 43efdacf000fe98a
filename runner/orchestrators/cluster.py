"""What `runner doctor` tries of a Kubernetes cluster; shared by the flavors that reach one through its API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner import integrations
from runner.checks import Check

_SECONDS = 8.0  # for one answer
_REACH = "is the cluster up, and can it be reached from here? try: kubectl get pods"


def cluster_checks(integration: str, context: str | None, namespace: str) -> Iterator[Check]:
    """The SDK, the context of the kubeconfig (the cluster this runs in for None), the API server, the namespace."""
    found = integrations.sdk(integration)
    yield found
    if not found.ok:
        return
    try:
        client = _client(context)
    except _Unusable as error:
        yield Check("cluster", False, error.told, error.help)
        return
    answers = _version(client, context)
    yield answers
    if answers.ok:
        yield _namespace(client, namespace)


class _Unusable(Exception):
    def __init__(self, told: str, help: str) -> None:
        super().__init__(told)
        self.told, self.help = told, help


def _client(context: str | None) -> Any:
    from kubernetes import client, config

    try:
        if context is None:
            config.load_incluster_config()
            return client.ApiClient()
        known = [each["name"] for each in config.list_kube_config_contexts()[0]]
        if context not in known:
            raise _Unusable(f"the kubeconfig has no context '{context}'", f"it has: {', '.join(known) or 'none'}")
        return config.new_client_from_config(context=context)
    except config.ConfigException as error:
        help = "is there a kubeconfig? KUBECONFIG names it; ~/.kube/config is the usual one"
        if context is None:
            help = "try it inside of the cluster, or name a kubernetes_context instead of incluster"
        raise _Unusable(f"no way to the cluster is known: {error}", help) from error


def _version(api: Any, context: str | None) -> Check:
    from kubernetes import client

    where = f"context '{context}'" if context else "the cluster this runs in"
    try:
        found = client.VersionApi(api).get_code(_request_timeout=_SECONDS)
    except Exception as error:  # the client lets through what urllib3, ssl and its own login plugins raise
        return Check("cluster", False, f"{where}: {_words(error)}", _REACH)
    return Check("cluster", True, f"{where}: Kubernetes {found.git_version} answers")


def _namespace(api: Any, namespace: str) -> Check:
    from kubernetes import client

    try:
        client.CoreV1Api(api).list_namespaced_pod(namespace, limit=1, _request_timeout=_SECONDS)
    except Exception as error:
        status = getattr(error, "status", None)
        help = {
            401: "log in to the cluster anew",
            403: f"the right to list pods in '{namespace}' is missing: ask whoever runs the cluster for a role",
            404: f"make it: kubectl create namespace {namespace}",
        }.get(status or 0, _REACH)
        return Check("namespace", False, f"'{namespace}': {_words(error)}", help)
    return Check("namespace", True, f"pods of '{namespace}' can be listed")


def _words(error: Exception) -> str:
    """A request's failure in one line: the status and its reason, or what failed below HTTP."""
    status, reason = getattr(error, "status", None), getattr(error, "reason", None)
    if status:
        return f"it answers {status} {reason}"
    first = str(reason or error).strip().splitlines()
    return first[0] if first else type(error).__name__

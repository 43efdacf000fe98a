"""What a namespace needs so that controllers can work in it: made by server-side apply, differences told by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from runner.errors import EngineError
from runner.orchestrators.cluster import make_namespace, where
from runner.orchestrators.cluster_api import Cluster, Refused, connect
from runner.orchestrators.flavors.kubernetes.manifests import access
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings
from runner.plan.changes import Change, change

PLURALS = {"ServiceAccount": "serviceaccounts", "Role": "roles", "RoleBinding": "rolebindings"}
MAKING = ("get", "create", "patch")
"""What whoever applies must be allowed to do with each of them."""
_LET_DO = (
    "let whoever runs the cluster apply this stack once; or name a service_account_name that has the rights, which "
    "`runner compile` writes down as manifests"
)
# What the cluster adds to every object, and what tools keep their notes in.
_SERVERS = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink")
_NOTES = "kubectl.kubernetes.io/last-applied-configuration"


def provision(settings: KubernetesSettings, *, dry_run: bool) -> Iterator[Change]:
    """Bring ServiceAccount, Role and RoleBinding to what controllers need; nothing where the stack names an account of
    its own. With `dry_run` the cluster says what would be and changes nothing. Raises EngineError."""
    if settings.service_account_name is not None:
        return
    context, namespace = settings.kubernetes_context, settings.kubernetes_namespace
    place = f"{where(context)}, namespace '{namespace}'"
    with closing(connect(context, namespace)) as cluster:
        try:
            for wanted in access(settings):
                yield _brought(cluster, wanted, place, dry_run)
        except Refused as error:
            if error.status == 404:
                help = make_namespace(namespace, context)
                raise EngineError(f"{where(context)} has no namespace '{namespace}'", help) from error
            raise EngineError(error.message, _LET_DO if error.status == 403 else error.help) from error


def _brought(cluster: Cluster, wanted: Mapping[str, Any], place: str, dry_run: bool) -> Change:
    kind, name = wanted["kind"], wanted["metadata"]["name"]
    before = cluster.get(PLURALS[kind], name)
    after = cluster.apply(PLURALS[kind], wanted, dry_run=dry_run)
    return change(kind, name, None if before is None else told(before), told(after), place)


def told(found: Mapping[str, Any]) -> dict[str, Any]:
    """Of an object in a cluster what somebody has said, a Role's rules as resource → verbs."""
    metadata = {key: value for key, value in found["metadata"].items() if key not in _SERVERS}
    if notes := {key: text for key, text in metadata.pop("annotations", {}).items() if key != _NOTES}:
        metadata["annotations"] = notes
    plain = {**found, "metadata": metadata}
    plain.pop("secrets", None)  # tokens, which older clusters make for each account
    if "rules" in plain:
        plain["rules"] = verbs_of(plain["rules"] or ())
    return plain


def verbs_of(rules: Any) -> dict[str, list[str]]:
    """Rules of Roles as resource → verbs; a resource of a group is written as kubectl does, `jobs.batch`."""
    found: dict[str, set[str]] = {}
    for rule in rules:
        names = f" {', '.join(rule['resourceNames'])}" if rule.get("resourceNames") else ""
        for group in rule.get("apiGroups") or [""]:
            for resource in rule.get("resources") or rule.get("nonResourceURLs") or ():
                found.setdefault(named(group, resource) + names, set()).update(rule.get("verbs") or ())
    return {resource: sorted(verbs) for resource, verbs in sorted(found.items())}


def named(group: str, resource: str) -> str:
    """A resource as kubectl takes it: `jobs.batch`, `pods/log`."""
    kind, slash, sub = resource.partition("/")
    return (f"{kind}.{group}" if group else kind) + slash + sub

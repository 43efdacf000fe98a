"""What those who use runner, and its controllers, must be allowed to do in a namespace, and whether they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

from runner.checks import Check
from runner.orchestrators.cluster import SECONDS, cluster_checks
from runner.orchestrators.cluster_api import Cluster, Refused, connect
from runner.orchestrators.flavors.kubernetes.access import MAKING, named, verbs_of
from runner.orchestrators.flavors.kubernetes.manifests import RIGHTS
from runner.orchestrators.flavors.kubernetes.names import CONTROLLER
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings

USERS = (
    ("batch", "jobs", ("create", "delete", "get", "list", "watch")),
    ("", "pods", ("get", "list", "watch")),
    ("", "pods/log", ("get",)),
)
"""What whoever starts, follows and cancels runs may do: group, resource, verbs."""
_RBAC = "rbac.authorization.k8s.io"
_ACCOUNTS = (("", "serviceaccounts"), (_RBAC, "roles"), (_RBAC, "rolebindings"))
_ROLE = "runner-user"
Rights = tuple[tuple[str, str, tuple[str, ...]], ...]


def checks(settings: KubernetesSettings) -> Iterator[Check]:
    """What `runner doctor` tries: the SDK, the cluster, the namespace, and the rights there."""
    well = True
    for check in cluster_checks("kubernetes", settings.kubernetes_context, settings.kubernetes_namespace):
        well = well and check.ok
        yield check
    if well:
        with closing(connect(settings.kubernetes_context, settings.kubernetes_namespace, seconds=SECONDS)) as cluster:
            yield from rights_checks(cluster, settings)


def rights_checks(cluster: Cluster, settings: KubernetesSettings) -> Iterator[Check]:
    """Of whoever is logged in, and of the controllers' service account. Raises Refused."""
    yield from _of_user(cluster)
    account = settings.service_account_name or CONTROLLER
    try:
        there = cluster.get("serviceaccounts", account) is not None
    except Refused as error:
        if error.status != 403:
            raise
        there = True  # which is to be seen by its rights, if at all
    if there:
        yield from _of_account(cluster, account, settings)
    elif settings.service_account_name:
        help = f"make it: kubectl -n {cluster.namespace} create serviceaccount {account}; and give it the rights"
        yield Check("service account", False, f"there is no '{account}' in '{cluster.namespace}'", help)
    else:
        yield _of_maker(cluster)


def missing(rights: Rights, may: Callable[[str, str, str, str], bool]) -> dict[str, list[str]]:
    """The resource as kubectl writes it → the verbs that are missing; `may` is asked verb, resource, group and
    subresource."""
    found = {
        named(group, resource): [verb for verb in verbs if not may(verb, kind, group, sub)]
        for group, resource, verbs in rights
        for kind, _, sub in [resource.partition("/")]
    }
    return {resource: verbs for resource, verbs in found.items() if verbs}


def covers(verbs: dict[str, list[str]]) -> Callable[[str, str, str, str], bool]:
    """Whether rules of Roles, as resource → verbs, allow something."""

    def may(verb: str, resource: str, group: str, subresource: str) -> bool:
        full = f"{resource}/{subresource}" if subresource else resource
        keys = (named(group, full), named(group, "*"), named("*", full), "*.*")
        return any({verb, "*"} & set(verbs.get(key, ())) for key in keys)

    return may


def role_command(namespace: str, role: str, resource: str, verbs: list[str], subject: str) -> str:
    """The commands that give somebody the right to do this."""
    name = f"{role}-{resource.replace('/', '-').replace('.', '-')}"
    return (
        f"kubectl -n {namespace} create role {name} --verb={','.join(verbs)} --resource={resource} && "
        f"kubectl -n {namespace} create rolebinding {name} --role={name} {subject}"
    )


def _of_user(cluster: Cluster) -> Iterator[Check]:
    lacking = missing(USERS, cluster.may)
    for resource, verbs in lacking.items():
        command = role_command(cluster.namespace, _ROLE, resource, verbs, "--user=NAME")
        told = f"you may not {', '.join(verbs)} {resource} in '{cluster.namespace}'"
        yield Check("rights", False, told, f"whoever runs the cluster gives it to you: {command}")
    if not lacking:
        resources = [named(group, resource) for group, resource, _ in USERS]
        yield Check("rights", True, f"you may do all that runs need: {', '.join(resources)} in '{cluster.namespace}'")


def _of_maker(cluster: Cluster) -> Check:
    """The account is not there yet: may it be made?"""
    rights = tuple((group, resource, MAKING) for group, resource in _ACCOUNTS)
    lacking = missing(rights, cluster.may)
    told = f"'{CONTROLLER}' is not there yet"
    if not lacking:
        return Check("service account", True, f"{told}, and you may make it: runner apply, or the first run, does")
    words = "; ".join(f"{', '.join(verbs)} {resource}" for resource, verbs in lacking.items())
    help = "let whoever runs the cluster apply this stack once, or name a service_account_name that has the rights"
    return Check("service account", False, f"{told}, and you may not make it: {words}", help)


def _of_account(cluster: Cluster, account: str, settings: KubernetesSettings) -> Iterator[Check]:
    try:
        lacking = missing(RIGHTS, partial(cluster.may, account=account))
    except Refused as error:
        if error.status != 403:
            raise
        granted = _granted(cluster, account)  # not everybody may ask about others
        if granted is None:
            yield Check("service account", True, f"'{account}': what it may do cannot be seen with your rights")
            return
        lacking = missing(RIGHTS, covers(granted))
    if not lacking:
        yield Check("service account", True, f"'{account}' has the rights that controllers need")
    for resource, verbs in lacking.items():
        subject = f"--serviceaccount={cluster.namespace}:{account}"
        command = role_command(cluster.namespace, account, resource, verbs, subject)
        help = f"whoever runs the cluster gives it to it: {command}"
        if settings.service_account_name is None:
            help = "apply the stack again, which puts it right: runner apply PATH"
        told = f"'{account}' may not {', '.join(verbs)} {resource} in '{cluster.namespace}'"
        yield Check("service account", False, told, help)


def _granted(cluster: Cluster, account: str) -> dict[str, list[str]] | None:
    """What the Roles of the namespace give to a service account; None when they cannot be seen, or when a ClusterRole
    gives it something, too."""
    try:
        found: list[dict[str, Any]] = []
        for binding in cluster.list("rolebindings")[0]:
            if not any(_is(subject, account, cluster.namespace) for subject in binding.get("subjects") or ()):
                continue
            if binding["roleRef"]["kind"] != "Role":
                return None
            role = cluster.get("roles", binding["roleRef"]["name"])
            found += (role or {}).get("rules") or ()
    except Refused as error:
        if error.status == 403:
            return None
        raise
    return verbs_of(found)


def _is(subject: dict[str, Any], account: str, namespace: str) -> bool:
    if subject["kind"] == "Group":
        return subject["name"] in ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return (subject["kind"], subject["name"], subject.get("namespace")) == ("ServiceAccount", account, namespace)

"""Which rights are missing, and the commands that give them."""

from __future__ import annotations

from typing import Any

import pytest

from runner.orchestrators.flavors.kubernetes.access import verbs_of
from runner.orchestrators.flavors.kubernetes.manifests import RIGHTS, access
from runner.orchestrators.flavors.kubernetes.rights import covers, missing, role_command
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings

ALL = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
PODS = {"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["*"]}
OTHERS = {"apiGroups": ["metrics.k8s.io"], "resources": ["pods", "pods/log"], "verbs": ["*"]}


def test_our_own_role_has_what_controllers_need() -> None:
    _, role, _ = access(KubernetesSettings(kubernetes_context="c"))
    assert missing(RIGHTS, covers(verbs_of(role["rules"]))) == {}


@pytest.mark.parametrize("rule", [ALL, {**ALL, "apiGroups": [""]}, PODS])
def test_a_wider_role_has_it_too(rule: dict[str, Any]) -> None:
    assert missing(RIGHTS, covers(verbs_of([rule]))) == {}


def test_a_role_for_another_group_has_not() -> None:
    assert set(missing(RIGHTS, covers(verbs_of([OTHERS])))) == {resource for _, resource, _ in RIGHTS}


def test_each_verb_that_is_missing_is_named() -> None:
    rights = (("batch", "jobs", ("create", "delete", "get")), ("", "pods/log", ("get",)))
    asked = []

    def may(verb: str, resource: str, group: str, subresource: str) -> bool:
        asked.append((verb, resource, group, subresource))
        return verb == "get" and not subresource

    assert missing(rights, may) == {"jobs.batch": ["create", "delete"], "pods/log": ["get"]}
    assert ("get", "pods", "", "log") in asked and ("create", "jobs", "batch", "") in asked


def test_the_command_that_gives_a_right() -> None:
    assert role_command("ml", "runner-user", "jobs.batch", ["create", "get"], "--user=ada") == (
        "kubectl -n ml create role runner-user-jobs-batch --verb=create,get --resource=jobs.batch && "
        "kubectl -n ml create rolebinding runner-user-jobs-batch --role=runner-user-jobs-batch --user=ada"
    )

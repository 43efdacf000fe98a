"""What a namespace needs: differences as people read them."""

from __future__ import annotations

from runner.orchestrators.flavors.kubernetes.access import provision, told, verbs_of
from runner.orchestrators.flavors.kubernetes.manifests import access
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings
from runner.plan.changes import change

OWN = KubernetesSettings(kubernetes_context="no-such", service_account_name="mine")
SETTINGS = KubernetesSettings(kubernetes_context="no-such", kubernetes_namespace="ml")
LOG = {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]}


def test_an_account_of_ones_own_needs_nothing_and_no_cluster() -> None:
    assert list(provision(OWN, dry_run=False)) == []


def test_what_the_cluster_adds_is_no_difference() -> None:
    for wanted in access(SETTINGS):
        servers = {"uid": "u", "resourceVersion": "7", "creationTimestamp": "now", "managedFields": [{"manager": "x"}]}
        there = {**wanted, "metadata": {**wanted["metadata"], **servers}, "secrets": [{"name": "token"}]}
        assert change("", "", told(wanted), told(there)).action == "same"


def test_notes_of_kubectl_are_no_difference_and_ours_are() -> None:
    (account, *_) = access(SETTINGS)
    notes = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "team": "ml"}
    there = {**account, "metadata": {**account["metadata"], "annotations": notes}}
    assert told(there)["metadata"]["annotations"] == {"team": "ml"}


def test_a_right_that_is_missing_is_told_by_its_resource() -> None:
    _, role, _ = access(SETTINGS)
    before = {**role, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "get"]}] + [LOG]}
    changed = change("Role", "r", told(before), told(role))
    assert [field.path for field in changed.fields] == ["rules.pods"]
    assert changed.fields[0].before == ["get", "list"] and "create" in changed.fields[0].after


def test_rules_that_say_the_same_otherwise_are_the_same() -> None:
    together = [{"apiGroups": ["", "batch"], "resources": ["jobs"], "verbs": ["get", "list"]}]
    apart = [{"apiGroups": [group], "resources": ["jobs"], "verbs": [verb]} for group in ("batch", "") for verb in "gl"]
    verbs = {"g": "get", "l": "list"}
    apart = [{**rule, "verbs": [verbs[rule["verbs"][0]]]} for rule in apart]
    assert verbs_of(together) == verbs_of(apart) == {"jobs": ["get", "list"], "jobs.batch": ["get", "list"]}


def test_a_rule_for_some_objects_alone_is_another_one() -> None:
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}
    assert verbs_of([rule]) != verbs_of([{**rule, "resourceNames": ["mine"]}])

"""Setting a real cluster up, and being told what is missing, as whoever runs it and as somebody who may little."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from kube import LABEL, Kube, until
from ruamel.yaml import YAML

from runner.checks import Check
from runner.cli.main import main
from runner.errors import EngineError
from runner.orchestrators.cluster_api import Cluster
from runner.orchestrators.flavors.kubernetes.access import provision
from runner.orchestrators.flavors.kubernetes.manifests import RIGHTS, access
from runner.orchestrators.flavors.kubernetes.rights import USERS, checks
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings

pytestmark = pytest.mark.engine("kubernetes")
RBAC = "rbac.authorization.k8s.io"
Acts = Callable[..., None]
LOOK = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]


@pytest.fixture
def cluster(kube: Kube, kubeconfig: str) -> Iterator[Cluster]:
    """A namespace of this test alone."""
    name = f"runner-test-{uuid.uuid4().hex[:8]}"
    with closing(kube.connect(name)) as cluster:
        cluster.create("namespaces", {"metadata": {"name": name, "labels": {LABEL: "1"}}})
        until(lambda: cluster.get("serviceaccounts", "default"))
        yield cluster
        cluster.delete("namespaces", name)


@pytest.fixture
def settings(kube: Kube, cluster: Cluster) -> KubernetesSettings:
    return KubernetesSettings(kubernetes_context=kube.context, kubernetes_namespace=cluster.namespace)


@pytest.fixture
def act_as(kube: Kube, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Acts:
    """From then on this process is somebody whose rights in the namespace are these rules alone."""

    def act(*rules: dict[str, Any]) -> None:
        import kubernetes.config.kube_config as sdk

        give(cluster, "somebody", rules)
        path = cluster._path("serviceaccounts", "somebody/token")
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        token = cluster._json("create", "serviceaccounts", "POST", path, asked)["status"]["token"]
        config = YAML(typ="safe").load(Path(kube.kubeconfig))
        config["users"] = [{"name": each["name"], "user": {"token": token}} for each in config["users"]]
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        monkeypatch.setattr(sdk, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))

    return act


def give(cluster: Cluster, account: str, rules: Any) -> None:
    """A service account with these rights."""
    head = {"apiVersion": f"{RBAC}/v1", "metadata": {"name": account}}
    cluster.create("serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account}})
    cluster.create("roles", {**head, "kind": "Role", "rules": list(rules)})
    subjects = [{"kind": "ServiceAccount", "name": account, "namespace": cluster.namespace}]
    ref = {"apiGroup": RBAC, "kind": "Role", "name": account}
    cluster.create("rolebindings", {**head, "kind": "RoleBinding", "roleRef": ref, "subjects": subjects})


def rules_of(rights: Any) -> list[dict[str, Any]]:
    return [{"apiGroups": [group], "resources": [what], "verbs": list(verbs)} for group, what, verbs in rights]


def actions(settings: KubernetesSettings, *, dry_run: bool = False) -> list[str]:
    return [f"{each.action} {each.kind}" for each in provision(settings, dry_run=dry_run)]


def found(settings: KubernetesSettings, name: str) -> list[Check]:
    return [check for check in checks(settings) if check.name == name]


def test_a_dry_run_makes_nothing_and_then_it_is_made_once(settings: KubernetesSettings, cluster: Cluster) -> None:
    new = ["create ServiceAccount", "create Role", "create RoleBinding"]
    assert actions(settings, dry_run=True) == new and cluster.get("roles", "runner-controller") is None
    assert actions(settings) == new
    assert {each.partition(" ")[0] for each in actions(settings)} == {"same"}


def test_a_role_that_somebody_changed_comes_back(settings: KubernetesSettings, cluster: Cluster) -> None:
    actions(settings)
    _, role, _ = access(settings)
    cluster.apply("roles", {**role, "rules": LOOK})
    _, changed, _ = provision(settings, dry_run=True)
    told = {field.path: field.before for field in changed.fields}
    assert changed.action == "change" and told["rules.pods"] == ["get", "list"]
    assert [check.ok for check in found(settings, "service account")] == [False] * len(RIGHTS)
    actions(settings)
    assert [check.ok for check in found(settings, "service account")] == [True]


def test_what_others_add_is_left_alone_and_is_no_difference(settings: KubernetesSettings, cluster: Cluster) -> None:
    actions(settings)
    path = cluster._path("serviceaccounts", "runner-controller", fieldManager="somebody", force="true")
    theirs = {"metadata": {"name": "runner-controller", "annotations": {"example.com/role": "theirs"}}}
    body = {"apiVersion": "v1", "kind": "ServiceAccount", **theirs}
    cluster._json("apply", "serviceaccounts", "PATCH", path, body, "application/apply-patch+yaml")
    assert {each.partition(" ")[0] for each in actions(settings)} == {"same"}
    account = cluster.get("serviceaccounts", "runner-controller")
    assert account is not None and account["metadata"]["annotations"] == {"example.com/role": "theirs"}


def test_a_namespace_that_is_not_there_is_told_with_the_command(kube: Kube, kubeconfig: str) -> None:
    nowhere = KubernetesSettings(kubernetes_context=kube.context, kubernetes_namespace="runner-test-no-such")
    with pytest.raises(EngineError, match="has no namespace 'runner-test-no-such'") as caught:
        actions(nowhere, dry_run=True)
    command = f"make it: kubectl create namespace runner-test-no-such --context {kube.context}"
    assert caught.value.help == command
    assert [check.help for check in found(nowhere, "namespace")] == [command]


def test_who_may_little_cannot_set_it_up(settings: KubernetesSettings, act_as: Acts) -> None:
    act_as(*LOOK)
    with pytest.raises(EngineError, match="cannot get resource") as caught:
        actions(settings, dry_run=True)
    assert "service_account_name" in (caught.value.help or "")


def test_nobody_gives_rights_that_he_has_not(settings: KubernetesSettings, act_as: Acts, cluster: Cluster) -> None:
    maker = {"resources": ["serviceaccounts", "roles", "rolebindings"], "verbs": ["get", "create", "patch"]}
    act_as({**maker, "apiGroups": ["", RBAC]})
    with pytest.raises(EngineError, match="attempting to grant") as caught:
        actions(settings, dry_run=True)
    assert "let whoever runs the cluster" in (caught.value.help or "")
    assert cluster.get("serviceaccounts", "runner-controller") is None


def test_each_right_that_a_user_lacks_is_named_with_the_command(settings: KubernetesSettings, act_as: Acts) -> None:
    act_as(*LOOK)
    told = {check.told: check.help for check in found(settings, "rights")}
    place = f"in '{settings.kubernetes_namespace}'"
    assert list(told) == [
        f"you may not create, delete, get, list, watch jobs.batch {place}",
        f"you may not watch pods {place}",
        f"you may not get pods/log {place}",
    ]
    assert "--verb=watch --resource=pods && kubectl" in (told[f"you may not watch pods {place}"] or "")


def test_who_may_not_make_the_account_is_told_what_is_missing(settings: KubernetesSettings, act_as: Acts) -> None:
    act_as(*rules_of(USERS), {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get"]})
    assert [check.ok for check in found(settings, "rights")] == [True]
    (account,) = found(settings, "service account")
    assert not account.ok and "create, patch serviceaccounts; get, create, patch roles" in account.told


def test_who_may_not_ask_about_others_reads_their_roles(settings: KubernetesSettings, act_as: Acts) -> None:
    actions(settings)
    act_as(*rules_of(USERS), {"apiGroups": ["", RBAC], "resources": ["*"], "verbs": ["get", "list"]})
    (account,) = found(settings, "service account")
    assert account == Check("service account", True, "'runner-controller' has the rights that controllers need")


def test_who_may_not_even_do_that_is_told_so(settings: KubernetesSettings, act_as: Acts) -> None:
    actions(settings)
    act_as(*rules_of(USERS))
    (account,) = found(settings, "service account")
    assert account.ok and "cannot be seen with your rights" in account.told


def test_an_account_of_ones_own(settings: KubernetesSettings, cluster: Cluster) -> None:
    own = settings.model_copy(update={"service_account_name": "trainer"})
    (missing,) = found(own, "service account")
    assert not missing.ok and "create serviceaccount trainer" in (missing.help or "")
    give(cluster, "trainer", LOOK)
    lacks = found(own, "service account")
    assert [check.ok for check in lacks] == [False] * len(RIGHTS)
    subject = f"--serviceaccount={cluster.namespace}:trainer"
    assert all(subject in (check.help or "") for check in lacks)


def test_a_namespace_that_may_not_be_looked_at_but_worked_in(settings: KubernetesSettings, act_as: Acts) -> None:
    act_as(*rules_of(USERS))
    (namespace,) = found(settings, "namespace")
    assert namespace.ok and "can be listed" in namespace.told


def test_who_may_nothing(settings: KubernetesSettings, act_as: Acts) -> None:
    act_as()
    (namespace,) = found(settings, "namespace")
    assert not namespace.ok and "ask whoever runs the cluster" in (namespace.help or "")


def test_apply_and_doctor_of_a_stack(
    settings: KubernetesSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runner.toml").touch()
    monkeypatch.chdir(tmp_path)
    fields = f"kubernetes_context: {settings.kubernetes_context}, kubernetes_namespace: {settings.kubernetes_namespace}"
    store = "{flavor: s3, path: 's3://bucket/p'}"
    text = f"kind: stack\nname: s\norchestrator: {{flavor: kubernetes, {fields}}}\nartifact_store: {store}\n"
    (tmp_path / "s.yaml").write_text(text)
    assert [main(["apply", "s.yaml", *more]) for more in (["--dry-run"], [], ["--dry-run"])] == [2, 0, 0]
    assert "create  RoleBinding runner-controller  " in capsys.readouterr().out
    main(["doctor", "--stack", "s", "--outside", "--timeout", "60"])
    assert "ok    service account  'runner-controller' has the rights" in capsys.readouterr().out

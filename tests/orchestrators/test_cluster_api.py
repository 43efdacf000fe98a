"""The API of clusters: what it says when nobody answers, and a real one's answers as plain data."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from runner.errors import EngineError
from runner.orchestrators.cluster import cluster_checks
from runner.orchestrators.cluster_api import REACH, Cluster, Refused, connect


@pytest.fixture
def dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The context of a kubeconfig whose cluster nobody serves."""
    import kubernetes.config.kube_config as sdk

    config = {
        "clusters": [{"name": "dead", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "me", "user": {"token": "a-token"}}],
        "contexts": [{"name": "dead", "context": {"cluster": "dead", "user": "me"}}],
    }
    (tmp_path / "config").write_text(
        json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "", **config})
    )
    monkeypatch.setattr(sdk, "KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "config"))
    return "dead"


def secret(**more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": f"s-{uuid.uuid4().hex[:8]}", **more}}


def test_a_cluster_that_nobody_serves(dead: str) -> None:
    with pytest.raises(Refused, match=r"cluster at https://127.0.0.1:1 does not answer: Failed to") as caught:
        connect(dead, "ml").list("pods")
    assert (caught.value.status, caught.value.help) == (0, REACH)


def test_a_context_that_is_not_there(dead: str) -> None:
    with pytest.raises(EngineError, match="the kubeconfig has no context 'alive'") as caught:
        connect("alive", "ml")
    assert caught.value.help == "list them: kubectl config get-contexts"


def test_contexts_are_named_where_one_is_the_current_one(dead: str) -> None:
    import kubernetes.config.kube_config as sdk

    path = Path(sdk.KUBE_CONFIG_DEFAULT_LOCATION)
    path.write_text(path.read_text().replace('"current-context": ""', '"current-context": "dead"'))
    with pytest.raises(EngineError) as caught:
        connect("alive", "ml")
    assert caught.value.help == "it has: dead"


def test_doctor_goes_no_further_than_a_cluster_that_is_dead(dead: str) -> None:
    sdk, cluster = cluster_checks("kubernetes", dead, "ml")
    assert sdk.ok and not cluster.ok and cluster.help == REACH


@pytest.mark.engine("kubernetes")
def test_objects_are_made_once_and_gone_once(in_cluster: Cluster) -> None:
    made = in_cluster.create("secrets", secret())
    name = made["metadata"]["name"]
    with pytest.raises(Refused) as caught:
        in_cluster.create("secrets", secret(name=name))
    assert (caught.value.status, caught.value.reason) == (409, "AlreadyExists")
    assert [in_cluster.delete("secrets", name), in_cluster.delete("secrets", name)] == [True, False]
    assert in_cluster.get("secrets", name) is None
    assert in_cluster.calls["delete secrets"] == 2 and in_cluster.calls["create secrets"] >= 2


@pytest.mark.engine("kubernetes")
def test_a_watch_goes_on_where_the_list_ended(in_cluster: Cluster) -> None:
    labels = {"team": uuid.uuid4().hex[:8]}
    selector = f"team={labels['team']}"
    first = in_cluster.create("secrets", secret(labels=labels))["metadata"]["name"]
    found, version = in_cluster.list("secrets", selector)
    second = in_cluster.create("secrets", secret(labels=labels))["metadata"]["name"]
    watch = in_cluster.watch("secrets", selector, version, 60)
    seen = next((kind, each["metadata"]["name"]) for kind, each in watch if kind != "BOOKMARK")
    watch.close()
    assert [each["metadata"]["name"] for each in found] == [first] and seen == ("ADDED", second)


@pytest.mark.engine("kubernetes")
def test_fields_choose_too(in_cluster: Cluster) -> None:
    name = in_cluster.create("secrets", secret())["metadata"]["name"]
    found, _ = in_cluster.list("secrets", fields=f"metadata.name={name}")
    assert [each["metadata"]["name"] for each in found] == [name]


@pytest.mark.engine("kubernetes")
def test_what_an_account_may_is_asked_of_the_cluster(in_cluster: Cluster) -> None:
    assert in_cluster.may("create", "jobs", "batch")
    assert not in_cluster.may("create", "jobs", "batch", account="default")

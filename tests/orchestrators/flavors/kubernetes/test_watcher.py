"""A cluster that is silent, cuts its streams, forgets what was: the way to it is one that can be shut."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hole import Hole, hole
from kube import until
from pod_bench import Pods, step

from runner.errors import EngineError
from runner.orchestrators.cluster_api import Cluster, Expired
from runner.orchestrators.flavors.kubernetes import launcher
from runner.records import Event, fold

pytestmark = pytest.mark.engine("kubernetes")


@pytest.fixture
def way(pods: Pods) -> Iterator[tuple[Hole, Cluster]]:
    """A way to the cluster, and the cluster at its end."""
    cluster = pods.connect()
    place = urlsplit(cluster.host)
    with hole(str(place.hostname), place.port or 443) as made:
        cluster.host = f"https://127.0.0.1:{made.port}"
        yield made, cluster


def soon(pods: Pods, work: Any) -> None:
    """Do it when the step has begun."""
    until(lambda: pods.ledger.started(pods.run_id, "a", 1))
    work()


def in_the_background(pods: Pods, work: Any) -> None:
    threading.Thread(target=soon, args=(pods, work), daemon=True).start()


def status_of(pods: Pods, cluster: Cluster) -> str:
    events = pods.events(step("a", "stay", parameters={"seconds": 6}), cluster=cluster)
    return str(fold(event for event in events if isinstance(event, Event)).status)


def test_a_watch_that_is_cut_goes_on_where_it_was(pods: Pods, way: tuple[Hole, Cluster]) -> None:
    made, cluster = way
    in_the_background(pods, made.cut)
    assert status_of(pods, cluster) == "succeeded"
    assert cluster.calls["list pods"] == 1 and cluster.calls["watch pods"] >= 2


def test_a_cluster_that_is_gone_for_a_while_is_waited_for(pods: Pods, way: tuple[Hole, Cluster]) -> None:
    made, cluster = way

    def silence() -> None:
        made.shut = True
        made.cut()
        time.sleep(10)
        made.shut = False

    in_the_background(pods, silence)
    assert status_of(pods, cluster) == "succeeded"
    assert cluster.calls["list pods"] == 1


def test_a_pod_is_made_when_the_cluster_answers_again(pods: Pods, way: tuple[Hole, Cluster]) -> None:
    made, cluster = way
    made.shut = True
    threading.Timer(3, lambda: setattr(made, "shut", False)).start()
    assert status_of(pods, cluster) == "succeeded"


def test_what_was_missed_for_too_long_is_listed_anew(
    pods: Pods, way: tuple[Hole, Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real server keeps what happened for minutes: here a double says in its place that it has forgotten."""
    made, cluster = way
    watch = cluster.watch

    def forgetful(plural: str, selector: str, version: str, seconds: int = 300) -> Any:
        if cluster.calls["watch pods"] == 1:
            cluster.calls["watch pods"] += 1
            raise Expired("too old resource version", 410, "Expired")
        return watch(plural, selector, version, seconds)

    monkeypatch.setattr(cluster, "watch", forgetful)
    in_the_background(pods, made.cut)
    assert status_of(pods, cluster) == "succeeded"
    assert cluster.calls["list pods"] == 2


def test_a_cluster_that_stays_away_is_told_and_its_pods_are_left_to_the_next(
    pods: Pods, way: tuple[Hole, Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, cluster = way
    monkeypatch.setattr(launcher, "PATIENCE", 1.0)

    def silence() -> None:
        made.shut = True
        made.cut()

    in_the_background(pods, silence)
    with pytest.raises(EngineError, match="the cluster"):
        status_of(pods, cluster)
    assert len(pods.pods()) == 1

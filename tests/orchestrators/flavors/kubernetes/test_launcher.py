"""Attempts as pods of a real cluster, and every way in which they end."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from kube import Kube, until
from pod_bench import Pods, step

from runner.orchestrators.container import STEP
from runner.orchestrators.flavors.kubernetes.launcher import PodLauncher
from runner.orchestrators.flavors.kubernetes.status import is_over, state
from runner.records import Event, fold

pytestmark = pytest.mark.engine("kubernetes")
MB = 1024 * 1024
RETRY = {"max_retries": 1, "delay": 0.0, "backoff": 1.0, "max_delay": 0.0}


def own(**pod: Any) -> dict[str, Any]:
    return {"pod": pod}


def env_of_secret(name: str) -> dict[str, Any]:
    source = {"secretKeyRef": {"name": name, "key": "k"}}
    return own(containers=[{"env": [{"name": "A", "valueFrom": source}]}])


def running(pods: Pods, name: str) -> list[dict[str, Any]]:
    """The pods of this step whose container runs."""
    return [pod for pod in pods.pods() if pod["metadata"]["labels"][STEP] == name and state(pod, "running")]


# -- how they run ------------------------------------------------------------------------------------------------------


def test_a_chain_takes_one_list_one_watch_and_a_request_for_each_pod(pods: Pods) -> None:
    steps = [step("a", "value", parameters={"x": 1})]
    steps += [step(name, "value", inputs={"x": (before, "output")}) for before, name in ("ab", "bc")]
    cluster = pods.connect()
    assert pods.output(*steps, cluster=cluster) == 1
    assert cluster.calls == {"list pods": 1, "watch pods": 1, "create pods": 3}


def test_a_worker_tells_of_its_result_before_the_node_does(
    pods: Pods, kube: Kube, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []
    usual = PodLauncher._on_succeeded
    monkeypatch.setattr(PodLauncher, "_on_succeeded", lambda *told: (heard.append(told[1]), usual(*told)))
    pods.address = kube.host
    names = [f"s{i}" for i in range(4)]
    assert pods.run(*(step(each, "value", parameters={"x": each}) for each in names)).status == "succeeded"
    assert heard  # nodes look once a second, and one of them may have been as quick


def test_many_run_at_a_time(pods: Pods) -> None:
    run = pods.run(*(step(f"s{i}", "value", parameters={"x": i}) for i in range(12)))
    assert (run.status, len(run.steps)) == ("succeeded", 12)


def test_a_step_is_nobody_in_particular_with_a_home_and_its_code(pods: Pods) -> None:
    assert pods.output(step("a", "who")) == [1000, 1000, True, True]


def test_shared_memory_is_seen_from_inside(pods: Pods) -> None:
    asked = {"shm": 8 * MB, "memory": 256 * MB}
    assert pods.output(step("a", "room", parameters={"path": "/dev/shm"}, resources=asked)) == 8 * MB


def test_variables_and_secrets_arrive(pods: Pods) -> None:
    given = {"MODE": "$(HOME) $$x", "ID": "${secrets.STORE_ID}"}
    found = pods.output(step("a", "environment", parameters={"names": list(given)}, environment=given))
    assert found == ["$(HOME) $$x", "an-id"]


def test_pods_that_are_over_stay_for_kubectl_logs(pods: Pods) -> None:
    pods.run(step("a", "say", parameters={"line": "hello"}))
    (pod,) = pods.pods()
    assert pods.cluster.log(pod["metadata"]["name"]).read() == b"hello\n" and pods.log("a") == "hello\n"


# -- how they end ------------------------------------------------------------------------------------------------------


def test_an_exception_is_the_workers_to_tell(pods: Pods) -> None:
    assert pods.error(step("a", "fails")) == ("exception", "on purpose")


def test_a_failed_step_is_tried_again_in_a_pod_of_its_own(pods: Pods) -> None:
    run = pods.run(step("a", "exits", parameters={"code": 7}, retry=RETRY))
    error = run.steps["a"].error
    assert error is not None and (run.steps["a"].attempt, error.reason) == (2, "exit")
    assert len(pods.pods()) == 2


def test_too_much_memory_is_told_with_the_limit_and_the_log_is_kept(pods: Pods) -> None:
    asked = {"memory": 128 * MB}
    found = pods.error(step("a", "eat", parameters={"size": 400 * MB}, resources=asked))
    assert found == ("out-of-memory", "it took more than its memory of 128MiB, and the kernel killed it")
    assert "so hungry" in pods.log("a")


def test_an_image_that_cannot_be_pulled_is_told_with_the_registrys_sentence(pods: Pods, registry: str) -> None:
    pods.with_settings(startup_timeout="20s")
    reason, message = pods.error(step("a", "value", container={"image": f"{registry}/no-such-image:1"}))
    assert reason == "image" and "/no-such-image:1' cannot be pulled: " in message and "not found" in message
    assert "(it waited 20s, its startup_timeout)" in message


def test_an_image_that_no_registry_can_have_is_told_at_once(pods: Pods) -> None:
    reason, message = pods.error(step("a", "value", container={"image": "No Image"}))
    assert reason == "image" and "'No Image' cannot be pulled" in message


def test_an_image_without_a_worker_says_what_it_lacks(pods: Pods, plain_image: str) -> None:
    reason, message = pods.error(step("a", "value", container={"image": plain_image}))
    assert reason == "image" and "its image has no runner" in message
    assert "No module named" in pods.log("a")


def test_a_secret_that_is_missing_is_told_at_once_and_not_tried_again(pods: Pods) -> None:
    run = pods.run(step("a", "value", settings=env_of_secret("no-such-secret"), retry=RETRY))
    error = run.steps["a"].error
    assert error is not None and (run.steps["a"].attempt, error.reason) == (1, "config")
    assert 'secret "no-such-secret" not found' in error.message


def test_what_no_node_can_take_is_told_in_the_schedulers_words(pods: Pods) -> None:
    pods.with_settings(startup_timeout="3s")
    reason, message = pods.error(step("a", "value", resources={"cpu_count": 1000}))
    assert reason == "unschedulable" and "Insufficient cpu" in message
    until(lambda: not pods.pods())


def test_what_an_attempt_waits_for_is_told_meanwhile_and_once(pods: Pods) -> None:
    pods.with_settings(startup_timeout="6s")
    events = [
        each for each in pods.events(step("a", "value", resources={"cpu_count": 1000})) if isinstance(each, Event)
    ]
    told = [(each.event, each.attempt, each.data.get("reason", "")) for each in events]
    waits = "0/1 nodes are available: 1 Insufficient cpu."
    assert told[1:3] == [("step_started", 1, ""), ("step_waiting", 1, waits)] and told[3][0] == "step_failed"


def test_what_the_cluster_does_not_let_in_is_told_in_its_words(pods: Pods) -> None:
    reason, message = pods.error(step("a", "value", settings={"service_account_name": "nobody-here"}))
    assert reason == "forbidden" and 'serviceaccount "nobody-here" not found' in message


def test_what_is_no_pod_is_told_with_its_field(pods: Pods) -> None:
    wrong = own(containers=[{"resources": {"requests": {"memory": "9Gi"}, "limits": {"memory": "1Gi"}}}])
    reason, message = pods.error(step("a", "value", settings=wrong))
    assert reason == "engine" and "spec.containers[0].resources.requests" in message


def test_a_quota_is_waited_for(pods: Pods) -> None:
    of_others = sum(not is_over(pod) for pod in pods.cluster.list("pods")[0])  # which count, and may stay for ever
    hard = {"pods": str(1 + of_others)}
    pods.cluster.create("resourcequotas", {"metadata": {"name": pods.run_id}, "spec": {"hard": hard}})
    try:
        run = pods.run(*(step(f"s{i}", "value", parameters={"x": i}) for i in range(3)))
        assert run.status == "succeeded"
    finally:
        pods.cluster.delete("resourcequotas", pods.run_id)


def test_its_time_counts_from_when_it_runs_and_its_worker_may_finish(pods: Pods) -> None:
    found = pods.error(step("a", "stubborn", timeout=3.0))
    assert found == ("timeout", "it took longer than its timeout of 3 s")


def test_a_failed_init_container_is_named(pods: Pods) -> None:
    first = {"name": "first", "image": pods.image, "command": ["python", "-c", "raise SystemExit(3)"]}
    reason, message = pods.error(step("a", "value", settings=own(initContainers=[first])))
    assert (reason, message) == ("container", "its init container 'first' ended with exit code 3")


def test_a_cancelled_run_leaves_nothing_running(pods: Pods) -> None:
    events = pods.events(step("a", "stay", parameters={"seconds": 600}), step("b", "value", after=("a",)))
    found = []
    for event in events:
        found.append(event)
        if isinstance(event, Event) and event.event == "step_started":
            pods.ledger.request_cancel(pods.run_id)
    run = fold(event for event in found if isinstance(event, Event))
    assert (run.status, run.steps["a"].status) == ("cancelled", "cancelled")
    assert running(pods, "a") == []


# -- what comes from outside -------------------------------------------------------------------------------------------


def test_a_pod_that_is_deleted_is_started_again_without_a_retry(pods: Pods) -> None:
    delete_when_it_runs(pods)
    assert lost(pods) == ("deleted", "its pod was deleted from outside")


def test_one_that_the_cluster_took_the_place_of_says_so_by_a_condition_that_this_test_sets(pods: Pods) -> None:
    """Clusters since 1.26 set it themselves when a node is lost or drained; here a patch of the status does."""
    delete_when_it_runs(pods, condition="DeletionByTaintManager")
    reason, message = lost(pods)
    assert reason == "node-lost" and message.endswith("by this test")


def lost(pods: Pods) -> tuple[str, str]:
    """Reason and message of what ended the first attempt, when a second one was started."""
    found = ("", "")
    for event in pods.events(step("a", "stay", parameters={"seconds": 600})):
        if isinstance(event, Event) and event.event == "step_retrying":
            error = event.data["error"]
            found = (error["reason"], error["message"])
        if isinstance(event, Event) and event.event == "step_started" and event.attempt == 2:
            pods.ledger.request_cancel(pods.run_id)
    return found


def delete_when_it_runs(pods: Pods, condition: str = "") -> None:
    """The first attempt of step `a`, from outside."""

    def work() -> None:
        (pod,) = until(lambda: running(pods, "a"))
        name = pod["metadata"]["name"]
        if condition:
            told = {"type": "DisruptionTarget", "status": "True", "reason": condition, "message": "by this test"}
            pods.patch_status(name, {"status": {"conditions": [told]}})
        pods.cluster.delete("pods", name)

    threading.Thread(target=work, daemon=True).start()

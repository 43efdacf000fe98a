"""A short-lived Job that opens a stack's artifact store from inside of the cluster, in the place of a controller."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from typing import Any

from runner.checks import Check
from runner.errors import EngineError
from runner.orchestrators.cluster_api import Cluster, Refused, connect
from runner.orchestrators.container import PYTHON
from runner.orchestrators.flavors.kubernetes.manifests import controller_job
from runner.orchestrators.flavors.kubernetes.names import CONTROLLER, STEP
from runner.orchestrators.flavors.kubernetes.pods import common_labels, said
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings
from runner.orchestrators.flavors.kubernetes.status import Wait, is_over, state, wait_of
from runner.orchestrators.quantities import verbatim
from runner.plan.deployment import Deployment

SECONDS = 60.0  # for a node, the image, and the store
POD, STORE = "pod", "store in a pod"
_TURN = 5.0  # how often it is looked why there is no pod yet
_HELP = {
    "image": "is it there, and may nodes pull it? build it: runner build --push; let nodes log in: image_pull_secrets",
    "config": "make what it refers to",
    "container": "look at: kubectl get events",
    "unschedulable": "is there room on the nodes, and may pods of this namespace use them? look at: kubectl get nodes",
}
_NOT_OURS = "its runner is another one than this: build it anew with runner build, or renew controller_image"

Object = dict[str, Any]


class _Stuck(Exception):
    """The pod will not say anything: why, and what to do."""

    def __init__(self, told: str, help: str | None) -> None:
        super().__init__(told)
        self.told, self.help = told, help


def inside(
    settings: KubernetesSettings,
    components: Mapping[str, Mapping[str, Any]],
    image: str | None,
    seconds: float = SECONDS,
) -> Iterator[Check]:
    """Whether a pod gets the image, starts, and can use the artifact store. What was started is gone afterwards."""
    image = settings.controller_image or image
    if image is None:
        build = f"runner build PIPELINE{' --push' if components.get('container_registry') else ''}"
        told = f"not tried: no image of this stack is known to exist; make one: {build}"
        yield Check(POD, True, told, warning=True)
        return
    with closing(connect(settings.kubernetes_context, settings.kubernetes_namespace)) as cluster:
        account = settings.service_account_name or (CONTROLLER if _is_there(cluster, CONTROLLER) else None)
        job = job_of(settings, components, image, seconds, account)
        try:
            cluster.create("jobs", job)
            yield from _outcome(cluster, job, seconds)
        except _Stuck as stuck:
            yield Check(POD, False, stuck.told, stuck.help)
        except EngineError as error:
            yield Check(POD, False, error.message, error.help)
        finally:
            with suppress(Refused):
                cluster.delete("jobs", job["metadata"]["name"], propagation="Background")


def job_of(
    settings: KubernetesSettings,
    components: Mapping[str, Mapping[str, Any]],
    image: str,
    seconds: float,
    account: str | None,
) -> Object:
    """The Job of one trial: a controller's, with another command, and without an account where there is none yet. Pure.

    Whatever becomes of us, the cluster ends it, and newer ones remove it.
    """
    stores = [dict(components.get(kind) or {}) for kind in ("artifact_store", "secret_store")]
    run = Deployment("doctor", "doctor", "", "kubernetes", {}, stores[0], "", secret_store=stores[1])
    spec: Object = controller_job(run, settings)["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    options = [json.dumps(fields, sort_keys=True, separators=(",", ":")) for fields in stores if fields]
    container |= {
        "name": STEP,  # what a pod's state is read of
        "image": image,
        "command": [verbatim(each) for each in (PYTHON, "-m", "runner.worker.probe", *options)],
        "env": [each for each in container["env"] if each["name"] != "RUNNER_JOB_UID"],
    }
    spec |= {"serviceAccountName": account, "automountServiceAccountToken": account is not None}
    name = f"runner-doctor-{secrets.token_hex(4)}"
    labels = {**common_labels("doctor"), **settings.labels}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": settings.kubernetes_namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": round(seconds) + 60,
            "ttlSecondsAfterFinished": 60,
            "template": {"metadata": {"labels": labels}, "spec": said({**spec, "terminationGracePeriodSeconds": 1})},
        },
    }


def _is_there(cluster: Cluster, account: str) -> bool:
    try:
        return cluster.get("serviceaccounts", account) is not None
    except Refused:
        return True  # the cluster will say what it thinks of it


def _outcome(cluster: Cluster, job: Object, seconds: float) -> Iterator[Check]:
    began = time.monotonic()
    pod = _ended(cluster, job, seconds)
    image = pod["spec"]["containers"][0]["image"]
    text = _log(cluster, pod["metadata"]["name"])
    try:
        found = Check(**json.loads(text.splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        raise _Stuck(f"'{image}' ended and said {(text.splitlines() or ['nothing'])[-1]}", _NOT_OURS) from None
    account = pod["spec"].get("serviceAccountName", "default")
    took = f"is there, started and ended in {time.monotonic() - began:.1f} s"
    yield Check(POD, True, f"'{image}' as service account '{account}': {took}")
    help = f"from inside of the cluster: {found.help}" if found.help else "as seen from inside of the cluster"
    yield found._replace(name=STORE, help=None if found.ok else help)


def _log(cluster: Cluster, pod: str) -> str:
    answer = cluster.log(pod)
    try:
        return bytes(answer.data).decode("utf-8", "replace")
    finally:
        answer.close()


def _ended(cluster: Cluster, job: Object, seconds: float) -> Object:
    """The trial's pod when it has ended. Raises _Stuck when it cannot start, or when time is up."""
    selector, deadline = f"job-name={job['metadata']['name']}", time.monotonic() + seconds
    pods, version = cluster.list("pods", selector)
    wait = Wait("container", "the cluster has made no pod of it")
    while (left := deadline - time.monotonic()) > 0:
        for pod in pods:
            if is_over(pod):
                return pod
            wait = _waits(pod)
        if not pods:
            _refused_pod(cluster, job)
        pods, version = _next(cluster, selector, pods, version, max(1, round(min(left, _TURN))))
    raise _Stuck(f"after {round(seconds)} s {wait.message}", _HELP[wait.reason])


def _next(cluster: Cluster, selector: str, pods: list[Object], version: str, seconds: int) -> tuple[list[Object], str]:
    """What the next thing that happens makes of the pods; the same when nothing does."""
    with closing(cluster.watch("pods", selector, version, seconds)) as watch:
        for kind, pod in watch:
            version = pod["metadata"]["resourceVersion"]
            if kind in ("ADDED", "MODIFIED"):
                return [pod], version
    return pods, version


def _waits(pod: Object) -> Wait:
    """What it waits for; raises _Stuck for what nobody should wait for."""
    if state(pod, "running") is not None:
        return Wait("container", "it runs and has not told anything")
    wait = wait_of(pod)
    if wait.hopeless or wait.reason == "image":
        raise _Stuck(wait.message, _HELP[wait.reason])
    return wait


def _refused_pod(cluster: Cluster, job: Object) -> None:
    """A Job's pod that is not let in is told of by an event."""
    with suppress(Refused):  # not everybody may read events
        for event in cluster.list("events", fields=f"involvedObject.name={job['metadata']['name']}")[0]:
            if event.get("reason") == "FailedCreate":
                raise _Stuck(str(event.get("message", "")), "the namespace does not let such a pod in")

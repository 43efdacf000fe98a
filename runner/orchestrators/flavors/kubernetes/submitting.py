"""A run's Job: made, made anew for a resumed run, removed with all that it owns."""

from __future__ import annotations

import time
from contextlib import closing

from runner.errors import EngineError
from runner.orchestrators.base import Submission
from runner.orchestrators.cluster import make_namespace
from runner.orchestrators.cluster_api import Cluster, Expired, Object, Refused
from runner.orchestrators.container import MARK
from runner.orchestrators.flavors.kubernetes.access import PLURALS
from runner.orchestrators.flavors.kubernetes.manifests import access, controller_job
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings
from runner.orchestrators.flavors.kubernetes.status import attempt_of
from runner.plan.deployment import Deployment

PATIENCE = 120.0  # seconds for the pods of a run to end: they are given 30 between SIGTERM and SIGKILL
WATCH = 10  # seconds that one look at what is left goes on


def submit(cluster: Cluster, deployment: Deployment, settings: KubernetesSettings, *, again: bool) -> Submission:
    """Make the run's Job, unless it is there. `again` when the run was submitted before and is to go on: then what is
    left of it is removed first. Raises EngineError."""
    job = controller_job(deployment, settings)
    name, mark = job["metadata"]["name"], job["metadata"]["labels"][MARK]
    try:
        if settings.service_account_name is None:
            _see_to_access(cluster, settings)
        if again:
            remove(cluster, name, mark)
        cluster.create("jobs", job)
    except Refused as error:
        if error.status == 404:
            message = f"the cluster has no namespace '{cluster.namespace}'"
            raise EngineError(message, make_namespace(cluster.namespace, settings.kubernetes_context)) from error
        if error.reason != "AlreadyExists":
            raise
    return Submission(deployment.run_id, "kubernetes", {"job": name, "namespace": cluster.namespace})


def remove(cluster: Cluster, job: str, mark: str) -> None:
    """Delete a run's Job and wait until nothing of the run is left. Raises EngineError when that takes too long."""
    cluster.delete("jobs", job, propagation="Foreground")
    give_up = time.monotonic() + PATIENCE
    for plural in ("pods", "jobs"):
        _until_gone(cluster, plural, f"{MARK}={mark}", give_up)


def printed(cluster: Cluster, mark: str, step: str) -> str | None:
    """What the pod of a step's last attempt printed so far; None where there is none, or it did not begin."""
    pods, _ = cluster.list("pods", f"{MARK}={mark}")
    found = {number: pod["metadata"]["name"] for pod in pods for name, number in [attempt_of(pod)] if name == step}
    if not found:
        return None
    try:
        answer = cluster.log(found[max(found)])
    except Refused:
        return None
    with closing(answer):
        return bytes(answer.read()).decode("utf-8", "replace")


def _see_to_access(cluster: Cluster, settings: KubernetesSettings) -> None:
    """What controllers log in as. Who may not make it can use what is there."""
    for wanted in access(settings):
        plural, name = PLURALS[wanted["kind"]], wanted["metadata"]["name"]
        try:
            cluster.apply(plural, wanted)
        except Refused as error:
            if error.status != 403 or not _is_there(cluster, plural, name):
                help = "let whoever runs the cluster apply this stack once, or name a service_account_name"
                raise Refused(error.message, error.status, error.reason, help) from error


def _is_there(cluster: Cluster, plural: str, name: str) -> bool:
    try:
        return cluster.get(plural, name) is not None
    except Refused as error:
        return error.status == 403  # who may not even look will be told by the Job


def _until_gone(cluster: Cluster, plural: str, selector: str, give_up: float) -> None:
    while True:
        found, version = cluster.list(plural, selector)
        left = {each["metadata"]["name"] for each in found}
        if not left:
            return
        if time.monotonic() > give_up:
            help = f"is its node still there? look at it: kubectl get {plural} -l {selector}"
            raise EngineError(f"{len(left)} {plural} of the run do not end: {', '.join(sorted(left)[:3])}", help)
        _hear(cluster, plural, selector, version, left)


def _hear(cluster: Cluster, plural: str, selector: str, version: str, left: set[str]) -> None:
    """Until those that are left are deleted, or it has been long."""
    watch = cluster.watch(plural, selector, version, seconds=WATCH)
    with closing(watch):
        try:
            for kind, found in watch:
                if kind == "DELETED":
                    left.discard(_name(found))
                if not left:
                    return
        except Expired:
            return


def _name(found: Object) -> str:
    return str(found["metadata"]["name"])

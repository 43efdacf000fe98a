"""The pod of one attempt, as plain data. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.orchestrators.container import container_of, labels_of
from runner.orchestrators.flavors.kubernetes.merge import merged_pod
from runner.orchestrators.flavors.kubernetes.names import STEP
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings
from runner.orchestrators.labels import OURS, labels
from runner.orchestrators.quantities import cpu, seconds, size, verbatim
from runner.plan.deployment import DeployedStep, Deployment, StepJob
from runner.plan.secrets import REFERENCE, secret_names, secret_variable

USER = 1000
"""Who runs in a pod, and what group its volumes belong to: the user of the images that runner builds."""
SHM = "runner-shm"
"""The volume that is mounted at /dev/shm."""
SHM_PATH = "/dev/shm"  # noqa: S108  (the kernel's, not a temporary file)
IMAGE = "${image}"  # in place of an image that is not known yet

POD_SECURITY: Mapping[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": USER,
    "runAsGroup": USER,
    "fsGroup": USER,
    "fsGroupChangePolicy": "OnRootMismatch",
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: Mapping[str, Any] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
"""With the pod's, what the pod security standard "restricted" demands."""


def pod_of(
    deployment: Deployment,
    step: DeployedStep,
    job: StepJob,
    settings: KubernetesSettings,
    mark: str,
    owner: Mapping[str, Any],
) -> dict[str, Any]:
    """The pod of one attempt; `owner` is the reference to the run's Job, whose end is its end."""
    made = container_of(deployment, step, job, mark)
    found = {
        "name": STEP,
        "image": made.image or IMAGE,
        "imagePullPolicy": settings.image_pull_policy,
        "command": [verbatim(each) for each in made.command],
        "env": [*variables(made.environment), *secrets_of(deployment, step)],
        "resources": resources_of(step.resources, settings.gpu_resource),
        "securityContext": dict(CONTAINER_SECURITY),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": SHM, "mountPath": SHM_PATH}] if step.resources.get("shm") else [],
    }
    spec = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": deadline(step, settings),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "serviceAccountName": step.settings.get("service_account_name"),
        "priorityClassName": step.settings.get("priority_class_name"),
        "securityContext": dict(POD_SECURITY),
        "nodeSelector": _node_selector(step, settings),
        "tolerations": _tolerations(step, settings),
        "affinity": filled(step.settings.get("affinity"), deployment.run_id),
        "imagePullSecrets": [{"name": name} for name in settings.image_pull_secrets],
        "volumes": _volumes(step.resources),
        "containers": [said(found)],
    }
    theirs = filled(step.settings.get("pod") or {}, deployment.run_id)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": made.name,
            **_metadata(deployment, step, job, settings, mark),
            "ownerReferences": [dict(owner)],
        },
        "spec": merged_pod(said(spec), theirs),
    }


def resources_of(resources: Mapping[str, Any], gpu_resource: str) -> dict[str, Any]:
    """Requests and limits, which are equal: what a step asks for it gets, and no more.

    What is in /dev/shm counts as the container's memory, and so is added to what the step itself asks for.
    """
    found: dict[str, str] = {}
    if resources.get("cpu_count"):
        found["cpu"] = cpu(resources["cpu_count"])
    if resources.get("memory"):
        found["memory"] = size(resources["memory"] + (resources.get("shm") or 0))
    if resources.get("disk"):
        found["ephemeral-storage"] = size(resources["disk"])
    if resources.get("gpu_count"):
        found[gpu_resource] = str(resources["gpu_count"])
    return {"requests": found, "limits": dict(found)} if found else {}


def deadline(step: DeployedStep, settings: KubernetesSettings) -> int | None:
    """Seconds after which the node ends the pod, counted from when a node has taken it, its image not yet pulled."""
    if step.timeout is None:
        return None
    return seconds(step.timeout + startup_timeout(step, settings))


def startup_timeout(step: DeployedStep, settings: KubernetesSettings) -> float:
    """Seconds that a step's pod may take to start."""
    own = step.settings.get("startup_timeout")
    return settings.startup_timeout if own is None else own


def secrets_of(deployment: Deployment, step: DeployedStep | None = None) -> list[dict[str, Any]]:
    """The variables that hold the secrets which a step and the stores refer to, as references to the Secret's keys.

    A key that is missing keeps no pod from starting: the worker says which one it is.
    """
    store = deployment.secret_store
    if store.get("flavor") != "kubernetes":
        return []
    used = [step.parameters, step.environment] if step else []
    return [
        {
            "name": secret_variable(name),
            "valueFrom": {"secretKeyRef": {"name": store["secret"], "key": name, "optional": True}},
        }
        for name in secret_names([*used, deployment.artifact_store])
    ]


def variables(environment: Mapping[str, str]) -> list[dict[str, str]]:
    """Environment variables as a container's `env`."""
    return [{"name": name, "value": verbatim(text)} for name, text in environment.items()]


def said(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that say something."""
    return {name: value for name, value in fields.items() if value not in (None, [], {}, "")}


def filled(value: Any, run_id: str) -> Any:
    """A JSON value with `${run.id}` filled in; there is no `${secrets.NAME}` in it."""
    if isinstance(value, str):
        return REFERENCE.sub(lambda found: found[0][1:] if len(found[1]) > 1 else run_id, value)
    if isinstance(value, Mapping):
        return {key: filled(member, run_id) for key, member in value.items()}
    return [filled(each, run_id) for each in value] if isinstance(value, list) else value


def _metadata(
    deployment: Deployment, step: DeployedStep, job: StepJob, settings: KubernetesSettings, mark: str
) -> dict[str, Any]:
    ours, originals = labels(labels_of(deployment, step.name, job.attempt, mark))
    annotations = {**settings.annotations, **step.settings.get("annotations", {}), **originals}
    return said(
        {
            "namespace": settings.kubernetes_namespace,
            "labels": {**common_labels(STEP), **settings.labels, **step.settings.get("labels", {}), **ours},
            "annotations": filled(annotations, deployment.run_id),
        }
    )


def common_labels(component: str) -> dict[str, str]:
    """What tools that list a cluster's objects look for."""
    return {"app.kubernetes.io/managed-by": OURS.rstrip("/"), "app.kubernetes.io/component": component}


def _node_selector(step: DeployedStep, settings: KubernetesSettings) -> dict[str, str]:
    kind = step.resources.get("gpu_type")
    return {**step.settings.get("node_selectors", {}), **({settings.gpu_type_label: kind} if kind else {})}


def _tolerations(step: DeployedStep, settings: KubernetesSettings) -> list[dict[str, Any]]:
    """Nodes with accelerators are often kept for those who ask for them, by a taint of the resource's name."""
    given = [said(each) for each in step.settings.get("tolerations", ())]
    if step.resources.get("gpu_count"):
        return [{"key": settings.gpu_resource, "operator": "Exists", "effect": "NoSchedule"}, *given]
    return given


def _volumes(resources: Mapping[str, Any]) -> list[dict[str, Any]]:
    if not resources.get("shm"):
        return []
    return [{"name": SHM, "emptyDir": {"medium": "Memory", "sizeLimit": size(resources["shm"])}}]

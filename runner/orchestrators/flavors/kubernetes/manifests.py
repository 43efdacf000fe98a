"""Everything that a run is made of in a cluster, as plain data: file name → object. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from runner.errors import EngineError
from runner.orchestrators.container import MARK, PIPELINE, PYTHON, RUN_ID, mark_of
from runner.orchestrators.flavors.kubernetes.names import CONTROLLER, collisions, job_name, run_id_of
from runner.orchestrators.flavors.kubernetes.pods import (
    CONTAINER_SECURITY,
    IMAGE,
    POD_SECURITY,
    common_labels,
    filled,
    pod_of,
    said,
    secrets_of,
    variables,
)
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings
from runner.orchestrators.labels import labels
from runner.orchestrators.quantities import seconds, verbatim
from runner.plan.deployment import DeployedStep, Deployment, StepJob

JOB = "${job}"
"""Stands in what is compiled for the worker's job, whose inputs are known when the step starts."""
JOB_UID = "${job.uid}"
"""Stands there for the uid of the run's Job, which the cluster gives to it."""
JOB_UID_VARIABLE = "RUNNER_JOB_UID"
"""Where a controller finds it; and by which a process knows that it is one."""
ADDRESS_VARIABLE = "RUNNER_POD_IP"
"""Where it finds its own address."""
RIGHTS = (("", "pods", ("create", "delete", "get", "list", "watch")), ("", "pods/log", ("get",)))
"""What the controller may do in its namespace: group, resource, verbs."""
RESTARTS = 20
"""How often a controller that was killed is started again."""


def documents(deployment: Deployment, settings: KubernetesSettings) -> dict[str, Any]:
    """File name → object, in the order in which `kubectl apply -f DIR` makes them; the pods of steps, which the
    controller makes, are PodTemplates in a folder of their own. Raises EngineError for names that collide."""
    deployment = deployment._replace(run_id=run_id_of(deployment.run_id))
    for refusal in collisions(deployment.steps):
        raise EngineError(refusal.message, refusal.help)
    objects = [controller_job(deployment, settings)]
    if settings.service_account_name is None:
        objects = [*access(settings), *objects]
    names = ("service-account", "role", "role-binding", "job")[-len(objects) :]
    found = {
        f"{number:02}-{name}.yaml": made for number, (name, made) in enumerate(zip(names, objects, strict=True), 1)
    }
    return found | {
        f"steps/{name}.yaml": _template(deployment, step, settings) for name, step in deployment.steps.items()
    }


def access(settings: KubernetesSettings) -> Iterator[dict[str, Any]]:
    """What the controllers of a namespace's runs log in as, and what that may do."""
    rbac = "rbac.authorization.k8s.io"
    yield {**_head("v1", "ServiceAccount", settings), "automountServiceAccountToken": False}
    yield {
        **_head(f"{rbac}/v1", "Role", settings),
        "rules": [{"apiGroups": [group], "resources": [what], "verbs": list(verbs)} for group, what, verbs in RIGHTS],
    }
    yield {
        **_head(f"{rbac}/v1", "RoleBinding", settings),
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": CONTROLLER},
        "subjects": [{"kind": "ServiceAccount", "name": CONTROLLER, "namespace": settings.kubernetes_namespace}],
    }


def controller_job(deployment: Deployment, settings: KubernetesSettings) -> dict[str, Any]:
    """The Job whose pod walks the DAG, and which owns the pods of its steps.

    It is complete when the run has ended, however it has; it fails when nobody could carry the run on.
    """
    mark = mark_of(deployment.run_id, deployment.artifact_store)
    own, originals = labels({RUN_ID: deployment.run_id, PIPELINE: deployment.pipeline, MARK: mark})
    metadata = said(
        {
            "labels": {**common_labels("controller"), **settings.labels, **own},
            "annotations": filled({**settings.annotations, **originals}, deployment.run_id),
        }
    )
    place = {"name": job_name(deployment.run_id, deployment.pipeline, mark), "namespace": settings.kubernetes_namespace}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": place | metadata,
        "spec": {
            "backoffLimit": RESTARTS,
            "ttlSecondsAfterFinished": seconds(settings.ttl_after_finished),
            "template": {"metadata": metadata, "spec": _controller(deployment, settings)},
        },
    }


def controller_command(deployment: Deployment) -> list[str]:
    """How the controller is started: it reads `runs/<run id>/deployment.json` in the artifact store, and what has
    happened already. No value of a secret is on it."""
    stores = {"artifact-store": deployment.artifact_store, "secret-store": deployment.secret_store}
    options = [
        text
        for name, fields in stores.items()
        if fields
        for text in (f"--{name}", json.dumps(fields, sort_keys=True, separators=(",", ":")))
    ]
    return [PYTHON, "-m", "runner", "controller", "--run-id", deployment.run_id, *options]


def controller_image(deployment: Deployment, settings: KubernetesSettings) -> str:
    """What the controller runs in."""
    return settings.controller_image or str(deployment.controller.get("image") or IMAGE)


def owner_of(deployment: Deployment, uid: str) -> dict[str, Any]:
    """A reference to the run's Job. It is an owner and no controller: a Job lets go of pods that it did not make."""
    mark = mark_of(deployment.run_id, deployment.artifact_store)
    name = job_name(deployment.run_id, deployment.pipeline, mark)
    return {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid}


def _controller(deployment: Deployment, settings: KubernetesSettings) -> dict[str, Any]:
    # The legacy name of the label with the Job's uid is the one that all versions set.
    uid = {"fieldRef": {"fieldPath": "metadata.labels['controller-uid']"}}
    container = {
        "name": "controller",
        "image": controller_image(deployment, settings),
        "imagePullPolicy": settings.image_pull_policy,
        "command": [verbatim(each) for each in controller_command(deployment)],
        "env": [
            *variables({"HOME": "/tmp", "PYTHONUNBUFFERED": "1"}),  # noqa: S108  (a volume of its own)
            {"name": JOB_UID_VARIABLE, "valueFrom": uid},
            {"name": ADDRESS_VARIABLE, "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            *secrets_of(deployment),
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {**CONTAINER_SECURITY, "readOnlyRootFilesystem": True},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }
    return said(
        {
            "restartPolicy": "Never",
            "automountServiceAccountToken": True,
            "enableServiceLinks": False,
            "serviceAccountName": settings.service_account_name or CONTROLLER,
            "securityContext": dict(POD_SECURITY),
            "imagePullSecrets": [{"name": name} for name in settings.image_pull_secrets],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
            "containers": [container],
        }
    )


def _template(deployment: Deployment, step: DeployedStep, settings: KubernetesSettings) -> dict[str, Any]:
    """A step's pod as that of its first attempt, in an object that starts nothing where it is applied."""
    job = StepJob(deployment.run_id, step.name, 1, step.entrypoint, {}, {}, (), {}, {}, "")
    mark = mark_of(deployment.run_id, deployment.artifact_store)
    pod = pod_of(deployment, step, job, settings, mark, owner_of(deployment, JOB_UID))
    pod["spec"]["containers"][0]["command"][-1] = JOB
    return {
        "apiVersion": "v1",
        "kind": "PodTemplate",
        "metadata": {key: pod["metadata"][key] for key in ("name", "namespace", "labels")},
        "template": {key: pod[key] for key in ("metadata", "spec")},
    }


def _head(version: str, kind: str, settings: KubernetesSettings) -> dict[str, Any]:
    metadata = {
        "name": CONTROLLER,
        "namespace": settings.kubernetes_namespace,
        "labels": {**common_labels("controller"), **settings.labels},
        # What names a run has no meaning on what all runs share.
        "annotations": {key: text for key, text in settings.annotations.items() if "${" not in text},
    }
    return {"apiVersion": version, "kind": kind, "metadata": said(metadata)}

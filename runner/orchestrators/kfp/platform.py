"""What Kubernetes alone understands of a step: the second document beside Kubeflow's. Pure.

The format is `kubernetes_executor_config.proto` of the package kfp-kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runner.orchestrators.container import PIPELINE, STEP
from runner.orchestrators.kfp.names import task_names
from runner.orchestrators.labels import labels
from runner.orchestrators.quantities import size
from runner.plan.deployment import DeployedStep, Deployment
from runner.plan.secrets import secret_names, secret_variable

SHM, SHM_PATH = "runner-shm", "/dev/shm"  # noqa: S108  (the kernel's, not a temporary file)


def platform_document(
    deployment: Deployment, *, gpu_resource: str, gpu_type_label: str, pull_secrets: Iterable[str]
) -> dict[str, Any]:
    """The document, empty where there is nothing to say."""
    names, pull_secrets = task_names(deployment.steps, deployment.pipeline), list(pull_secrets)
    found = {
        f"exec-{names[step.name]}": _said(
            {
                "secretAsEnv": _secrets(deployment, step),
                "nodeSelector": _said({"labels": _node_selector(step, gpu_type_label)}),
                "tolerations": _tolerations(step, gpu_resource),
                "podMetadata": _metadata(deployment, step),
                "imagePullPolicy": step.settings.get("image_pull_policy"),
                "imagePullSecret": [_secret(name) for name in pull_secrets],
                "pvcMount": [_claim(each) for each in _volumes(step, "persistent_volume_claim")],
                "secretAsVolume": [_files(each, "secret") for each in _volumes(step, "secret")],
                "configMapAsVolume": [_files(each, "configMap") for each in _volumes(step, "config_map")],
                "emptyDirMounts": [*_shm(step.resources), *_empty(step)],
            }
        )
        for step in deployment.steps.values()
    }
    executors = _said(found)
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}} if executors else {}


def _secrets(deployment: Deployment, step: DeployedStep) -> list[dict[str, Any]]:
    """References to the Secret's keys; a key that is missing keeps no pod from starting: the worker says which."""
    store = deployment.secret_store
    if store.get("flavor") != "kubernetes":
        return []
    used = secret_names([step.parameters, step.environment, deployment.artifact_store])
    keys = [{"secretKey": name, "envVar": secret_variable(name)} for name in used]
    return [{**_secret(store["secret"]), "keyToEnv": keys, "optional": True}] if keys else []


def _secret(name: str) -> dict[str, Any]:
    """A Secret's name as engines of today read it, and as those before them did."""
    return {"secretName": name, "secretNameParameter": {"runtimeValue": {"constant": name}}}


def _node_selector(step: DeployedStep, gpu_type_label: str) -> dict[str, str]:
    kind = step.resources.get("gpu_type")
    return {**step.settings.get("node_selectors", {}), **({gpu_type_label: kind} if kind else {})}


def _tolerations(step: DeployedStep, gpu_resource: str) -> list[dict[str, Any]]:
    """Nodes with accelerators are often kept for those who ask for them, by a taint of the resource's name."""
    given = [_said(each) for each in step.settings.get("tolerations", ())]
    for each in given:
        if "tolerationSeconds" in each:
            each["tolerationSeconds"] = str(each["tolerationSeconds"])  # 64 bits are text in a protobuf's JSON
    taint = {"key": gpu_resource, "operator": "Exists", "effect": "NoSchedule"}
    return [taint, *given] if step.resources.get("gpu_count") else given


def _metadata(deployment: Deployment, step: DeployedStep) -> dict[str, Any]:
    """By what a pod is found; which run it belongs to Kubeflow's own label says, since a document serves many."""
    made, originals = labels({PIPELINE: deployment.pipeline, STEP: step.name})
    return _said(
        {
            "labels": made | step.settings.get("labels", {}),
            "annotations": originals | step.settings.get("annotations", {}),
        }
    )


def _shm(resources: Mapping[str, Any]) -> list[dict[str, str]]:
    if not resources.get("shm"):
        return []
    return [{"volumeName": SHM, "mountPath": SHM_PATH, "medium": "Memory", "sizeLimit": size(resources["shm"])}]


def _volumes(step: DeployedStep, kind: str) -> list[dict[str, Any]]:
    return [each for each in step.settings.get("volumes", ()) if each.get(kind) is not None]


def _claim(volume: Mapping[str, Any]) -> dict[str, Any]:
    name = volume["persistent_volume_claim"]
    found = {"constant": name, "pvcNameParameter": {"runtimeValue": {"constant": name}}}
    return _said({**found, "mountPath": volume["mount_path"], "subPath": volume.get("sub_path")})


def _files(volume: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A Secret's or a ConfigMap's keys as files; one that is missing keeps the pod from starting unless it is said that
    it need not be there."""
    name = volume["secret" if kind == "secret" else "config_map"]
    found = {f"{kind}Name": name, f"{kind}NameParameter": {"runtimeValue": {"constant": name}}}
    return {**found, "mountPath": volume["mount_path"], "optional": bool(volume.get("optional"))}


def _empty(step: DeployedStep) -> list[dict[str, str]]:
    return [
        {"volumeName": f"empty-{number}", "mountPath": each["mount_path"], "sizeLimit": size(each["empty_dir"])}
        for number, each in enumerate(_volumes(step, "empty_dir"), 1)
    ]


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, [], {}, "")}

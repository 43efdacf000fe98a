"""The kubeflow flavor: one compiled document, walked by Kubeflow Pipelines."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from runner import integrations
from runner.checks import Check
from runner.orchestrators.base import Bundle, Capabilities, Refusal, Support, Traits
from runner.orchestrators.cluster import cluster_checks
from runner.orchestrators.fields import (
    LABEL_VALUE,
    Annotations,
    LabelKey,
    Labels,
    Namespace,
    ServiceAccount,
    Text,
    Tolerations,
    Url,
    at_least_one,
    together,
)
from runner.orchestrators.kfp.document import pipeline_document, refusals
from runner.orchestrators.kfp.platform import platform_document
from runner.orchestrators.pending import PendingOrchestrator
from runner.orchestrators.quantities import LARGEST
from runner.orchestrators.unreachable import kept_here, of_another_namespace, on_this_machine
from runner.plan.deployment import DeployedStep, Deployment
from runner.plan.secrets import REFERENCE, secret_names
from runner.spec.common import SecretReference, Spec, Strings, rule

RETRYING = 30 * 86400
"""Seconds after its first attempt in which a task is tried again: Argo takes any number, and needs one."""


class KubeflowSettings(Spec):
    """Kubeflow Pipelines walks the DAG; each step is a pod of its cluster."""

    model_config = ConfigDict(
        json_schema_extra=at_least_one("kubeflow_hostname", "kubernetes_context")
        | {"allOf": together("username", "password")}
    )

    kubeflow_hostname: Url | None = Field(
        None, description="The address of Kubeflow Pipelines' API, as in https://kubeflow.example.com/pipeline."
    )
    kubernetes_context: Text | None = Field(
        None, description="The context of your kubeconfig whose cluster runs Kubeflow; its API is reached through it."
    )
    kubeflow_namespace: Namespace = Field(
        "kubeflow", description="The namespace that Kubeflow Pipelines runs in, as in kubeflow."
    )
    user_namespace: Namespace | None = Field(
        None, description="The namespace that runs belong to, where Kubeflow serves several users, as in ml-team."
    )
    experiment: Text | None = Field(
        None, description="The experiment that runs belong to, made when missing; the pipeline's name when left out."
    )
    synchronous: bool = Field(True, description="Follow the run to its end; false returns when it has been started.")
    username: Text | None = Field(None, description="Who logs in, where Kubeflow asks for a password.")
    password: SecretReference | None = Field(None, description="The password, as ${secrets.NAME}.")
    token: SecretReference | None = Field(None, description="A bearer token, as ${secrets.NAME}.")
    service_account_name: ServiceAccount | None = Field(
        None, description="What the steps' pods log in as; Kubeflow's own when left out."
    )
    image_pull_secrets: Strings = Field((), description="Names of Secrets that nodes log in to registries with.")
    gpu_resource: LabelKey = Field("nvidia.com/gpu", description="What nodes call their accelerators.")
    gpu_type_label: LabelKey = Field(
        "nvidia.com/gpu.product", description="The label of nodes that `gpu_type` is looked up in."
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.kubeflow_hostname is None and self.kubernetes_context is None:
            raise rule(
                "missing-key",
                "it is not said where Kubeflow is: there is neither 'kubeflow_hostname' nor 'kubernetes_context'",
                "add one of them: the address of its API, or the context of the cluster that it runs in",
            )
        if (self.username is None) != (self.password is None):
            there, missing = ("password", "username") if self.username is None else ("username", "password")
            raise rule("missing-key", f"'{there}' is of no use without '{missing}'", f"add '{missing}'", there)
        return self


class KubeflowStepSettings(Spec):
    """How one step's pod is made."""

    node_selectors: Labels = Field({}, description="Labels of the nodes that the pod may run on.")
    tolerations: Tolerations = Field((), description="Taints that the pod may run in spite of.")
    labels: Labels = Field({}, description="Further labels of the pod.")
    annotations: Annotations = Field({}, description="Annotations of the pod.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None, description="When nodes ask the registry for the step's image; Kubernetes' own rule when left out."
    )


class KubeflowOrchestrator(PendingOrchestrator):
    """Runs pipelines on Kubeflow Pipelines; needs a cluster that has it."""

    flavor = "kubeflow"
    Settings = KubeflowSettings
    StepSettings = KubeflowStepSettings
    remote = True
    needs_image = True
    compiles = True
    serves_many = True
    on_failure = ("fail_fast",)  # Argo's way with a DAG, which Kubeflow leaves at its default
    traits = Traits("Kubeflow", "many machines", "the cluster's", "Kubeflow")
    capabilities = Capabilities(
        schedule=Support.NATIVE,
        retry=Support.NATIVE,
        timeout=Support.WORKER,  # its documents have no word for it
        cpu=Support.NATIVE,
        memory=Support.NATIVE,
        gpu=Support.NATIVE,
        disk=Support.NO,  # its documents have no word for it
        shm=Support.NATIVE,  # a volume in memory, of the Kubernetes part of its documents
        parallel=Support.NATIVE,
        foreach=Support.NATIVE,
        when=Support.NATIVE,
        expand=Support.NO,  # its graph is fixed when a run starts
        cancel=Support.NATIVE,
        logs=Support.WORKER,  # its API gives no logs; the worker leaves them in the artifact store
    )

    def refusals(self, steps: Iterable[DeployedStep], project: str) -> Iterator[Refusal]:
        """Numbers and texts that its documents have no room for, and what is said twice."""
        steps = list(steps)
        yield from refusals(steps, RETRYING, whole=True)
        for step in steps:
            yield from _of_resources(step, self.settings.gpu_type_label)
            for name, text in step.settings.get("annotations", {}).items():
                if REFERENCE.search(text):
                    message = f"step '{step.name}' sets the annotation '{name}' to what is known only when it runs"
                    path = ("steps", step.name, "settings", self.flavor, "annotations", name)
                    yield Refusal(path, "cannot-honour", message, "leave the reference out")

    def beside(self, steps: Iterable[DeployedStep], components: Mapping[str, Mapping[str, Any]]) -> Iterator[Refusal]:
        """What pods cannot have from where the stack keeps it."""
        yield from on_this_machine(components, "pod")
        yield from of_another_namespace(components, self.settings.user_namespace or self.settings.kubeflow_namespace)
        yield from kept_here(steps, components, "pod", "{flavor: kubernetes, secret: NAME}")

    def compile(self, deployment: Deployment) -> Bundle:
        """The pipeline's document, and in the same file what Kubernetes alone understands of it."""
        settings = self.settings
        pipeline = pipeline_document(deployment, lambda step: settings.gpu_resource, RETRYING)
        platform = platform_document(
            deployment,
            gpu_resource=settings.gpu_resource,
            gpu_type_label=settings.gpu_type_label,
            pull_secrets=settings.image_pull_secrets,
        )
        documents = {"pipeline.yaml": (pipeline, platform) if platform else pipeline}
        return Bundle(deployment.run_id, self.flavor, documents, deployment)

    def checks(self, secret: Callable[[str], str]) -> Iterator[Check]:
        """The SDK, and the cluster or the address that Kubeflow is reached by."""
        from runner.orchestrators.service import service_check  # not where stacks are only read

        if self.settings.kubernetes_context is not None:
            yield from cluster_checks("kubeflow", self.settings.kubernetes_context, self.settings.kubeflow_namespace)
        else:
            yield integrations.sdk("kubeflow")
        if self.settings.kubeflow_hostname is not None:
            token = secret(secret_names(self.settings.token)[0]) if self.settings.token else None
            url = f"{self.settings.kubeflow_hostname.rstrip('/')}/apis/v2beta1/healthz"
            yield service_check("Kubeflow", url, token, "look at kubeflow_hostname, and at `token` of the stack")


def _of_resources(step: DeployedStep, gpu_type_label: str) -> Iterator[Refusal]:
    path, resources = ("steps", step.name, "resources"), step.resources
    shm, kind = resources.get("shm") or 0, resources.get("gpu_type")
    for name, count in (("memory", (resources.get("memory") or 0) + shm), ("shm", shm)):
        if count > LARGEST:
            message = f"step '{step.name}' sets {name} to more than a quantity of Kubernetes can hold"
            yield Refusal((*path, name), "cannot-honour", message, "ask for less than 8EiB")
    if kind and not LABEL_VALUE.fullmatch(kind):
        help = "it is looked up as a label of nodes: letters, digits, '-', '_' and '.', at most 63"
        message = f"step '{step.name}' sets gpu_type '{kind}', which cannot be the value of a label in Kubernetes"
        yield Refusal((*path, "gpu_type"), "bad-label", message, help)
    if kind and gpu_type_label in step.settings.get("node_selectors", {}):
        message = f"step '{step.name}' sets gpu_type beside node_selectors, which set the label '{gpu_type_label}'"
        yield Refusal((*path, "gpu_type"), "said-twice", message, "leave one of them out")

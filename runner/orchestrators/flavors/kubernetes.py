"""The kubernetes flavor: each step is a pod; the DAG is walked by a Job inside the cluster."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

from collections.abc import Callable, Iterator
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from runner.checks import Check
from runner.orchestrators.base import Capabilities, Support, Traits
from runner.orchestrators.cluster import cluster_checks
from runner.orchestrators.fields import (
    Annotations,
    LabelKey,
    Labels,
    MaxParallel,
    Namespace,
    ServiceAccount,
    Text,
    Tolerations,
    given,
)
from runner.orchestrators.pending import PendingOrchestrator
from runner.spec.common import Duration, Spec, Strings, rule

_IN_CLUSTER: Any = {"required": ["incluster"], "properties": {"incluster": {"const": True}}}


class KubernetesSettings(Spec):
    """Each step is a pod of its own; the run goes on in the cluster when the machine that started it leaves."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [given("kubernetes_context"), _IN_CLUSTER],
            "not": {"allOf": [given("kubernetes_context"), _IN_CLUSTER]},
        }
    )

    kubernetes_context: Text | None = Field(
        None, description="The context of your kubeconfig that leads to the cluster."
    )
    kubernetes_namespace: Namespace = Field("default", description="The namespace that steps run in, as in ml-team.")
    incluster: bool = Field(False, description="Use the cluster that this process runs in, instead of a context.")
    service_account_name: ServiceAccount | None = Field(
        None, description="What the run's controller logs in as; one with the rights it needs is made when left out."
    )
    max_parallel: MaxParallel = Field(100, description="How many pods of a run there are at a time.")
    synchronous: bool = Field(True, description="Follow the run to its end; false returns when it has been started.")
    startup_timeout: Duration = Field(
        600.0,
        description="How long a pod may wait for a node and its image before its attempt counts as failed.",
        json_schema_extra={"default": "10m"},
    )
    ttl_after_finished: Duration = Field(
        86400.0, description="How long finished pods and Jobs are kept.", json_schema_extra={"default": "1d"}
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="When nodes ask the registry for a step's image."
    )
    image_pull_secrets: Strings = Field((), description="Names of Secrets that nodes log in to registries with.")
    labels: Labels = Field({}, description="Further labels of everything that a run makes.")
    annotations: Annotations = Field({}, description="Annotations of everything that a run makes.")
    gpu_resource: LabelKey = Field("nvidia.com/gpu", description="What nodes call their accelerators.")
    gpu_type_label: LabelKey = Field(
        "nvidia.com/gpu.product", description="The label of nodes that `gpu_type` is looked up in."
    )

    @model_validator(mode="after")
    def _one_cluster(self) -> Self:
        if self.kubernetes_context is None and not self.incluster:
            raise rule(
                "missing-key",
                "it is not said which cluster: there is neither 'kubernetes_context' nor 'incluster: true'",
                "add kubernetes_context; `kubectl config get-contexts` lists yours",
            )
        if self.kubernetes_context is not None and self.incluster:
            raise rule(
                "two-of-one",
                "'kubernetes_context' and 'incluster: true' name two clusters",
                "leave one of them out",
                "incluster",
            )
        return self


class KubernetesStepSettings(Spec):
    """How one step's pod is made."""

    pod: dict[str, Any] = Field({}, description="Fields of Kubernetes' own pod spec, merged into the step's pod.")
    node_selectors: Labels = Field({}, description="Labels of the nodes that the pod may run on.")
    tolerations: Tolerations = Field((), description="Taints that the pod may run in spite of.")
    affinity: dict[str, Any] = Field({}, description="Kubernetes' own affinity rules.")
    labels: Labels = Field({}, description="Further labels of the pod.")
    annotations: Annotations = Field({}, description="Annotations of the pod.")
    service_account_name: ServiceAccount | None = Field(None, description="What the step's pod logs in as.")
    priority_class_name: ServiceAccount | None = Field(None, description="The pod's priority class.")
    startup_timeout: Duration | None = Field(
        None, description="How long the pod may wait for a node and its image; the stack's when left out."
    )


class KubernetesOrchestrator(PendingOrchestrator):
    """Runs each step as a pod; needs a cluster, and no server of runner's own."""

    flavor = "kubernetes"
    Settings = KubernetesSettings
    StepSettings = KubernetesStepSettings
    remote = True
    traits = Traits("a cluster", "many machines", "the cluster's", "runner, kubectl")
    capabilities = Capabilities(
        schedule=Support.NATIVE,  # a CronJob
        retry=Support.CONTROLLER,
        timeout=Support.NATIVE,  # activeDeadlineSeconds
        cpu=Support.NATIVE,
        memory=Support.NATIVE,
        gpu=Support.NATIVE,
        disk=Support.NATIVE,  # ephemeral-storage
        shm=Support.NATIVE,  # an emptyDir in memory
        parallel=Support.CONTROLLER,
        foreach=Support.CONTROLLER,
        when=Support.CONTROLLER,
        expand=Support.CONTROLLER,
        cancel=Support.NATIVE,  # the Job owns all that it made
        logs=Support.NATIVE,
    )

    def checks(self, secret: Callable[[str], str]) -> Iterator[Check]:
        """The SDK, the cluster, and the namespace in it."""
        yield from cluster_checks("kubernetes", self.settings.kubernetes_context, self.settings.kubernetes_namespace)

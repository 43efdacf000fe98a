"""The kubeflow flavor: one compiled document, walked by Kubeflow Pipelines."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

from collections.abc import Callable, Iterator
from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from runner import integrations
from runner.checks import Check
from runner.orchestrators.base import Capabilities, Support, Traits
from runner.orchestrators.cluster import cluster_checks
from runner.orchestrators.fields import (
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
from runner.orchestrators.pending import PendingOrchestrator
from runner.plan.secrets import secret_names
from runner.spec.common import SecretReference, Spec, rule


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

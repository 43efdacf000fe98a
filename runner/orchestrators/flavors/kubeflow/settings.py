"""What a stack and a step may set of Kubeflow Pipelines."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from runner.orchestrators.fields import (
    INTERPOLATION,
    Annotations,
    LabelKey,
    Labels,
    Namespace,
    Object,
    ServiceAccount,
    Text,
    Tolerations,
    Url,
    at_least_one,
    given,
    together,
)
from runner.spec.common import Memory, SecretReference, Spec, Strings, rule

_ENCRYPTED = {"anyOf": [INTERPOLATION, {"pattern": "^https:"}, {"type": "null"}]}


class KubeflowSettings(Spec):
    """Kubeflow Pipelines walks the DAG; each step is a pod of its cluster."""

    model_config = ConfigDict(
        json_schema_extra=at_least_one("kubeflow_hostname", "kubernetes_context")
        | {
            "allOf": [
                *together("username", "password"),
                {"not": given("username", "token")},
                {"if": at_least_one("username", "token", "ca_certificate"), "then": given("kubeflow_hostname")},
                {"if": given("ca_certificate"), "then": {"properties": {"kubeflow_hostname": _ENCRYPTED}}},
            ]
        }
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
    username: Text | None = Field(
        None, description="Who logs in, where Kubeflow asks for a password, as in ada@example.com."
    )
    password: SecretReference | None = Field(None, description="The password, as ${secrets.NAME}.")
    token: SecretReference | None = Field(None, description="A bearer token, as ${secrets.NAME}.")
    ca_certificate: Text | None = Field(
        None,
        description="A file with the certificates that Kubeflow's address is trusted by; the system's when left out.",
    )
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
        if self.username is not None and self.token is not None:
            raise rule("two-logins", "username and token are two ways to log in", "write one of them", "token")
        if self.ca_certificate is not None and (self.kubeflow_hostname or "").startswith("http:"):
            raise rule(
                "cannot-combine",
                "'ca_certificate' is of no use at an address with http://, which shows no certificate",
                "leave it out, or write https://…",
                "ca_certificate",
            )
        for field in ("username", "token", "ca_certificate"):
            if self.kubeflow_hostname is None and getattr(self, field) is not None:
                raise rule(
                    "cannot-combine",
                    f"'{field}' is for the address kubeflow_hostname; the way by kubernetes_context logs in as the "
                    "kubeconfig says",
                    f"leave '{field}' out, or add kubeflow_hostname",
                    field,
                )
        return self


_KINDS = ("persistent_volume_claim", "secret", "config_map", "empty_dir")
_OF_ONE_KIND: dict[str, Any] = {
    "oneOf": [given(kind) for kind in _KINDS],
    "allOf": [
        {"if": given("sub_path"), "then": given("persistent_volume_claim")},
        {"if": given("optional"), "then": at_least_one("secret", "config_map")},
    ],
}


class Volume(Spec):
    """Files that a step's container has beside its own: one of a claim, a Secret, a ConfigMap, or an empty folder."""

    model_config = ConfigDict(json_schema_extra=_OF_ONE_KIND)

    mount_path: Annotated[str, Field(pattern="^/[^: ]*$")] = Field(description="Where it is in the container: /data.")
    persistent_volume_claim: Object | None = Field(None, description="A claim of the namespace, by its name.")
    sub_path: Text | None = Field(None, description="The folder of the claim to begin with; its root when left out.")
    secret: Object | None = Field(None, description="A Secret of the namespace: a file for each of its keys.")
    config_map: Object | None = Field(None, description="A ConfigMap of the namespace: a file for each of its keys.")
    optional: bool | None = Field(
        None, description="Whether the step may run where that Secret or ConfigMap is missing."
    )
    empty_dir: Memory | None = Field(None, description="An empty folder on the node's disk, of so much: 10GB.")

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        kinds = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            told = "is said to be several things at once" if kinds else "is not said to be anything"
            raise rule("cannot-combine" if kinds else "missing-key", f"the volume at '{self.mount_path}' {told}",
                       f"write one of {', '.join(_KINDS)}", kinds[1] if kinds else "")  # fmt: skip
        if self.sub_path is not None and kinds != ["persistent_volume_claim"]:
            raise rule("cannot-combine", "only a persistent_volume_claim has a sub_path", "leave it out", "sub_path")
        if self.optional is not None and kinds[0] not in ("secret", "config_map"):
            raise rule("cannot-combine", "only a secret or a config_map can be optional", "leave it out", "optional")
        return self


class KubeflowStepSettings(Spec):
    """How one step's pod is made."""

    node_selectors: Labels = Field({}, description="Labels of the nodes that the pod may run on.")
    tolerations: Tolerations = Field((), description="Taints that the pod may run in spite of.")
    volumes: Annotated[tuple[Volume, ...], Field(strict=False)] = Field(
        (), description="Claims, Secrets, ConfigMaps and empty folders that the step's container has."
    )
    labels: Labels = Field({}, description="Further labels of the pod.")
    annotations: Annotations = Field({}, description="Annotations of the pod.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = Field(
        None, description="When nodes ask the registry for the step's image; Kubernetes' own rule when left out."
    )

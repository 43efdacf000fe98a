"""What a stack and a step may write about the kubernetes flavor."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, core_schema

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
from runner.orchestrators.flavors.kubernetes.pod_schema import json_schema, wrong
from runner.orchestrators.labels import OURS
from runner.orchestrators.quantities import LONGEST
from runner.plan.secrets import secret_names
from runner.spec.common import Duration, Spec, Strings, rule

_IN_CLUSTER: Any = {"required": ["incluster"], "properties": {"incluster": {"const": True}}}
_TWICE = {"service_account_name": "serviceAccountName", "priority_class_name": "priorityClassName"}


class _OfKubernetes(NamedTuple):
    """For a value of a type of Kubernetes': everything in it that is wrong is a problem of its own."""

    kind: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return json_schema(self.kind)

    def check(self, value: dict[str, Any]) -> dict[str, Any]:
        """The same value. Raises ValidationError."""
        if not value:
            return value
        if problems := [
            InitErrorDetails(type=rule(each.code, each.message, each.help, each.key), loc=each.path, input=value)
            for each in wrong(value, self.kind)
        ]:
            raise ValidationError.from_exception_data(self.kind, problems)
        return value


def _not_ours(facts: dict[str, str]) -> dict[str, str]:
    if secret := [name for name, text in facts.items() if secret_names(text)]:
        help = "whoever reads the cluster's objects would read it, too: leave it out"
        raise rule("secret-in-a-manifest", "no secret's value stands in a manifest", help, secret[0])
    if taken := [name for name in facts if name.startswith(OURS)]:
        message = f"labels and annotations that begin with '{OURS}' are set by runner"
        raise rule("set-by-runner", message, "take another prefix, as in example.com/team", taken[0])
    return facts


def _in_seconds(duration: float) -> float:
    if duration > LONGEST:
        raise rule("out-of-range", "Kubernetes counts seconds in 32 bits", f"it can be {LONGEST // 86400}d at most")
    return duration


Pod = Annotated[dict[str, Any], _OfKubernetes("PodSpec")]
Affinity = Annotated[dict[str, Any], _OfKubernetes("Affinity")]
OwnLabels = Annotated[Labels, AfterValidator(_not_ours)]
OwnAnnotations = Annotated[Annotations, AfterValidator(_not_ours)]
Seconds = Annotated[Duration, AfterValidator(_in_seconds)]


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
    controller_image: Text | None = Field(
        None,
        description="A ready image for the run's controller, with runner and its extras for kubernetes and the "
        "artifact store; runner-controller in the stack's registry when left out.",
    )
    max_parallel: MaxParallel = Field(100, description="How many pods of a run there are at a time.")
    synchronous: bool = Field(True, description="Follow the run to its end; false returns when it has been started.")
    startup_timeout: Seconds = Field(
        600.0,
        description="How long a pod may wait for a node and its image before its attempt counts as failed.",
        json_schema_extra={"default": "10m"},
    )
    ttl_after_finished: Seconds = Field(
        86400.0, description="How long finished pods and Jobs are kept.", json_schema_extra={"default": "1d"}
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="When nodes ask the registry for a step's image."
    )
    image_pull_secrets: Strings = Field((), description="Names of Secrets that nodes log in to registries with.")
    labels: OwnLabels = Field({}, description="Further labels of everything that a run makes.")
    annotations: OwnAnnotations = Field({}, description="Annotations of everything that a run makes.")
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

    pod: Pod = Field(
        {}, description="Fields of Kubernetes' own pod spec, as its manifests spell them, merged into the step's pod."
    )
    node_selectors: Labels = Field({}, description="Labels of the nodes that the pod may run on.")
    tolerations: Tolerations = Field((), description="Taints that the pod may run in spite of.")
    affinity: Affinity = Field({}, description="Kubernetes' own affinity rules.")
    labels: OwnLabels = Field({}, description="Further labels of the pod.")
    annotations: OwnAnnotations = Field({}, description="Annotations of the pod.")
    service_account_name: ServiceAccount | None = Field(None, description="What the step's pod logs in as.")
    priority_class_name: ServiceAccount | None = Field(None, description="The pod's priority class.")
    startup_timeout: Seconds | None = Field(
        None, description="How long the pod may wait for a node and its image; the stack's when left out."
    )

    @model_validator(mode="after")
    def _said_once(self) -> Self:
        for field, other in _TWICE.items():
            if getattr(self, field) is not None and self.pod.get(other) is not None:
                message = f"'{field}' and pod.{other} say the same thing: one of the two would be dropped"
                raise rule("said-twice", message, "leave one of them out", field)
        return self

"""The kubernetes flavor's orchestrator: what a cluster can give, and the manifests of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from runner.checks import Check
from runner.orchestrators.base import Bundle, Capabilities, Refusal, Support, Traits
from runner.orchestrators.cluster import cluster_checks
from runner.orchestrators.flavors.kubernetes import refusals
from runner.orchestrators.flavors.kubernetes.manifests import documents
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings, KubernetesStepSettings
from runner.orchestrators.pending import PendingOrchestrator
from runner.plan.deployment import DeployedStep, Deployment


class KubernetesOrchestrator(PendingOrchestrator):
    """Runs each step as a pod; needs a cluster, and no server of runner's own."""

    flavor = "kubernetes"
    Settings = KubernetesSettings
    StepSettings = KubernetesStepSettings
    remote = True
    needs_image = True
    compiles = True
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

    def refusals(self, steps: Iterable[DeployedStep], project: str) -> Iterator[Refusal]:
        """Numbers and names that Kubernetes has no room for, and what is said twice."""
        yield from refusals.of_steps(steps, self.settings)

    def beside(self, steps: Iterable[DeployedStep], components: Mapping[str, Mapping[str, Any]]) -> Iterator[Refusal]:
        """Secrets that pods cannot have from where the stack keeps them."""
        yield from refusals.of_secrets(steps, components, self.settings.kubernetes_namespace)

    def checks(self, secret: Callable[[str], str]) -> Iterator[Check]:
        """The SDK, the cluster, and the namespace in it."""
        yield from cluster_checks("kubernetes", self.settings.kubernetes_context, self.settings.kubernetes_namespace)

    def compile(self, deployment: Deployment) -> Bundle:
        """All manifests of a run: file name → object."""
        return Bundle(deployment.run_id, self.flavor, documents(deployment, self.settings), deployment)

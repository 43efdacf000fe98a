"""The kubernetes flavor's orchestrator: what a cluster can give, the manifests of a run, and the way that it goes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any

from runner.checks import Check
from runner.orchestrators.base import (
    BaseOrchestrator,
    Bundle,
    Capabilities,
    Refusal,
    StackLike,
    Submission,
    Support,
    Traits,
)
from runner.orchestrators.cluster_api import Cluster, connect
from runner.orchestrators.container import mark_of
from runner.orchestrators.flavors.kubernetes import access, probe, refusals, rights, submitting
from runner.orchestrators.flavors.kubernetes.launcher import PodLauncher
from runner.orchestrators.flavors.kubernetes.manifests import ADDRESS_VARIABLE, JOB_UID_VARIABLE, documents, owner_of
from runner.orchestrators.flavors.kubernetes.names import job_name, pod_prefix
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings, KubernetesStepSettings
from runner.orchestrators.flavors.kubernetes.watching import Watching, is_end, past, since_handed_over
from runner.orchestrators.unreachable import on_this_machine
from runner.orchestrators.walk import walk
from runner.plan.changes import Change
from runner.plan.deployment import DeployedStep, Deployment
from runner.records import Event, LogLines


class KubernetesOrchestrator(BaseOrchestrator):
    """Runs each step as a pod; needs a cluster, and no server of runner's own."""

    flavor = "kubernetes"
    Settings = KubernetesSettings
    StepSettings = KubernetesStepSettings
    remote = True
    needs_image = True
    detaches = True
    controller_needs = ("urllib3>=1.26",)  # from inside a cluster is reached without Kubernetes' SDK
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
        """Stores and secrets that pods cannot have from where the stack keeps them."""
        yield from on_this_machine(components, "pod")
        yield from refusals.of_secrets(steps, components, self.settings.kubernetes_namespace)

    def checks(self, secret: Callable[[str], str]) -> Iterator[Check]:
        """The SDK, the cluster, the namespace, and rights in it."""
        yield from rights.checks(self.settings)

    def inside(self, components: Mapping[str, Mapping[str, Any]], image: str | None) -> Iterator[Check]:
        """One pod pulls an image and opens the artifact store."""
        yield from probe.inside(self.settings, components, image)

    def provision(self, dry_run: bool) -> Iterator[Change]:
        """What controllers log in as, and what that may do."""
        yield from access.provision(self.settings, dry_run=dry_run)

    def compile(self, deployment: Deployment) -> Bundle:
        """All manifests of a run: file name → object."""
        return Bundle(deployment.run_id, self.flavor, documents(deployment, self.settings), deployment)

    def submit(self, bundle: Bundle, stack: StackLike) -> Submission:
        """See to the controller's account, and make the run's Job: the rest happens in the cluster."""
        with closing(self._cluster()) as cluster:
            return submitting.submit(cluster, bundle.deployment, self.settings, again=stack.done is not None)

    def watch(self, submission: Submission, stack: StackLike) -> Iterator[Event | LogLines]:
        """What the controller tells, and what the pods of steps print; a run that has ended from its ledger alone."""
        run_id, ledger = submission.run_id, stack.ledger
        events = since_handed_over(ledger.events(run_id) or ())
        if is_end(events):
            yield from past(events, ledger, run_id)
            return
        mark = mark_of(run_id, ledger.settings)
        with closing(self._cluster()) as cluster:
            watching = Watching(cluster, ledger, run_id, _job(submission, stack), mark, self.settings)
            yield from watching.run(events)

    def logs(self, submission: Submission, step: str, stack: StackLike) -> Iterator[str]:
        """Of the pod while it is there, then of the ledger."""
        with closing(self._cluster()) as cluster:
            text = submitting.printed(cluster, mark_of(submission.run_id, stack.ledger.settings), step)
        if text is None:
            yield from super().logs(submission, step, stack)
        else:
            yield from text.splitlines()

    def cancel(self, submission: Submission, stack: StackLike) -> None:
        """A live controller is asked through the ledger; this deletes the Job, and with it all that it owns."""
        with closing(self._cluster()) as cluster:
            submitting.remove(cluster, _job(submission, stack), mark_of(submission.run_id, stack.ledger.settings))

    def control(self, submission: Submission, stack: StackLike) -> Iterator[Event | LogLines]:
        """Walk the run from inside of its Job."""
        deployment = stack.ledger.deployment(submission.run_id)
        owner = owner_of(deployment, os.environ.get(JOB_UID_VARIABLE, ""))
        with closing(self._cluster()) as cluster:
            self.requests = cluster.calls
            address = os.environ.get(ADDRESS_VARIABLE, "")
            launcher = PodLauncher(cluster, deployment, stack.ledger, self.settings, owner, address)
            yield from walk(
                deployment, stack.ledger, launcher, max_parallel=self.settings.max_parallel, done=stack.done
            )

    def is_gone(self, deployment: Deployment, host: str) -> bool:
        """Whether the pod of this name has ended or is not there. One that a lost node is said to run is not gone."""
        job = job_name(deployment.run_id, deployment.pipeline, mark_of(deployment.run_id, deployment.artifact_store))
        if not host.startswith(pod_prefix(job)):
            return False
        with closing(self._cluster()) as cluster:
            pod = cluster.get("pods", host)
        return pod is None or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")

    def _cluster(self) -> Cluster:
        """In a controller the cluster around it, whatever the client called it."""
        inside = JOB_UID_VARIABLE in os.environ
        return connect(None if inside else self.settings.kubernetes_context, self.settings.kubernetes_namespace)


def _job(submission: Submission, stack: StackLike) -> str:
    """The name of a run's Job, also where nobody kept the handle."""
    if "job" in submission.handle:
        return str(submission.handle["job"])
    pipeline = stack.ledger.deployment(submission.run_id).pipeline
    return job_name(submission.run_id, pipeline, mark_of(submission.run_id, stack.ledger.settings))

"""The kubeflow flavor's orchestrator: what Kubeflow can give, the documents of a run, and the way that it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from runner.checks import Check
from runner.orchestrators.base import (
    BaseOrchestrator,
    Bundle,
    Capabilities,
    Refusal,
    Seen,
    StackLike,
    Submission,
    Support,
    Traits,
)
from runner.orchestrators.container import STEP
from runner.orchestrators.flavors.kubeflow import doctor, refusals, submitting
from runner.orchestrators.flavors.kubeflow.looking import Look
from runner.orchestrators.flavors.kubeflow.service import Service, connect
from runner.orchestrators.flavors.kubeflow.settings import KubeflowSettings, KubeflowStepSettings
from runner.orchestrators.follow import attempts_so_far
from runner.orchestrators.kfp.document import pipeline_document
from runner.orchestrators.kfp.platform import platform_document
from runner.orchestrators.labels import label_value
from runner.orchestrators.oversee import oversee, what_is_left
from runner.orchestrators.unreachable import kept_here, of_another_namespace, on_this_machine
from runner.plan.deployment import DeployedStep, Deployment
from runner.records import SUCCEEDED, Event, LogLines


class KubeflowOrchestrator(BaseOrchestrator):
    """Runs pipelines on Kubeflow Pipelines; needs a cluster that has it."""

    flavor = "kubeflow"
    Settings = KubeflowSettings
    StepSettings = KubeflowStepSettings
    remote = True
    needs_image = True
    detaches = True
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
        yield from refusals.of_steps(steps, self.settings.gpu_type_label)

    def beside(self, steps: Iterable[DeployedStep], components: Mapping[str, Mapping[str, Any]]) -> Iterator[Refusal]:
        """What pods cannot have from where the stack keeps it."""
        yield from on_this_machine(components, "pod")
        yield from of_another_namespace(components, self.settings.user_namespace or self.settings.kubeflow_namespace)
        yield from kept_here(steps, components, "pod", "{flavor: kubernetes, secret: NAME}")

    def compile(self, deployment: Deployment) -> Bundle:
        """The pipeline's document, and in the same file what Kubernetes alone understands of it."""
        settings = self.settings
        pipeline = pipeline_document(deployment, lambda step: settings.gpu_resource, refusals.RETRYING)
        platform = platform_document(
            deployment,
            gpu_resource=settings.gpu_resource,
            gpu_type_label=settings.gpu_type_label,
            pull_secrets=settings.image_pull_secrets,
        )
        documents = {"pipeline.yaml": (pipeline, platform) if platform else pipeline}
        return Bundle(deployment.run_id, self.flavor, documents, deployment)

    def checks(self, secret: Callable[[str], str]) -> Iterator[Check]:
        """The SDK, the cluster where the stack names one, the login, and whether Kubeflow's API answers."""
        yield from doctor.checks(self.settings, secret)

    def submit(self, bundle: Bundle, stack: StackLike) -> Submission:
        """Start the run; of one that is gone on with, what is left of it."""
        again, deployment = stack.done is not None, bundle.deployment
        known = attempts_so_far(deployment, stack) if again else {}
        left = what_is_left(deployment, stack.done)
        if not left.steps:
            return Submission(bundle.run_id, self.flavor, {"run": "", "known": known})
        documents = bundle.documents if left is deployment else self.compile(left).documents
        stack.ledger.write_blueprint(left)
        kubeflows_id = submitting.submit(
            self._service(stack), stack.ledger, deployment, documents, self.settings, again=again
        )
        return Submission(bundle.run_id, self.flavor, {"run": kubeflows_id, "known": known})

    def watch(self, submission: Submission, stack: StackLike) -> Iterator[Event | LogLines]:
        """What the steps leave in the ledger, and what Kubeflow says beside it."""
        deployment = stack.ledger.deployment(submission.run_id)
        look = self._look(submission, deployment, stack)
        stop = partial(self.cancel, submission, stack)
        printed = partial(self._printed, submission.handle.get("run") or "")
        known = submission.handle.get("known") or {}
        yield from oversee(deployment, stack, look, stop, known=known, look_closer=printed)

    def seen(self, submission: Submission, stack: StackLike) -> Seen | None:
        """What Kubeflow says of the run."""
        return self._look(submission, stack.ledger.deployment(submission.run_id), stack)()

    def cancel(self, submission: Submission, stack: StackLike) -> None:
        """Have Kubeflow end the run, and with it its pods."""
        service, ledger = self._service(stack), stack.ledger
        run = submission.handle.get("run") or submitting.last_of(service, ledger, ledger.deployment(submission.run_id))
        if run:
            service.terminate(run)

    def url(self, submission: Submission) -> str | None:
        """The run's page in Kubeflow's own interface, where that has an address."""
        host, run = self.settings.kubeflow_hostname, submission.handle.get("run")
        return f"{host.rstrip('/')}/#/runs/details/{run}" if host and run else None

    def _look(self, submission: Submission, deployment: Deployment, stack: StackLike) -> Callable[[], Seen]:
        run = submission.handle.get("run")
        if run == "":  # there was nothing left to do
            return lambda: Seen(SUCCEEDED)
        service = self._service(stack)
        return Look(service, run or submitting.last_of(service, stack.ledger, deployment))

    def _service(self, stack: StackLike) -> Service:
        return connect(self.settings, stack.secret)

    def _printed(self, run: str, step: str) -> str:
        """The command that shows what a step's pods print: by Kubeflow's own label, and by ours."""
        settings = self.settings
        where = f"-n {settings.user_namespace or settings.kubeflow_namespace}"
        context = f" --context {settings.kubernetes_context}" if settings.kubernetes_context else ""
        return f"kubectl logs {where}{context} -c main -l pipeline/runid={run},{STEP}={label_value(step)}"

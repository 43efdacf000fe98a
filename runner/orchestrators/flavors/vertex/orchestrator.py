"""The vertex flavor's orchestrator: what Vertex AI can give, the documents of a run, and the way that it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
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
from runner.orchestrators.flavors.vertex import doctor, machines, submitting
from runner.orchestrators.flavors.vertex.job import console_url, pipeline_job, root_of
from runner.orchestrators.flavors.vertex.reading import seen
from runner.orchestrators.flavors.vertex.regions import meant
from runner.orchestrators.flavors.vertex.service import Service, connect
from runner.orchestrators.flavors.vertex.settings import VertexSettings
from runner.orchestrators.follow import attempts_so_far
from runner.orchestrators.kfp.document import pipeline_document, refusals
from runner.orchestrators.kfp.names import pipeline_name
from runner.orchestrators.oversee import oversee, what_is_left
from runner.orchestrators.unreachable import kept_here, on_this_machine
from runner.plan.deployment import DeployedStep, Deployment
from runner.records import FAILED, SUCCEEDED, Event, LogLines

RETRYING = 3600
"""Seconds after its first attempt in which a task is tried again: an hour at most, as `pipeline_spec.proto` says of
`backoff_max_duration`."""
LOOK = 8.0  # seconds that one look waits for an answer; the next look follows anyway


class VertexOrchestrator(BaseOrchestrator):
    """Runs pipelines on Vertex AI; needs a Google Cloud project, and no machine of your own."""

    flavor = "vertex"
    Settings = VertexSettings
    remote = True
    needs_image = True
    detaches = True
    serves_many = True
    traits = Traits("Google Cloud project", "managed", "per use", "Google Cloud console")
    capabilities = Capabilities(
        schedule=Support.NATIVE,
        retry=Support.NATIVE,
        timeout=Support.WORKER,  # its documents have no word for it
        cpu=Support.NATIVE,
        memory=Support.NATIVE,
        gpu=Support.NATIVE,
        disk=Support.NO,  # each job has a disk of a fixed size
        shm=Support.NO,
        parallel=Support.NATIVE,
        foreach=Support.NATIVE,
        when=Support.NATIVE,
        expand=Support.NO,  # its graph is fixed when a run starts
        cancel=Support.NATIVE,
        logs=Support.WORKER,  # by the artifact store; Google's own are in another service, Cloud Logging
    )

    def refusals(self, steps: Iterable[DeployedStep], project: str) -> Iterator[Refusal]:
        """Machines that Vertex does not have, and what its documents have no room for."""
        steps = list(steps)
        yield from refusals(steps, RETRYING, whole=False)
        yield from machines.refusals(steps)

    def beside(self, steps: Iterable[DeployedStep], components: Mapping[str, Mapping[str, Any]]) -> Iterator[Refusal]:
        """Places that there are not: for jobs, for Vertex' own records, and for what Google's machines cannot reach."""
        if near := meant(self.settings.location):
            message = f"Vertex AI is in no region '{self.settings.location}'"
            yield Refusal(("orchestrator", "location"), "unknown-region", message, f"did you mean '{near}'?")
        yield from on_this_machine(components, "machine")
        yield from kept_here(steps, components, "machine", "{flavor: gcp, project: PROJECT}")
        if (components.get("secret_store") or {}).get("flavor") == "kubernetes":
            message = "no machine of Vertex is in a cluster, and only pods of one can be given its Secrets"
            help = "take one that they reach, as in secret_store: {flavor: gcp, project: PROJECT}"
            yield Refusal(("secret_store", "flavor"), "unreachable-secret", message, help)
        store = components.get("artifact_store") or {}
        here = store.get("flavor", "local") in ("local", "memory")  # which is refused as such
        if root_of(self.settings, store) is None and not here:
            message = "Vertex keeps records of its own in Cloud Storage, and it is not said where"
            help = "add pipeline_root: gs://BUCKET/FOLDER; with an artifact store of flavor gcs it can be left out"
            yield Refusal(("orchestrator", "pipeline_root"), "missing-key", message, help)

    def checks(self, secret: Callable[[str], str]) -> Iterator[Check]:
        """The SDK, credentials, and whether Vertex AI answers in this project and region."""
        yield from doctor.checks(self.settings)

    def compile(self, deployment: Deployment) -> Bundle:
        """The pipeline's document, and the job that runs it without that document."""
        accelerator = lambda step: str(step.resources.get("gpu_type"))  # noqa: E731
        documents = {
            "pipeline.yaml": pipeline_document(deployment, accelerator, RETRYING),
            "job.yaml": pipeline_job(deployment, self.settings),
        }
        return Bundle(deployment.run_id, self.flavor, documents, deployment)

    def submit(self, bundle: Bundle, stack: StackLike) -> Submission:
        """Create the run's job, or the next one of a run that is gone on with, which has what is left of it."""
        again, handle = stack.done is not None, {}
        if again:
            handle["known"] = attempts_so_far(bundle.deployment, stack)
            bundle = self.compile(what_is_left(bundle.deployment, stack.done))
            if not bundle.deployment.steps:
                return Submission(bundle.run_id, self.flavor, handle | {"job": ""})
        stack.ledger.write_blueprint(bundle.deployment)
        job = bundle.documents["job.yaml"] | {"pipelineSpec": bundle.documents["pipeline.yaml"]}
        with closing(connect(self.settings)) as service:
            name = submitting.submit(service, job, bundle.deployment, again=again)
        return Submission(bundle.run_id, self.flavor, {"job": name} | handle)

    def watch(self, submission: Submission, stack: StackLike) -> Iterator[Event | LogLines]:
        """What the run's steps leave in the ledger, and what Vertex says of those that left nothing."""
        deployment = stack.ledger.deployment(submission.run_id)
        with closing(connect(self.settings, LOOK)) as service:
            yield from oversee(
                deployment,
                stack,
                lambda: self._look(service, submission, deployment),
                lambda: self.cancel(submission, stack),
                known=submission.handle.get("known", {}),
            )

    def seen(self, submission: Submission, stack: StackLike) -> Seen:
        """What the run's job says right now; one that is not there has failed."""
        with closing(connect(self.settings, LOOK)) as service:
            return self._look(service, submission, stack.ledger.deployment(submission.run_id))

    def cancel(self, submission: Submission, stack: StackLike) -> None:
        """End the run's job. A job that has ended, or is not there, is left as it is."""
        with closing(connect(self.settings)) as service:
            deployment = stack.ledger.deployment(submission.run_id)
            submitting.cancel(service, deployment, submission.handle.get("job"))

    def url(self, submission: Submission) -> str | None:
        """The job's page in Google's console; None where nobody kept its name."""
        job = submission.handle.get("job")
        return console_url(job, self.settings) if job else None

    def _look(self, service: Service, submission: Submission, deployment: Deployment) -> Seen:
        name = submission.handle.get("job")
        if name == "":  # there was nothing left to do
            return Seen(SUCCEEDED)
        if name is None:
            name = next((each.name for each in reversed(submitting.jobs_of(service, deployment).values())), None)
        job = service.get(name) if name else None
        if job is None:
            which = f"job '{name.rpartition('/')[2]}' any more" if name else f"job of the run '{deployment.run_id}'"
            return Seen(FAILED, f"Vertex AI has no {which}: was it deleted?")
        return seen(job, (pipeline_name(deployment.pipeline), job.display_name, job.name.rpartition("/")[2]))

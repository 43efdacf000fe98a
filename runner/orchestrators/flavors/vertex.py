"""The vertex flavor: the document that Kubeflow walks, walked by Vertex AI Pipelines."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from runner import integrations
from runner.checks import Check
from runner.errors import nearest
from runner.orchestrators.base import Bundle, Capabilities, Refusal, Support, Traits
from runner.orchestrators.kfp.document import pipeline_document, refusals
from runner.orchestrators.kfp.names import pipeline_name
from runner.orchestrators.pending import PendingOrchestrator
from runner.orchestrators.unreachable import kept_here, on_this_machine
from runner.plan.deployment import DeployedStep, Deployment
from runner.spec.common import Spec, format_memory

RETRYING = 3600
"""Seconds after its first attempt in which a task is tried again: an hour at most, as `pipeline_spec.proto` says of
`backoff_max_duration`."""
MOST_CPUS, MOST_MEMORY = 96, 624 * 10**9
"""What a task may ask for: https://cloud.google.com/vertex-ai/docs/pipelines/machine-types."""
ACCELERATORS = (
    "NVIDIA_TESLA_P4",
    "NVIDIA_TESLA_P100",
    "NVIDIA_TESLA_T4",
    "NVIDIA_TESLA_V100",
    "NVIDIA_TESLA_A100",
    "NVIDIA_A100_80GB",
    "NVIDIA_L4",
    "NVIDIA_H100_80GB",
    "NVIDIA_H100_MEGA_80GB",
    "NVIDIA_H200_141GB",
    "NVIDIA_B200",
    "TPU_V2",
    "TPU_V3",
)
"""Some that Vertex has, to guess what was meant: which ones there are changes, and is another matter in each region."""
_ACCELERATOR = re.compile("(NVIDIA|TPU)_[A-Z0-9_]+")
_FAILURE = {"fail_fast": "PIPELINE_FAILURE_POLICY_FAIL_FAST", "continue": "PIPELINE_FAILURE_POLICY_FAIL_SLOW"}

LabelName = Annotated[str, Field(pattern="^[a-z][a-z0-9_-]{0,62}$")]
LabelText = Annotated[str, Field(pattern="^[a-z0-9_-]{0,63}$")]


class VertexSettings(Spec):
    """Vertex AI Pipelines walks the DAG; each step is a job on machines that Google gives and takes back."""

    project: Annotated[str, Field(pattern="^([a-z0-9.]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$")] = Field(
        description="The id of the Google Cloud project, as in my-project-123."
    )
    location: Annotated[str, Field(pattern="^[a-z]+-[a-z]+[0-9]+$")] = Field(
        description="The region that jobs run in, as in europe-west4."
    )
    pipeline_root: Annotated[str, Field(pattern="^gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/[^ ]*)?$")] | None = Field(
        None, description="Where Vertex keeps its own records, as in gs://bucket/folder; the artifact store's path."
    )
    service_account: Annotated[str, Field(pattern="^[^@ ]+@[^@ ]+[.]gserviceaccount[.]com$")] | None = Field(
        None, description="What steps log in as, as in ml@my-project-123.iam.gserviceaccount.com."
    )
    network: Annotated[str, Field(pattern="^projects/[^/ ]+/global/networks/[^/ ]+$")] | None = Field(
        None, description="The network that steps are peered with, as in projects/12345/global/networks/my-vpc."
    )
    encryption_spec_key_name: (
        Annotated[str, Field(pattern="^projects/[^/ ]+/locations/[^/ ]+/keyRings/[^/ ]+/cryptoKeys/[^/ ]+$")] | None
    ) = Field(
        None,
        description="The key that encrypts what Vertex keeps, as in projects/p/locations/l/keyRings/r/cryptoKeys/k.",
    )
    labels: dict[LabelName, LabelText] = Field({}, description="Further labels of each run, as Google Cloud has them.")
    synchronous: bool = Field(True, description="Follow the run to its end; false returns when it has been started.")


class VertexOrchestrator(PendingOrchestrator):
    """Runs pipelines on Vertex AI; needs a Google Cloud project, and no machine of your own."""

    flavor = "vertex"
    Settings = VertexSettings
    remote = True
    needs_image = True
    compiles = True
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
        for step in steps:
            yield from _of_machine(step)
            yield from _of_accelerator(step)

    def beside(self, steps: Iterable[DeployedStep], components: Mapping[str, Mapping[str, Any]]) -> Iterator[Refusal]:
        """What Google's machines cannot have from where the stack keeps it; a place for Vertex' own records."""
        yield from on_this_machine(components, "machine")
        yield from kept_here(steps, components, "machine", "{flavor: gcp, project: PROJECT}")
        if (components.get("secret_store") or {}).get("flavor") == "kubernetes":
            message = "no machine of Vertex is in a cluster, and only pods of one can be given its Secrets"
            help = "take one that they reach, as in secret_store: {flavor: gcp, project: PROJECT}"
            yield Refusal(("secret_store", "flavor"), "unreachable-secret", message, help)
        store = components.get("artifact_store") or {}
        here = store.get("flavor", "local") in ("local", "memory")  # which is refused as such
        if _root(self.settings, store) is None and not here:
            message = "Vertex keeps records of its own in Cloud Storage, and it is not said where"
            help = "add pipeline_root: gs://BUCKET/FOLDER; with an artifact store of flavor gcs it can be left out"
            yield Refusal(("orchestrator", "pipeline_root"), "missing-key", message, help)

    def compile(self, deployment: Deployment) -> Bundle:
        """The pipeline's document, and the job that runs it without that document."""
        accelerator = lambda step: str(step.resources.get("gpu_type"))  # noqa: E731
        documents = {
            "pipeline.yaml": pipeline_document(deployment, accelerator, RETRYING),
            "job.yaml": pipeline_job(deployment, self.settings),
        }
        return Bundle(deployment.run_id, self.flavor, documents, deployment)

    def checks(self, secret: Callable[[str], str]) -> Iterator[Check]:
        """The SDK, and whether credentials are found that Google takes."""
        found = integrations.sdk(self.flavor)
        yield found
        if found.ok:
            yield _credentials(self.settings.project)


def pipeline_job(deployment: Deployment, settings: VertexSettings) -> dict[str, Any]:
    """A PipelineJob of Vertex' API (v1) but for its `pipelineSpec`, which is the pipeline's document."""
    runtime = {
        "gcsOutputDirectory": _root(settings, deployment.artifact_store),
        "failurePolicy": _FAILURE[deployment.on_failure],
    }
    key = settings.encryption_spec_key_name
    found = {
        "displayName": pipeline_name(deployment.pipeline),
        "labels": dict(settings.labels),
        "runtimeConfig": {name: value for name, value in runtime.items() if value},
        "serviceAccount": settings.service_account,
        "network": settings.network,
        "encryptionSpec": {"kmsKeyName": key} if key else None,
    }
    return {name: value for name, value in found.items() if value}


def _root(settings: VertexSettings, artifact_store: Mapping[str, Any]) -> str | None:
    own = artifact_store.get("path") if artifact_store.get("flavor") == "gcs" else None
    return settings.pipeline_root or own


def _of_machine(step: DeployedStep) -> Iterator[Refusal]:
    for name, most, told in (
        ("cpu_count", MOST_CPUS, f"{MOST_CPUS} processors"),
        ("memory", MOST_MEMORY, format_memory(MOST_MEMORY)),
    ):
        if (step.resources.get(name) or 0) > most:
            message = f"step '{step.name}' sets {name} to more than the {told} that a task of Vertex can have"
            yield Refusal(("steps", step.name, "resources", name), "cannot-honour", message, "ask for less")


def _of_accelerator(step: DeployedStep) -> Iterator[Refusal]:
    kind, path = step.resources.get("gpu_type"), ("steps", step.name, "resources")
    if step.resources.get("gpu_count") and not kind:
        message = f"step '{step.name}' sets gpu_count without gpu_type, and Vertex gives accelerators by their type"
        yield Refusal((*path, "gpu_count"), "missing-gpu-type", message, "add gpu_type, as in NVIDIA_TESLA_T4")
    elif kind and not _ACCELERATOR.fullmatch(kind):
        near = nearest(re.sub("[^A-Z0-9]+", "_", kind.upper()), ACCELERATORS)
        help = f"did you mean '{near}'?" if near else f"as in {', '.join(ACCELERATORS)}"
        message = f"step '{step.name}' sets gpu_type '{kind}', and Vertex has no accelerator of such a name"
        yield Refusal((*path, "gpu_type"), "bad-gpu-type", message, help)
    elif kind and not step.resources.get("gpu_count"):
        message = f"step '{step.name}' sets gpu_type without gpu_count, and Vertex gives accelerators by their number"
        yield Refusal((*path, "gpu_type"), "missing-gpu-count", message, "add gpu_count, as in 1")


def _credentials(project: str) -> Check:
    import google.auth
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request

    try:
        credentials, own = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
        credentials.refresh(Request())  # type: ignore[no-untyped-call]
    except GoogleAuthError as error:
        told = str(error).splitlines()[0]
        return Check("credentials", False, told, "log in: gcloud auth application-default login")
    who = getattr(credentials, "service_account_email", None) or "a user"
    also = "" if own in (None, project) else f"; their own project is '{own}'"
    return Check("credentials", True, f"of {who}, for the project '{project}'{also}")

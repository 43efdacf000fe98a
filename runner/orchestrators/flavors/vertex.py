"""The vertex flavor: the document that Kubeflow walks, walked by Vertex AI Pipelines."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated

from pydantic import Field

from runner import integrations
from runner.checks import Check
from runner.orchestrators.base import Capabilities, Refusal, Support, Traits
from runner.orchestrators.fields import said_twice
from runner.orchestrators.pending import PendingOrchestrator
from runner.plan.deployment import DeployedStep
from runner.spec.common import Spec

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


class VertexStepSettings(Spec):
    """How one step's job is made."""

    machine_type: Annotated[str, Field(pattern="^[a-z][a-z0-9]*(-[a-z0-9]+)+$")] | None = Field(
        None, description="The machine, as in n1-highmem-8; one that has the step's resources when left out."
    )


class VertexOrchestrator(PendingOrchestrator):
    """Runs pipelines on Vertex AI; needs a Google Cloud project, and no machine of your own."""

    flavor = "vertex"
    Settings = VertexSettings
    StepSettings = VertexStepSettings
    remote = True
    needs_image = True
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
        """Accelerators are asked for by their type; a machine that is named has what it has."""
        for step in steps:
            yield from said_twice(step, self.flavor, "machine_type")
            if step.resources.get("gpu_count") and "gpu_type" not in step.resources:
                yield Refusal(
                    ("steps", step.name, "resources", "gpu_count"),
                    "missing-gpu-type",
                    f"step '{step.name}' sets gpu_count without gpu_type, and Vertex gives accelerators by their type",
                    "add gpu_type, as in NVIDIA_TESLA_T4",
                )

    def checks(self, secret: Callable[[str], str]) -> Iterator[Check]:
        """The SDK, and whether credentials are found that Google takes."""
        found = integrations.sdk(self.flavor)
        yield found
        if found.ok:
            yield _credentials(self.settings.project)


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

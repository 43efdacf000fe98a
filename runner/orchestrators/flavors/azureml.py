"""The azureml flavor: a pipeline job of Azure Machine Learning, each step a command in it."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from runner import integrations
from runner.checks import Check
from runner.orchestrators.base import Capabilities, Refusal, Support, Traits
from runner.orchestrators.fields import Text, given, parts_of_a_machine, said_twice
from runner.orchestrators.pending import PendingOrchestrator
from runner.plan.deployment import DeployedStep
from runner.spec.common import Spec, rule

Compute = Annotated[str, Field(pattern="^[A-Za-z][A-Za-z0-9-]{0,30}[A-Za-z0-9]$")]
VmSize = Annotated[str, Field(pattern="^[Ss]tandard_[A-Za-z0-9_-]+$")]
Tier = Literal["standard", "spot"]
Tags = dict[Annotated[str, Field(min_length=1, max_length=512)], Annotated[str, Field(max_length=256)]]


class AzureMLSettings(Spec):
    """Azure Machine Learning walks the DAG; each step is a job on a compute of the workspace, or serverless."""

    model_config = ConfigDict(json_schema_extra={"not": given("compute", "tier")})

    subscription_id: Annotated[str, Field(pattern="^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")] = Field(
        description="The subscription's id, as in 12345678-90ab-cdef-1234-567890abcdef."
    )
    resource_group: Annotated[str, Field(pattern="^[A-Za-z0-9_().-]{1,90}$")] = Field(
        description="The resource group of the workspace, as in ml-production."
    )
    workspace: Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9_-]{2,32}$")] = Field(
        description="The workspace's name, as in ml-team: 3 to 33 letters, digits, '-' and '_'."
    )
    compute: Compute | None = Field(
        None, description="The compute cluster that steps run on, as in cpu-cluster; serverless when left out."
    )
    tier: Tier | None = Field(
        None, description="Serverless: standard machines, or spot ones that may be taken away; standard when left out."
    )
    experiment: Text | None = Field(
        None, description="The experiment that runs belong to; the pipeline's name when left out."
    )
    tags: Tags = Field({}, description="Further tags of each job.")
    synchronous: bool = Field(True, description="Follow the run to its end; false returns when it has been started.")

    @model_validator(mode="after")
    def _tier_of_serverless(self) -> Self:
        if self.compute is not None and self.tier is not None:
            raise rule(
                "cannot-combine",
                f"'tier' says nothing to compute '{self.compute}': a cluster's machines are of its own tier",
                "leave out one of 'compute' and 'tier'",
                "tier",
            )
        return self


class AzureMLStepSettings(Spec):
    """How one step's job is made."""

    compute: Compute | None = Field(None, description="The compute cluster of this step, as in gpu-cluster.")
    instance_type: VmSize | None = Field(
        None, description="Serverless: the machine, as in Standard_DS3_v2; one that has the step's resources."
    )
    tier: Tier | None = Field(None, description="Serverless: standard or spot machines; the stack's when left out.")
    tags: Tags = Field({}, description="Further tags of the job.")


class AzureMLOrchestrator(PendingOrchestrator):
    """Runs pipelines on Azure Machine Learning; needs a workspace, and no machine of your own."""

    flavor = "azureml"
    Settings = AzureMLSettings
    StepSettings = AzureMLStepSettings
    remote = True
    needs_image = True
    traits = Traits("Azure workspace", "managed", "per use", "Azure ML studio")
    # Those of serverless machines; `capabilities_of` has those of a cluster.
    capabilities = Capabilities(
        schedule=Support.NATIVE,
        retry=Support.WORKER,  # commands of its pipelines are not tried again
        timeout=Support.WORKER,  # a command's own limit is for all attempts in it
        cpu=Support.NATIVE,  # these three by the smallest machine that has them
        memory=Support.NATIVE,
        gpu=Support.NATIVE,
        disk=Support.NO,
        shm=Support.NATIVE,
        parallel=Support.NATIVE,
        foreach=Support.NO,  # its graph is fixed when it is sent
        when=Support.NO,
        expand=Support.NO,
        cancel=Support.NATIVE,
        logs=Support.WORKER,
    )
    advice = dict.fromkeys(
        ("cpu", "memory", "gpu"), "leave it out: the cluster's machines are what they are; or leave `compute` out"
    )

    @classmethod
    def capabilities_of(cls, settings: Any) -> Capabilities:
        """A cluster's machines are as large as they were made."""
        if settings.compute is None:
            return cls.capabilities
        return cls.capabilities._replace(cpu=Support.NO, memory=Support.NO, gpu=Support.NO)

    def refusals(self, steps: Iterable[DeployedStep], project: str) -> Iterator[Refusal]:
        """Machines come whole; a step's own machine has what it has."""
        for step in steps:
            yield from parts_of_a_machine(step, self.flavor)
            yield from said_twice(step, self.flavor, "instance_type")
            if self.settings.compute is None:
                yield from said_twice(step, self.flavor, "compute")
            compute = step.settings.get("compute") or self.settings.compute
            for field in ("instance_type", "tier") if compute else ():
                if step.settings.get(field):
                    yield Refusal(
                        ("steps", step.name, "settings", self.flavor, field),
                        "cannot-honour",
                        f"step '{step.name}' sets settings.{self.flavor}.{field}, and runs on compute '{compute}', "
                        "whose machines are what they are",
                        f"leave out one of '{field}' and 'compute'",
                    )

    def checks(self, secret: Callable[[str], str]) -> Iterator[Check]:
        """The SDK, and whether credentials are found that Azure takes."""
        found = integrations.sdk(self.flavor)
        yield found
        if found.ok:
            yield _credentials()


def _credentials() -> Check:
    from azure.core.exceptions import AzureError
    from azure.identity import DefaultAzureCredential

    try:
        with DefaultAzureCredential() as credential:
            credential.get_token("https://management.azure.com/.default")
    except AzureError as error:
        told = str(error).splitlines()[0]
        return Check("credentials", False, f"Azure: {told}", "log in: az login")
    return Check("credentials", True, "Azure gives a token for its management API")

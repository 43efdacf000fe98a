"""The sagemaker flavor: a SageMaker pipeline, each step a processing or a training job."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import Field

from runner import integrations
from runner.checks import Check
from runner.orchestrators.base import Capabilities, Refusal, Support, Traits
from runner.orchestrators.fields import Text, Url, parts_of_a_machine, said_twice
from runner.orchestrators.pending import PendingOrchestrator
from runner.plan.deployment import DeployedStep
from runner.spec.common import Duration, Spec, Strings

InstanceType = Annotated[str, Field(pattern="^ml[.][a-z0-9-]+[.][a-z0-9]+$")]
Tags = dict[Annotated[str, Field(min_length=1, max_length=128)], Annotated[str, Field(max_length=256)]]


class SageMakerSettings(Spec):
    """SageMaker walks the DAG; each step is a job on a machine that AWS gives and takes back."""

    execution_role: Annotated[str, Field(pattern="^arn:aws[a-z-]*:iam::[0-9]{12}:role/[^ ]+$")] = Field(
        description="The role that jobs run as, as in arn:aws:iam::123456789012:role/sagemaker."
    )
    region: Annotated[str, Field(pattern="^[a-z]{2}(-[a-z]+)+-[0-9]$")] | None = Field(
        None, description="The region, as in eu-central-1; what AWS' own configuration says when left out."
    )
    bucket: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] | None = Field(
        None, description="The bucket that SageMaker keeps its own files in; the artifact store's when left out."
    )
    instance_type: InstanceType = Field(
        "ml.m5.xlarge", description="The machine of steps that ask for no resources, as in ml.m5.xlarge."
    )
    max_runtime: Duration = Field(
        86400.0, description="How long any job may take, at most 5d.", json_schema_extra={"default": "1d"}
    )
    tags: Tags = Field({}, description="Further tags of each job.")
    subnets: Strings = Field((), description="Ids of the subnets that jobs run in.")
    security_group_ids: Strings = Field((), description="Ids of the security groups of jobs.")
    kms_key: Text | None = Field(None, description="The key that encrypts the jobs' disks.")
    profile: Text | None = Field(None, description="The profile of AWS' own configuration to log in with.")
    endpoint_url: Url | None = Field(None, description="Another address of the service, as of a private endpoint.")
    synchronous: bool = Field(True, description="Follow the run to its end; false returns when it has been started.")


class SageMakerStepSettings(Spec):
    """How one step's job is made."""

    instance_type: InstanceType | None = Field(
        None, description="The machine, as in ml.g5.2xlarge; one that has the step's resources when left out."
    )
    job: Literal["processing", "training"] = Field(
        "processing", description="Which sort of job the step is; training jobs may run on spot machines."
    )
    use_spot_instances: bool = Field(False, description="Run on a spare machine that may be taken away; training only.")
    tags: Tags = Field({}, description="Further tags of the job.")


class SageMakerOrchestrator(PendingOrchestrator):
    """Runs pipelines on SageMaker; needs an AWS account and a role, and no machine of your own."""

    flavor = "sagemaker"
    Settings = SageMakerSettings
    StepSettings = SageMakerStepSettings
    remote = True
    needs_image = True
    traits = Traits("AWS account, role", "managed", "per use", "SageMaker Studio")
    capabilities = Capabilities(
        schedule=Support.NATIVE,  # EventBridge Scheduler
        retry=Support.WORKER,  # its own policies try again after faults of the service, not of the step
        timeout=Support.WORKER,  # a job's own limit is for all attempts in it
        cpu=Support.NATIVE,  # these three by the smallest machine that has them
        memory=Support.NATIVE,
        gpu=Support.NATIVE,
        disk=Support.NATIVE,
        shm=Support.NO,
        parallel=Support.NATIVE,
        foreach=Support.NO,  # its graph is fixed when it is written
        when=Support.NATIVE,
        expand=Support.NO,
        cancel=Support.NATIVE,
        logs=Support.NATIVE,  # CloudWatch
    )

    def refusals(self, steps: Iterable[DeployedStep], project: str) -> Iterator[Refusal]:
        """Machines come whole; spot machines are for training jobs."""
        for step in steps:
            yield from parts_of_a_machine(step, self.flavor)
            yield from said_twice(step, self.flavor, "instance_type")
            if step.settings.get("use_spot_instances") and step.settings.get("job") != "training":
                yield Refusal(
                    ("steps", step.name, "settings", self.flavor, "use_spot_instances"),
                    "cannot-honour",
                    f"step '{step.name}' sets use_spot_instances, and processing jobs do not run on spot machines",
                    "add `job: training` beside it",
                )

    def checks(self, secret: Callable[[str], str]) -> Iterator[Check]:
        """The SDK, and whose credentials it finds."""
        found = integrations.sdk(self.flavor)
        yield found
        if found.ok:
            yield _credentials(self.settings)


def _credentials(settings: Any) -> Check:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    patience = Config(connect_timeout=4, read_timeout=8, retries={"mode": "standard", "total_max_attempts": 2})
    try:
        session = boto3.Session(profile_name=settings.profile, region_name=settings.region)
        who = session.client("sts", config=patience).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        help = {
            "NoRegionError": "give the orchestrator a `region`, or set AWS_DEFAULT_REGION",
            "ProfileNotFound": "name a profile of ~/.aws/config, or leave `profile` out",
        }.get(type(error).__name__, "set AWS_PROFILE, or log in: aws sso login; try: aws sts get-caller-identity")
        return Check("credentials", False, f"AWS: {error}", help)
    return Check("credentials", True, f"{who['Arn']} in account {who['Account']}, region {session.region_name}")

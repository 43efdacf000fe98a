"""The databricks flavor: a Databricks job, each step a task of it on a cluster made for the job."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, model_validator

from runner import integrations
from runner.checks import Check
from runner.orchestrators.base import Capabilities, Support, Traits
from runner.orchestrators.fields import Text, given, together
from runner.orchestrators.pending import PendingOrchestrator
from runner.plan.secrets import secret_names
from runner.spec.common import Integer, SecretReference, Spec, rule

NodeType = Annotated[str, Field(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$")]
SparkVersion = Annotated[str, Field(pattern="^[0-9]+[.][0-9x]+[.]x?(-[a-z0-9.]+)*$|^[0-9]+[.]x(-[a-z0-9.]+)*$")]
Workers = Annotated[Integer, Field(ge=0, le=100_000)]
SparkConf = dict[Text, str]


class DatabricksSettings(Spec):
    """Databricks walks the DAG; each step is a task on a cluster that is made for it and taken down."""

    model_config = ConfigDict(
        json_schema_extra={"allOf": together("client_id", "client_secret"), "not": given("token", "client_id")}
    )

    host: Annotated[str, Field(pattern="^https?://[^/ ]+/?$")] = Field(
        description="The workspace's address, as in https://adb-1234567890123456.7.azuredatabricks.net."
    )
    node_type_id: NodeType = Field(
        description="The machine of clusters, in the words of the workspace's cloud, as in i3.xlarge."
    )
    spark_version: SparkVersion = Field(
        "15.4.x-scala2.12", description="The Databricks runtime, as in 15.4.x-scala2.12."
    )
    num_workers: Workers = Field(0, description="Machines of a cluster beside its driver; 0 is one machine alone.")
    token: SecretReference | None = Field(
        None, description="An access token, as ${secrets.NAME}; Databricks' own configuration when left out."
    )
    client_id: Text | None = Field(None, description="The service principal that logs in.")
    client_secret: SecretReference | None = Field(None, description="Its secret, as ${secrets.NAME}.")
    policy_id: Text | None = Field(None, description="The cluster policy that holds.")
    instance_pool_id: Text | None = Field(None, description="The pool that machines are taken from.")
    tags: dict[Text, str] = Field({}, description="Further tags of clusters and jobs.")
    synchronous: bool = Field(True, description="Follow the run to its end; false returns when it has been started.")

    @model_validator(mode="after")
    def _one_way_to_log_in(self) -> Self:
        if (self.client_id is None) != (self.client_secret is None):
            there, missing = (
                ("client_secret", "client_id") if self.client_id is None else ("client_id", "client_secret")
            )
            raise rule("missing-key", f"'{there}' is of no use without '{missing}'", f"add '{missing}'", there)
        if self.client_id is not None and self.token is not None:
            raise rule(
                "cannot-combine",
                "'token' and 'client_id' are two ways to log in",
                "leave one of them out",
                "token",
            )
        return self


class DatabricksStepSettings(Spec):
    """How one step's cluster is made; the stack's fields hold where these are left out."""

    node_type_id: NodeType | None = Field(None, description="The machine of the step's cluster, as in g5.xlarge.")
    num_workers: Workers | None = Field(None, description="Machines beside the driver.")
    spark_version: SparkVersion | None = Field(
        None, description="The Databricks runtime, as in 15.4.x-gpu-ml-scala2.12."
    )
    spark_conf: SparkConf = Field({}, description="Spark's own configuration.")
    policy_id: Text | None = Field(None, description="The cluster policy that holds.")
    instance_pool_id: Text | None = Field(None, description="The pool that machines are taken from.")


_MACHINES = "leave it out and choose the machine: settings: {databricks: {node_type_id: …}}"


class DatabricksOrchestrator(PendingOrchestrator):
    """Runs pipelines as Databricks jobs; needs a workspace."""

    flavor = "databricks"
    Settings = DatabricksSettings
    StepSettings = DatabricksStepSettings
    remote = True
    traits = Traits("Databricks workspace", "managed", "per use", "Databricks")
    capabilities = Capabilities(
        schedule=Support.NATIVE,
        retry=Support.WORKER,  # its own waits do not grow
        timeout=Support.WORKER,  # a task's own limit is for all attempts in it
        # Machines are named, in words that differ with the workspace's cloud; nothing is chosen for a step.
        cpu=Support.NO,
        memory=Support.NO,
        gpu=Support.NO,
        disk=Support.NO,
        shm=Support.NO,
        parallel=Support.NATIVE,
        foreach=Support.NATIVE,
        when=Support.NATIVE,
        expand=Support.NO,  # a job is what was sent
        cancel=Support.NATIVE,
        logs=Support.WORKER,  # its API gives the first part of an output only
    )
    advice = dict.fromkeys(("cpu", "memory", "gpu"), _MACHINES)

    def checks(self, secret: Callable[[str], str]) -> Iterator[Check]:
        """The SDK, and who the workspace takes us for."""
        found = integrations.sdk(self.flavor)
        yield found
        if found.ok:
            yield _who(self.settings, secret)


def _who(settings: Any, secret: Callable[[str], str]) -> Check:
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.core import Config

    login = {
        "token": secret(secret_names(settings.token)[0]) if settings.token else None,
        "client_id": settings.client_id,
        "client_secret": secret(secret_names(settings.client_secret)[0]) if settings.client_secret else None,
    }
    try:
        config = Config(host=settings.host, http_timeout_seconds=4, retry_timeout_seconds=4, **login)
        who = WorkspaceClient(config=config).current_user.me()
    except Exception as error:  # the SDK lets through what its HTTP library and its login plugins raise
        told = f"{error}\n".partition("\n")[0].partition(" Config: ")[0] or type(error).__name__
        help = "log in: databricks auth login, or give `token`"
        if isinstance(error, OSError):
            help = "is `host` right, and can it be reached from here?"
        return Check("workspace", False, f"{settings.host}: {told}", help)
    return Check("workspace", True, f"{settings.host} takes us for {who.user_name}")

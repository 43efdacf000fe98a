"""The airflow flavor: one DAG file a pipeline, whose tasks run the worker by an operator of your choice."""

# No `from __future__ import annotations` here: pydantic would evaluate every annotation from its text, at every start.

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from runner import integrations
from runner.checks import Check
from runner.orchestrators.base import Capabilities, Refusal, Support, Traits
from runner.orchestrators.fields import (
    INTERPOLATION,
    Labels,
    Namespace,
    ServiceAccount,
    Text,
    Tolerations,
    Url,
    given,
    together,
)
from runner.orchestrators.pending import PendingOrchestrator
from runner.plan.deployment import DeployedStep
from runner.plan.secrets import secret_names
from runner.spec.common import Integer, SecretReference, Spec, Strings, rule
from runner.spec.pipeline import IMAGE_DIGESTS

# Fields that say something to one operator only.
_ONLY = {
    "docker_url": "docker",
    "docker_network": "docker",
    "kubernetes_namespace": "kubernetes_pod",
    "kubernetes_conn_id": "kubernetes_pod",
    "service_account_name": "kubernetes_pod",
    "python": "bash",
}


def _operator(name: str) -> Any:
    chosen = {"properties": {"operator": {"anyOf": [{"const": name}, INTERPOLATION]}}}
    return chosen if name == "docker" else {"required": ["operator"], **chosen}  # docker is the default


class AirflowSettings(Spec):
    """Airflow walks the DAG; each step is a task of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [{"if": given(field), "then": _operator(operator)} for field, operator in _ONLY.items()]
            + together("username", "password")
        }
    )

    dag_output_dir: Text = Field(description="The folder that DAG files are written to: one that Airflow reads.")
    airflow_url: Url = Field(
        "http://localhost:8080", description="The address of Airflow's API, as in https://airflow.example.com."
    )
    operator: Literal["docker", "kubernetes_pod", "bash"] = Field(
        "docker",
        description="What a task is: a container on its worker's Docker Engine, a pod, or a process of its worker.",
    )
    tags: Strings = Field((), description="Tags of the DAGs, beside `runner`.")
    username: Text | None = Field(None, description="Who logs in to Airflow's API.")
    password: SecretReference | None = Field(None, description="The password, as ${secrets.NAME}.")
    token: SecretReference | None = Field(None, description="A token for Airflow's API, as ${secrets.NAME}.")
    synchronous: bool = Field(True, description="Follow the run to its end; false returns when it has been started.")
    docker_url: Text | None = Field(None, description="Operator docker: the engine, as the tasks' workers reach it.")
    docker_network: Text | None = Field(None, description="Operator docker: the network that containers join.")
    kubernetes_namespace: Namespace | None = Field(
        None, description="Operator kubernetes_pod: the namespace of the pods; Airflow's own when left out."
    )
    kubernetes_conn_id: Text | None = Field(
        None, description="Operator kubernetes_pod: Airflow's connection to the cluster; its own when left out."
    )
    service_account_name: ServiceAccount | None = Field(
        None, description="Operator kubernetes_pod: what the pods log in as."
    )
    python: Text | None = Field(
        None, description="Operator bash: the interpreter on the tasks' workers, with runner installed; python3."
    )

    @model_validator(mode="after")
    def _fits_its_operator(self) -> Self:
        for field, operator in _ONLY.items():
            if getattr(self, field) is not None and self.operator != operator:
                raise rule(
                    "of-another-operator",
                    f"'{field}' says nothing to operator '{self.operator}'",
                    f"remove it, or take operator: {operator}",
                    field,
                )
        if (self.username is None) != (self.password is None):
            there, missing = ("password", "username") if self.username is None else ("username", "password")
            raise rule("missing-key", f"'{there}' is of no use without '{missing}'", f"add '{missing}'", there)
        return self


class AirflowStepSettings(Spec):
    """How one step's task is made."""

    pool: Text | None = Field(None, description="Airflow's pool that the task takes a slot of.")
    queue: Text | None = Field(None, description="The queue that the task waits in, for executors that have queues.")
    priority_weight: Annotated[Integer, Field(ge=-(2**31), lt=2**31)] | None = Field(
        None, description="The task's priority among those that wait."
    )
    node_selectors: Labels = Field({}, description="Operator kubernetes_pod: labels of the nodes it may run on.")
    tolerations: Tolerations = Field((), description="Operator kubernetes_pod: taints it may run in spite of.")


class AirflowOrchestrator(PendingOrchestrator):
    """Runs pipelines as DAGs of an Airflow that you have."""

    flavor = "airflow"
    Settings = AirflowSettings
    StepSettings = AirflowStepSettings
    remote = True
    traits = Traits("Airflow", "Airflow's workers", "their machines'", "Airflow")
    # Those of the operator `docker`; `capabilities_of` has the others.
    capabilities = Capabilities(
        schedule=Support.NATIVE,
        retry=Support.NATIVE,
        timeout=Support.NATIVE,
        cpu=Support.NATIVE,
        memory=Support.NATIVE,
        gpu=Support.NATIVE,
        disk=Support.NO,
        shm=Support.NATIVE,
        parallel=Support.NATIVE,
        foreach=Support.NATIVE,
        when=Support.NATIVE,
        expand=Support.NO,  # a DAG is what its file says
        cancel=Support.NATIVE,
        logs=Support.NATIVE,
    )

    @classmethod
    def capabilities_of(cls, settings: Any) -> Capabilities:
        """A pod has a share of its node's disk; a process of the worker has limits that our worker sets itself."""
        if settings.operator == "kubernetes_pod":
            return cls.capabilities._replace(disk=Support.NATIVE)
        if settings.operator == "bash":
            no = Support.NO  # nobody hands out processors and accelerators among the tasks of one machine
            return cls.capabilities._replace(cpu=no, memory=Support.WORKER, gpu=no, shm=no)
        return cls.capabilities

    def refusals(self, steps: Iterable[DeployedStep], project: str) -> Iterator[Refusal]:
        """What the chosen operator has no word for."""
        for step in steps:
            if self.settings.operator == "docker" and "gpu_type" in step.resources:
                yield _refusal(step, ("resources", "gpu_type"), "gpu_type", "docker", "leave it out")
            if self.settings.operator == "bash":
                for field in step.image.keys() - set(IMAGE_DIGESTS):
                    path = ("settings", "image", field)
                    help = "leave it out and install what steps need for the tasks' workers"
                    yield _refusal(step, path, ".".join(path), "bash", help)
            for field in ("node_selectors", "tolerations"):
                if step.settings.get(field) and self.settings.operator != "kubernetes_pod":
                    path = ("settings", self.flavor, field)
                    help = "take operator: kubernetes_pod in the stack"
                    yield _refusal(step, path, ".".join(path), self.settings.operator, help)

    def checks(self, secret: Callable[[str], str]) -> Iterator[Check]:
        """The SDK, the folder of DAG files, and Airflow's API."""
        from runner.orchestrators.service import service_check  # not where stacks are only read

        yield integrations.sdk(self.flavor)
        yield _folder(self.settings.dag_output_dir)
        url = self.settings.airflow_url.rstrip("/")
        yield service_check("Airflow", f"{url}/api/v2/monitor/health", None, "look at airflow_url, and whether it runs")
        if self.settings.token:
            token = secret(secret_names(self.settings.token)[0])
            help = "get a new token for Airflow's API"
            yield service_check("Airflow login", f"{url}/api/v2/dags?limit=1", token, help)


def _folder(path: str) -> Check:
    if os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK):
        return Check("DAG folder", True, f"'{path}' can be written")
    why = "cannot be written" if os.path.isdir(path) else "is no folder here"
    return Check("DAG folder", False, f"'{path}' {why}", "dag_output_dir is a folder that Airflow reads DAGs from")


def _refusal(step: DeployedStep, path: tuple[str, ...], name: str, operator: str, help: str) -> Refusal:
    message = f"step '{step.name}' sets {name}, which Airflow's operator '{operator}' cannot honour"
    return Refusal(("steps", step.name, *path), "cannot-honour", message, help)

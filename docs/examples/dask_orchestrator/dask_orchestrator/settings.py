"""What a stack and a step may write about the flavor `dask`. Without Dask: `validate` needs none of it."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from runner.spec.common import Integer, Spec, rule

Amounts = dict[str, Annotated[float, Field(gt=0)]]


class DaskSettings(Spec):
    """Steps are tasks of a Dask cluster: one that is there already, or one of this machine while the run lasts."""

    scheduler_address: Annotated[str, Field(pattern=r"^[a-z]+://.+")] | None = Field(
        None, description="The scheduler of a cluster, as tcp://host:8786. Left out: a cluster on this machine."
    )
    n_workers: Annotated[Integer, Field(ge=1, le=1000)] = Field(2, description="Worker processes of the own cluster.")
    threads_per_worker: Annotated[Integer, Field(ge=1, le=1000)] = Field(
        1, description="How many steps each worker of the own cluster runs at a time."
    )
    resources: Amounts = Field(
        {}, description="What each worker of the own cluster offers beside CPU, for `worker_resources` of steps."
    )

    @model_validator(mode="after")
    def _one_cluster(self) -> Self:
        own = self.model_fields_set & {"n_workers", "threads_per_worker", "resources"}
        if self.scheduler_address is not None and own:
            raise rule(
                "two-clusters",
                f"'{sorted(own)[0]}' is about a cluster of this machine, and 'scheduler_address' names another one",
                "leave one of the two out",
            )
        return self


class DaskStepSettings(Spec):
    """How one step runs on the cluster."""

    worker_resources: Amounts = Field(
        {}, description="What the step takes of a worker's resources, by the names that the workers were started with."
    )
    priority: Integer = Field(0, description="Of the steps that are ready those of higher priority start first.")

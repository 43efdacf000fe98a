"""The flavor: what it can do, and the walk over the launcher."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dask_orchestrator.cluster import connected
from dask_orchestrator.launcher import DaskLauncher, end_attempts
from dask_orchestrator.settings import DaskSettings, DaskStepSettings
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
from runner.orchestrators.walk import walk
from runner.plan.deployment import DeployedStep
from runner.records import Event, LogLines


class DaskOrchestrator(BaseOrchestrator):
    """Runs steps as tasks of a Dask cluster, each attempt in a process of its own."""

    flavor = "dask"
    Settings = DaskSettings
    StepSettings = DaskStepSettings
    # Dask has no notion of gpu, memory or disk that it would keep a task to: they stay `no`, and are refused.
    capabilities = Capabilities(
        retry=Support.CONTROLLER,
        timeout=Support.CONTROLLER,
        cpu=Support.NATIVE,
        parallel=Support.NATIVE,
        cancel=Support.CONTROLLER,
        logs=Support.WORKER,
    )
    traits = Traits(setup="pip", scale="a cluster", cost="your machines", monitoring="Dask's dashboard")
    advice = {"gpu": "start workers with `--resources GPU=1` and write settings: {dask: {worker_resources: {GPU: 1}}}"}

    def refusals(self, steps: Iterable[DeployedStep], project: str) -> Iterator[Refusal]:
        """Steps that no worker of the own cluster could take; what another cluster offers is seen when it is asked."""
        if self.settings.scheduler_address is not None:
            return
        offered = {**self.settings.resources, "CPU": self.settings.threads_per_worker}
        for step in steps:
            if step.resources.get("cpu_count", 0) > offered["CPU"]:
                yield Refusal(
                    ("steps", step.name, "resources", "cpu_count"),
                    "not-enough",
                    f"step '{step.name}' asks for cpu_count {step.resources['cpu_count']:g}, and a worker of this "
                    f"cluster has {offered['CPU']}",
                    "ask for less, or raise `threads_per_worker` of the orchestrator",
                )
            for name, amount in step.settings.get("worker_resources", {}).items():
                if amount > offered.get(name, 0):
                    yield Refusal(
                        ("steps", step.name, "settings", "dask", "worker_resources", name),
                        "not-enough",
                        f"step '{step.name}' asks for {name} {amount:g}, and a worker of this cluster has "
                        f"{offered.get(name, 0):g}",
                        f"ask for less, or write resources: {{{name}: {amount:g}}} at the orchestrator",
                    )

    def submit(self, bundle: Bundle, stack: StackLike) -> Submission:
        """Nothing is started yet: Dask knows no retries with a delay and no `on_failure`, so who watches walks."""
        return Submission(bundle.run_id, self.flavor)

    def watch(self, submission: Submission, stack: StackLike) -> Iterator[Event | LogLines]:
        """Walk the run to its end, from where its ledger says it is."""
        deployment = stack.ledger.deployment(submission.run_id)
        with connected(self.settings, stack.folder) as client:
            launcher = DaskLauncher(client, stack.ledger, deployment.run_id)
            yield from walk(deployment, stack.ledger, launcher, max_parallel=launcher.slots, done=stack.done)

    def cancel(self, submission: Submission, stack: StackLike) -> None:
        """Whoever walks the run is asked through the ledger; what a dead walk left on another's cluster is ended."""
        if self.settings.scheduler_address is not None:
            with connected(self.settings, stack.folder) as client:
                end_attempts(client, submission.run_id)

"""The launcher: attempts as tasks of a Dask cluster, for the walk."""

from __future__ import annotations

import contextlib
import queue
import time
from typing import TYPE_CHECKING, Any

from runner.orchestrators.base import AttemptEnded, Launcher, LedgerLike
from runner.orchestrators.follow import Tail, tick_of
from runner.orchestrators.worker import command_of, supervised
from runner.plan.deployment import DeployedStep, StepJob
from runner.records import LogLines

if TYPE_CHECKING:
    from distributed import Client, Future

Attempt = tuple[str, int]


class DaskLauncher(Launcher):
    """`slots` is how many attempts the cluster runs at a time."""

    def __init__(self, client: Client, ledger: LedgerLike, run_id: str) -> None:
        from dask_orchestrator.attempts import Attempts

        self.client = client
        self.ledger = ledger
        self.run_id = run_id
        self.plugin = plugin_of(run_id)
        self.client.register_plugin(Attempts(), name=self.plugin)  # ends what an earlier walk of this run left
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        self.offered: list[dict[str, float]] = [dict(worker["resources"]) for worker in workers]
        self.slots = sum(worker["nthreads"] for worker in workers)
        self.futures: dict[Attempt, Future] = {}
        self.reasons: dict[Attempt, str] = {}
        self.tails: dict[Attempt, Tail] = {}
        self.ended: queue.SimpleQueue[Attempt] = queue.SimpleQueue()
        self.next_look = 0.0

    def fits(self, step: DeployedStep) -> bool:
        """Whether some worker offers what it takes; when that is free, the scheduler knows."""
        taken = _taken(step)
        return any(all(offered.get(name, 0) >= taken[name] for name in taken) for offered in self.offered)

    def start(self, step: DeployedStep, job: StepJob) -> None:
        from dask_orchestrator.attempts import run_attempt

        attempt = (job.step, job.attempt)
        key = _key(self.run_id, attempt)
        _, *arguments = command_of(supervised(job))  # the interpreter is the Dask worker's
        future = self.client.submit(
            run_attempt,
            self.plugin,
            key,
            arguments,
            key=key,
            pure=False,
            resources=_taken(step),
            priority=step.settings.get("priority", 0),
        )
        self.futures[attempt] = future
        self.tails[attempt] = Tail(self.ledger, self.run_id, *attempt)
        future.add_done_callback(lambda _: self.ended.put(attempt))

    def poll(self, timeout: float | None) -> list[AttemptEnded | LogLines]:
        tick = tick_of(self.ledger)
        found: list[AttemptEnded | LogLines] = []
        with contextlib.suppress(queue.Empty):
            attempt = self.ended.get(timeout=tick if timeout is None else min(timeout, tick))
            while True:
                found += self._end(attempt)
                attempt = self.ended.get_nowait()
        if time.monotonic() >= self.next_look:
            self.next_look = time.monotonic() + tick
            for attempt, tail in self.tails.items():
                if text := tail.read():
                    found.append(LogLines(*attempt, text))
        return found

    def stop(self, step: str, attempt: int, reason: str) -> None:
        from dask_orchestrator.attempts import stop_attempt

        which = (step, attempt)
        if which not in self.futures:
            return
        self.reasons[which] = reason
        runs = self.client.run(stop_attempt, self.plugin, _key(self.run_id, which), on_error="ignore")
        if not any(runs.values()):  # it waits for a worker, or has just ended: from now on it cannot begin
            self.ended.put(which)

    def close(self) -> None:
        end_attempts(self.client, self.run_id)
        for future in self.futures.values():
            future.release()

    def _end(self, attempt: Attempt) -> list[AttemptEnded | LogLines]:
        future = self.futures.pop(attempt, None)
        if future is None:
            return []
        text = self.tails.pop(attempt).read(whole=True)
        ended = _how_it_ended(future, attempt, self.reasons.pop(attempt, ""))
        future.release()
        return [LogLines(*attempt, text), ended] if text else [ended]


def end_attempts(client: Client, run_id: str) -> None:
    """End what still runs of a run, wherever it was started from."""
    with contextlib.suppress(ValueError):  # there is nothing of it
        client.unregister_worker_plugin(plugin_of(run_id))


def plugin_of(run_id: str) -> str:
    return f"runner-{run_id}"


def _how_it_ended(future: Future, attempt: Attempt, reason: str) -> AttemptEnded:
    if future.status == "finished":
        code, said = future.result()
        return AttemptEnded(*attempt, code, reason, "" if reason or code in (0, 1) else said)
    if reason:
        return AttemptEnded(*attempt, 1, reason)
    error: Any = future.exception() if future.status == "error" else future.status
    return AttemptEnded(*attempt, 1, "lost", f"the Dask worker that ran it is gone: {error}")


def _key(run_id: str, attempt: Attempt) -> str:
    return f"{run_id}-{attempt[0]}-{attempt[1]}"


def _taken(step: DeployedStep) -> dict[str, Any]:
    """What the step takes of a worker's resources."""
    cpu = {"CPU": step.resources["cpu_count"]} if "cpu_count" in step.resources else {}
    return {**step.settings.get("worker_resources", {}), **cpu}

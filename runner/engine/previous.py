"""For each step of a pipeline the last run in which it succeeded, looked up as far as it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runner.artifact_store.base import StoreError
from runner.artifact_store.ledger import Ledger
from runner.errors import StateError
from runner.plan.deployment import Deployment
from runner.plan.plan import PreviousStep
from runner.records import DONE, Run, fold
from runner.run_store.base import RunStore
from runner.secret_store.base import SecretStoreError

HOW_FAR = 10
"""Runs that are looked through for a step's last success."""


class LastSuccesses(Mapping[str, PreviousStep]):
    """Step → its last success. Runs are read one by one, newest first, and only until the step is found."""

    def __init__(self, store: RunStore, ledger: Ledger, pipeline: str) -> None:
        self._store = store
        self._ledger = ledger
        self._found: dict[str, PreviousStep] = {}
        self._unread = [run.run_id for run in reversed(store.runs(HOW_FAR, pipeline))]

    def __getitem__(self, name: str) -> PreviousStep:
        while name not in self._found and self._unread:
            self._read(self._unread.pop())
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        while self._unread:
            self._read(self._unread.pop())
        return iter(self._found)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _read(self, run_id: str) -> None:
        run = fold((event for _, event in self._store.events(run_id)), run_id)
        try:
            deployment = self._ledger.deployment(run_id)
        except (StoreError, SecretStoreError):
            self._unread.clear()  # out of reach: it would be so for every run, after as long a wait
            return
        except StateError:
            return  # of another artifact store, or gone: nothing to compare with
        for name, step in run.steps.items():
            if step.status in DONE and name in deployment.steps:
                self._found.setdefault(name, _previous(deployment, run, name))


def _previous(deployment: Deployment, run: Run, name: str) -> PreviousStep:
    step = deployment.steps[name]
    outputs = {**deployment.provided, **{other: found.outputs for other, found in run.steps.items()}}
    inputs = {
        argument: outputs[source][output].digest
        for argument, (source, output) in step.inputs.items()
        if output in outputs.get(source, {})
    }
    return PreviousStep(step.fingerprint, inputs, run.run_id, run.steps[name].outputs)

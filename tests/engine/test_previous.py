"""The last success of each step, looked up run by run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.local import LocalArtifactStore
from runner.engine.previous import LastSuccesses
from runner.plan.deployment import DeployedStep, Deployment
from runner.records import Artifact, Event, artifacts_to_json
from runner.run_store.sqlite import SqliteRunStore
from runner.secret_store.base import SecretStoreError

VALUE = Artifact("artifacts/ab", "json", 1, "ab")


class Past:
    """A run store and a ledger with runs in them."""

    def __init__(self, folder: Path) -> None:
        self.store = SqliteRunStore(folder / "runner.db")
        self.ledger = Ledger(LocalArtifactStore(folder / "artifacts"))

    def run(self, run_id: str, time: float, *, deployed: bool = True, **ends: str) -> None:
        steps = {name: DeployedStep(name, "m:f", fingerprint={"code": run_id}) for name in ("a", "b")}
        steps["b"] = steps["b"]._replace(inputs={"x": ("a", "output")})
        if deployed:
            self.ledger.write_deployment(Deployment(run_id, "p", "s", "local", steps, {}, "/"))
        outputs = {"outputs": artifacts_to_json({"output": VALUE})}
        data = {"pipeline": "p", "stack": "s", "parameters": {}}
        self.store.append(
            Event("run_started", run_id, time, data=data),
            *(Event(f"step_{end}", run_id, time, name, 1, outputs) for name, end in ends.items()),
        )

    @property
    def found(self) -> LastSuccesses:
        return LastSuccesses(self.store, self.ledger, "p")


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    made = Past(tmp_path)
    yield made
    made.store.close()


def test_the_newest_success_counts(past: Past) -> None:
    past.run("r1", 1.0, a="succeeded", b="succeeded")
    past.run("r2", 2.0, a="cached", b="failed")
    assert {name: step.run_id for name, step in past.found.items()} == {"a": "r2", "b": "r1"}
    assert past.found["b"].inputs == {"x": "ab"} and past.found["b"].fingerprint == {"code": "r1"}


def test_a_step_that_never_succeeded_is_not_there(past: Past) -> None:
    past.run("r1", 1.0, a="failed")
    assert "a" not in past.found and len(past.found) == 0


def test_a_run_whose_deployment_is_gone_is_passed_over(past: Past) -> None:
    past.run("r1", 1.0, a="succeeded")
    past.run("r2", 2.0, deployed=False, a="succeeded")
    assert past.found["a"].run_id == "r1"


def test_a_login_that_is_not_here_makes_nothing_known(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    past.run("r1", 1.0, a="succeeded")

    def refuse(run_id: str) -> None:
        raise SecretStoreError("secret 'KEY' cannot be had here")

    monkeypatch.setattr(past.ledger, "deployment", refuse)
    assert "a" not in past.found

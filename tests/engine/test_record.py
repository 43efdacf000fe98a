"""A run's events on record, here and where other machines read them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.memory import MemoryArtifactStore
from runner.engine import record as module
from runner.engine.lease import held
from runner.engine.record import Record, Recorded, later, recorded
from runner.errors import StateError
from runner.plan.deployment import DeployedStep, Deployment, facts_of
from runner.records import Artifact, Event, Run, StepResult

STEPS = {"a": DeployedStep("a", "m:a"), "b": DeployedStep("b", "m:b")}
DEPLOYMENT = Deployment("r1", "p", "s", "local", STEPS, {"flavor": "memory"}, "/p", created=1.0)
START = Event("run_started", "r1", 1.0, data=facts_of(DEPLOYMENT))


class Bucket(MemoryArtifactStore):
    """Objects in memory that are looked at as those of a bucket are."""

    remote = True


@pytest.fixture
def ledger() -> Ledger:
    found = Ledger(Bucket())
    found.write_deployment(DEPLOYMENT)
    return found


def told(ledger: Ledger) -> tuple[str, dict[str, str]]:
    found = recorded(ledger, "r1")
    assert found is not None
    return found.run.status, {name: step.status for name, step in found.run.steps.items()}


def test_a_run_that_is_not_there() -> None:
    assert recorded(Ledger(Bucket()), "r1") is None


def test_a_run_of_which_an_engine_tells_nothing_is_retold(ledger: Ledger) -> None:
    assert told(ledger) == ("running", {"a": "pending", "b": "pending"})
    for name in STEPS:
        ledger.write_result(
            StepResult("r1", name, 1, "succeeded", 2.0, 3.0, outputs={"output": Artifact("x", "json", 1, "x")})
        )
    assert told(ledger) == ("succeeded", {"a": "succeeded", "b": "succeeded"})


def test_a_run_is_running_as_long_as_it_is_walked(ledger: Ledger) -> None:
    ledger.write_events("r1", [START])
    with held(None, ledger, "r1"):
        assert told(ledger)[0] == "running"
        alone = recorded(ledger, "r1", alone=True)
        assert alone is not None and alone.run.status == "interrupted"
    found = recorded(ledger, "r1", "runner runs resume r1 --stack s")
    assert found is not None and found.run.status == "interrupted"
    assert found.run.reason == "its process is gone; go on with: runner runs resume r1 --stack s"


def test_what_was_not_on_record_when_its_process_died_is_retold(ledger: Ledger) -> None:
    ledger.write_events("r1", [START])
    ledger.write_result(StepResult("r1", "a", 1, "succeeded", 2.0, 3.0))
    assert told(ledger) == ("interrupted", {"a": "succeeded", "b": "pending"})


def test_a_run_that_was_walked_and_told_nothing_is_interrupted(ledger: Ledger) -> None:
    with held(None, ledger, "r1"):
        assert told(ledger)[0] == "running"
    assert told(ledger)[0] == "interrupted"


def test_events_go_to_both_and_to_a_bucket_also_meanwhile(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PERIOD", 0.01)
    record = Record(tmp_path / "runner.db", ledger, "r1")
    with record.keep(ledger.remote):
        record.append(START)
        give_up = time.monotonic() + 60
        while ledger.events("r1") != [START]:
            assert time.monotonic() < give_up
            time.sleep(0.01)
    record.append(Event("run_succeeded", "r1", 2.0))
    record.write_if_possible()
    assert ledger.events("r1") == [event for _, event in record.store.events("r1")]
    record.close()


def test_a_store_that_fails_at_the_end_does_not_fail_the_run(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise StateError("out of reach")

    monkeypatch.setattr(ledger, "write_events", fail)
    record = Record(tmp_path / "runner.db", ledger, "r1")
    record.append(START)
    record.write_if_possible()
    with pytest.raises(StateError):
        record.write()
    record.close()


def test_of_two_records_the_one_that_was_gone_on_with_counts() -> None:
    once, twice = Recorded([START], Run("r1")), Recorded([START, START], Run("r1"))
    assert later(once, twice) is twice
    assert later(twice, once) is twice
    assert later(once, Recorded([START], Run("r1"))) is once
    assert later(once, None) is once

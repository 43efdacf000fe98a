"""The ledger: what it writes it reads back, and where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.base import StoreError
from runner.artifact_store.ledger import Ledger
from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.materializers import save
from runner.errors import StateError
from runner.plan.deployment import DeployedStep, Deployment, StepJob
from runner.records import FAILED, SUCCEEDED, Artifact, Event, Failure, Frame, StepResult


@pytest.fixture
def ledger(store: LocalArtifactStore) -> Ledger:
    return Ledger(store)


def a_result(outputs: dict[str, Artifact] | None = None) -> StepResult:
    return StepResult("r1", "fit", 2, SUCCEEDED, 1000.0, 1001.5, "host", 42, outputs or {}, metrics={"accuracy": 0.5})


def a_deployment() -> Deployment:
    steps = {"fit": DeployedStep("fit", "a:fit", {"data": ("load", "output")}, outputs=("x", "y"))}
    return Deployment("r1", "train", "local", "local", steps, {"flavor": "local", "path": "/s"}, "/p")


def test_a_deployment_comes_back(ledger: Ledger, store: LocalArtifactStore) -> None:
    assert not ledger.has_run("r1")
    ledger.write_deployment(a_deployment())
    assert ledger.has_run("r1")
    assert ledger.deployment("r1") == a_deployment()
    assert list(store.list("")) == ["runs/r1/deployment.json"]


def test_a_run_that_is_not_there(ledger: Ledger) -> None:
    with pytest.raises(StateError, match="run 'r2' has no deployment"):
        ledger.deployment("r2")


def test_a_result_comes_back(ledger: Ledger, store: LocalArtifactStore) -> None:
    error = Failure("exception", "half a pair: \ud800", "ValueError", (Frame("a.py", 1, "f", "f()"),), "trace")
    result = a_result({"x": Artifact("artifacts/ab/abc", "json", 3, "abc")})._replace(status=FAILED, error=error)
    ledger.write_result(result)
    assert ledger.result("r1", "fit", 2) == result
    assert list(store.list("")) == ["runs/r1/steps/fit/2/result.json"]


def test_no_result_yet(ledger: Ledger) -> None:
    assert ledger.result("r1", "fit", 1) is None


@pytest.mark.parametrize(
    "text", ["{", "[]", "null", "{}", '{"version": 1}', '{"version": 2, "run_id": "r1"}', "\ufffd"]
)
def test_a_damaged_result_names_its_key(ledger: Ledger, store: LocalArtifactStore, text: str) -> None:
    store.put("runs/r1/steps/fit/2/result.json", text.encode("utf-16") if text == "\ufffd" else text.encode())
    with pytest.raises(StateError, match=r"cannot understand 'runs/r1/steps/fit/2/result\.json'") as caught:
        ledger.result("r1", "fit", 2)
    assert caught.value.help


def test_a_damaged_deployment_names_its_key(ledger: Ledger, store: LocalArtifactStore) -> None:
    store.put("runs/r1/deployment.json", b'{"version": 1, "steps": {}}')
    with pytest.raises(StateError, match=r"cannot understand 'runs/r1/deployment\.json'"):
        ledger.deployment("r1")


def test_attempts_are_in_the_order_of_numbers(ledger: Ledger) -> None:
    for attempt in (10, 9, 1):
        ledger.write_result(a_result()._replace(attempt=attempt))
    ledger.write_result(a_result()._replace(step="fit/item"))
    assert ledger.attempts("r1", "fit") == [1, 9, 10]
    assert ledger.attempts("r1", "other") == []


def test_events_come_back_in_their_order(ledger: Ledger) -> None:
    assert ledger.events("r1") is None
    events = [Event("run_started", "r1", 1.0, data={"x": 1}), Event("step_started", "r1", 2.0, "a", 1)]
    ledger.write_events("r1", events)
    assert ledger.events("r1") == events
    ledger.write_events("r1", json.dumps([event._asdict() for event in events[:1]]))
    assert ledger.events("r1") == events[:1]


def test_of_two_walks_with_one_number_the_first_has_it(ledger: Ledger) -> None:
    assert ledger.walks("r1") == []
    assert ledger.announce_walk("r1", 2, {"host": "a"}) and not ledger.announce_walk("r1", 2, {"host": "b"})
    assert ledger.announce_walk("r1", 10, {"host": "c"})
    assert (ledger.walks("r1"), ledger.walk("r1", 2), ledger.walk("r1", 3)) == ([2, 10], {"host": "a"}, None)
    ledger.write_walk("r1", 2, {"host": "d"})
    assert (ledger.walk("r1", 2), ledger.has_walk("r1", 2), ledger.has_walk("r1", 3)) == ({"host": "d"}, True, False)


def test_traces_are_of_all_steps_and_attempts(ledger: Ledger) -> None:
    ledger.write_result(a_result())
    ledger.put_log("r1", "fit", 2, "hello\n")
    ledger.put_log("r1", "load", 1, "hello\n")
    assert ledger.traces("r1") == {"fit": {2: {"log.txt", "result.json"}}, "load": {1: {"log.txt"}}}


def test_started_is_told(ledger: Ledger) -> None:
    job = StepJob("r1", "fit", 1, "a:fit", {}, {}, (), {}, {}, "/p")
    ledger.write_started(job, 1000.0, "host", 42)
    assert ledger.started("r1", "fit", 1) == {"time": 1000.0, "host": "host", "pid": 42}
    assert ledger.started("r1", "fit", 2) is None


def test_the_cache_answers(ledger: Ledger, store: LocalArtifactStore) -> None:
    result = a_result({"x": save([1, 2], store), "y": save("text", store)})
    ledger.write_cache("k1", result)
    assert ledger.cached("k1", None) == result
    assert ledger.cached("k2", None) is None


def test_the_cache_expires(ledger: Ledger) -> None:
    ledger.write_cache("k1", a_result())
    assert ledger.cached("k1", 10, now=1011.0)
    assert ledger.cached("k1", 10, now=1011.5) is None
    assert ledger.cached("k1", 10) is None


def test_the_cache_misses_an_artifact_that_is_gone(ledger: Ledger, store: LocalArtifactStore) -> None:
    artifact = save([1, 2], store)
    ledger.write_cache("k1", a_result({"x": artifact}))
    store.delete(artifact.uri)
    assert ledger.cached("k1", None) is None


def test_the_cache_misses_an_artifact_of_another_size(ledger: Ledger, store: LocalArtifactStore) -> None:
    artifact = save([1, 2], store)
    ledger.write_cache("k1", a_result({"x": artifact}))
    store.put(artifact.uri, b"[")
    assert ledger.cached("k1", None) is None


def test_the_cache_misses_a_file_of_a_folder(ledger: Ledger, store: LocalArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made/file").write_text("content")
    artifact = save(tmp_path / "made", store)
    ledger.write_cache("k1", a_result({"x": artifact}))
    assert ledger.cached("k1", None)
    (key,) = (key for key in store.list("artifacts/") if key != artifact.uri)
    store.delete(key)
    assert ledger.cached("k1", None) is None


@pytest.mark.parametrize("text", [b"{", b"[]", b'{"version": 1}', b'{"version": 0, "created": 1, "result": {}}'])
def test_a_damaged_cache_entry_is_none(ledger: Ledger, store: LocalArtifactStore, text: bytes) -> None:
    store.put("cache/k1.json", text)
    assert ledger.cached("k1", None) is None
    ledger.write_cache("k1", a_result())
    assert ledger.cached("k1", None) == a_result()


def test_a_store_that_fails_is_no_miss(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.open", fail)
    with pytest.raises(StoreError, match="Input/output error"):
        ledger.cached("k1", None)


def test_cancel(ledger: Ledger, store: LocalArtifactStore) -> None:
    assert not ledger.cancel_requested("r1")
    ledger.request_cancel("r1")
    ledger.request_cancel("r1")
    assert ledger.cancel_requested("r1")
    assert list(store.list("")) == ["runs/r1/cancel"]
    ledger.clear_cancel("r1")
    assert not ledger.cancel_requested("r1")


def test_logs(ledger: Ledger) -> None:
    assert ledger.log("r1", "fit", 1) == ""
    ledger.append_log("r1", "fit", 1, "one\n")
    ledger.append_log("r1", "fit", 1, "two \ud800\n")
    assert ledger.log("r1", "fit", 1) == "one\ntwo ?\n"
    ledger.put_log("r1", "fit", 1, "three\n")
    assert ledger.log("r1", "fit", 1) == "three\n"


def test_a_log_path_can_be_appended_to(ledger: Ledger, store: LocalArtifactStore) -> None:
    path = Path(ledger.log_path("r1", "fit", 1) or "")
    assert path is not None
    path.write_bytes(b"caf\xe9\n")
    assert ledger.log("r1", "fit", 1) == "caf\ufffd\n"
    assert list(store.list("")) == ["runs/r1/steps/fit/1/log.txt"]


def test_a_store_without_local_logs(ledger: Ledger, store: LocalArtifactStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalArtifactStore, "log_file", lambda *_: None)
    assert ledger.log_path("r1", "fit", 1) is None
    ledger.append_log("r1", "fit", 1, "one\n")
    ledger.append_log("r1", "fit", 1, "two\n")
    assert ledger.log("r1", "fit", 1) == "one\ntwo\n"


def test_a_log_that_cannot_be_written(ledger: Ledger, store: LocalArtifactStore) -> None:
    store.put("runs/r1/steps/fit/1/log.txt/x", b"x")
    with pytest.raises(StoreError, match="cannot append to the log"):
        ledger.append_log("r1", "fit", 1, "one\n")


def test_delete_a_run(ledger: Ledger, store: LocalArtifactStore) -> None:
    artifact = save([1], store)
    ledger.write_deployment(a_deployment())
    ledger.write_deployment(a_deployment()._replace(run_id="r2"))
    ledger.write_result(a_result({"x": artifact}))
    assert ledger.run_ids() == ["r1", "r2"]
    ledger.delete_run("r1")
    assert ledger.run_ids() == ["r2"]
    assert store.size(artifact.uri) == artifact.size


def test_settings_are_the_stores(ledger: Ledger, store: LocalArtifactStore) -> None:
    assert ledger.settings == store.settings


def test_records_say_their_version(ledger: Ledger, store: LocalArtifactStore) -> None:
    ledger.write_result(a_result())
    assert json.loads(store.get("runs/r1/steps/fit/2/result.json"))["version"] == 1


def test_what_carries_a_run_is_what_was_claimed_first(ledger: Ledger) -> None:
    assert ledger.claims("r1") == []
    assert ledger.claim("r1", 1, {"run": "a"}) == {"run": "a"}
    assert ledger.claim("r1", 1, {"run": "b"}) == {"run": "a"}
    assert ledger.claim("r1", 2, {"run": "c"}) == {"run": "c"}
    assert ledger.claims("r1") == [{"run": "a"}, {"run": "c"}]

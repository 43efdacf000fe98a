"""The local flavor over a store in S3: the suite in both isolations, what a step costs in requests, and its log."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from relay import relay

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.stores import open_store
from runner.engine.stack import OpenStack
from runner.orchestrators.flavors.local import uploads
from runner.orchestrators.flavors.local.orchestrator import LocalOrchestrator
from runner.orchestrators.flavors.local.settings import LocalSettings
from runner.plan.deployment import DeployedStep, Deployment
from runner.records import Event, LogLines, Run, fold
from runner.testing import OrchestratorConformance

STEPS = """
import os, sys, time
def one(): return 1
def add(x): return x + 1
def say(text, seconds=0.0, code=None):
    print(text, flush=True)
    os.system("echo from a child")
    time.sleep(seconds)
    if code is not None:
        os._exit(code)
"""


class OverS3(OrchestratorConformance):
    long_enough_to_begin = 15.0  # the step's process connects first

    @pytest.fixture(autouse=True)
    def _store(self, s3_settings: dict[str, Any]) -> None:
        self.settings = s3_settings

    def artifact_store(self, folder: Path) -> dict[str, Any]:
        return self.settings


class TestProcess(OverS3):
    at_a_time = 2

    def orchestrator(self) -> LocalOrchestrator:
        return LocalOrchestrator(LocalSettings(max_parallel=2))


class TestWithoutIsolation(OverS3):
    def orchestrator(self) -> LocalOrchestrator:
        return LocalOrchestrator(LocalSettings(isolation="none"))


class Bench:
    """Runs steps in a folder, over a store."""

    def __init__(self, folder: Path, store: dict[str, Any], isolation: str) -> None:
        self.folder = folder
        self.store = store
        self.orchestrator = LocalOrchestrator(LocalSettings(isolation=isolation))
        (folder / "s3_steps.py").write_text(STEPS)
        self.ledger = Ledger(open_store(store))

    def happened(self, *steps: DeployedStep) -> Iterator[Event | LogLines]:
        by_name = {step.name: step for step in steps}
        deployment = Deployment("r1", "p", "s", "local", by_name, self.store, str(self.folder))
        self.ledger.write_deployment(deployment)
        yield from self.orchestrator.prepare_or_run_pipeline(deployment, OpenStack(self.ledger, self.folder / "state"))

    def run(self, *steps: DeployedStep) -> tuple[Run, str]:
        """The run, and what was printed as it went."""
        found = list(self.happened(*steps))
        told = "".join(item.text for item in found if isinstance(item, LogLines))
        return fold(item for item in found if isinstance(item, Event)), told


@pytest.fixture(params=["process", "none"])
def bench(request: pytest.FixtureRequest, tmp_path: Path, s3_settings: dict[str, Any]) -> Bench:
    return Bench(tmp_path, s3_settings, request.param)


def step(name: str, function: str, **fields: Any) -> DeployedStep:
    return DeployedStep(name, f"s3_steps:{function}", **{"cache": False, **fields})


def test_a_log_is_in_the_ledger_before_the_end_is_told(bench: Bench) -> None:
    for happened in bench.happened(step("a", "say", parameters={"text": "hello"})):
        if isinstance(happened, Event) and happened.event == "step_succeeded":
            assert bench.ledger.log("r1", "a", 1) == "hello\nfrom a child\n"


def test_a_log_is_told_as_it_is_kept(bench: Bench) -> None:
    run, told = bench.run(step("a", "say", parameters={"text": "hello"}), step("b", "say", parameters={"text": "bye"}))
    assert run.status == "succeeded"
    assert told == "hello\nfrom a child\nbye\nfrom a child\n"
    assert bench.ledger.log("r1", "b", 1) == "bye\nfrom a child\n"


def test_a_step_that_prints_nothing_leaves_no_log(bench: Bench) -> None:
    bench.run(step("a", "one"))
    assert bench.ledger.traces("r1") == {"a": {1: {"result.json"}}}


def test_the_log_of_a_process_that_was_killed_is_kept(bench: Bench) -> None:
    run, _ = bench.run(step("a", "say", parameters={"text": "last words", "code": 9}))
    assert (run.status, bench.ledger.log("r1", "a", 1)) == ("failed", "last words\nfrom a child\n")


def test_the_log_of_a_step_that_ran_out_of_time_is_kept(bench: Bench) -> None:
    run, _ = bench.run(step("a", "say", parameters={"text": "so long", "seconds": 600}, timeout=15.0))
    error = run.steps["a"].error
    assert error is not None and error.reason == "timeout"
    assert bench.ledger.log("r1", "a", 1) == "so long\nfrom a child\n"


def test_the_log_of_a_long_step_is_seen_meanwhile(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "TICK", 0.2)
    seen = threading.Event()

    def look_from_elsewhere() -> None:
        other = Ledger(open_store(bench.store))
        while not seen.wait(0.2):
            if other.log("r1", "a", 1) == "working\nfrom a child\n":
                seen.set()
                other.request_cancel("r1")

    watcher = threading.Thread(target=look_from_elsewhere, daemon=True)
    watcher.start()
    run, _ = bench.run(step("a", "say", parameters={"text": "working", "seconds": 600}))
    assert (run.status, seen.is_set()) == ("cancelled", True)
    watcher.join()


def test_a_step_costs_few_requests(tmp_path: Path, s3_settings: dict[str, Any]) -> None:
    with relay(s3_settings["endpoint_url"]) as between:
        bench = Bench(tmp_path, s3_settings | {"endpoint_url": between.url}, "process")
        chain = [step("s0", "one", cache=True, fingerprint={"code": "s0"})]
        for number in range(1, 5):
            inputs = {"x": (f"s{number - 1}", "output")}
            chain.append(step(f"s{number}", "add", inputs=inputs, cache=True, fingerprint={"code": f"s{number}"}))
        run, _ = bench.run(*chain)
    assert run.status == "succeeded"
    requests = [(method, path) for method, path in between.seen if not path.endswith("/cancel")]
    # The deployment is written and read. A step asks the cache, gets its input, puts its output, result and cache.
    assert len(requests) == 2 + 4 + 4 * 5, requests


def test_a_cached_step_costs_a_look_and_one_for_each_output(tmp_path: Path, s3_settings: dict[str, Any]) -> None:
    with relay(s3_settings["endpoint_url"]) as between:
        bench = Bench(tmp_path, s3_settings | {"endpoint_url": between.url}, "process")
        cached = step("a", "one", cache=True, fingerprint={"code": "a"})
        bench.run(cached)
        between.seen.clear()
        run, _ = bench.run(cached)
    assert run.steps["a"].status == "cached"
    assert len(between.seen) == 2 + 2

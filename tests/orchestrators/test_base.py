"""The contract: what a bare orchestrator does, and the least one that runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.stores import open_store
from runner.cli.main import main
from runner.engine.stack import OpenStack
from runner.errors import EngineError
from runner.orchestrators.base import BaseOrchestrator, Capabilities, Submission, Traits
from runner.plan.deployment import DeployedStep, Deployment, deployment_from
from runner.testing import OrchestratorConformance

Run = Callable[..., tuple[int, str, str]]
LEAST = """
import time
from runner.orchestrators.base import BaseOrchestrator
from runner.records import Event
from runner.spec.common import Spec


class Settings(Spec):
    greeting: str = "hello"


class Least(BaseOrchestrator):
    '''Runs nothing, and says so.'''

    Settings = Settings

    def prepare_or_run_pipeline(self, deployment, stack):
        yield Event("run_started", deployment.run_id, time.time())
        for name in deployment.steps:
            yield Event("step_skipped", deployment.run_id, time.time(), name, data={"reason": self.settings.greeting})
        yield Event("run_succeeded", deployment.run_id, time.time())


class Silent(BaseOrchestrator):
    def prepare_or_run_pipeline(self, deployment, stack):
        yield Event("run_started", deployment.run_id, time.time())
"""
STACKS = """
kind: stack
name: least
orchestrator: {flavor: "least_flavor:Least", greeting: good day}
---
kind: stack
name: silent
orchestrator: {flavor: "least_flavor:Silent"}
"""
PIPELINE = 'kind: pipeline\nname: p\nstack: least\nsteps: {a: {entrypoint: "steps:f"}, b: {entrypoint: "steps:f"}}\n'


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """The command line in a project whose stacks name orchestrators of its own."""
    (tmp_path / "runner.toml").touch()
    (tmp_path / "stacks").mkdir()
    for name, text in (("least_flavor.py", LEAST), ("p.yaml", PIPELINE), ("stacks/s.yaml", STACKS)):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "least_flavor", raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        return (code, *capfd.readouterr())

    return run


# -- an orchestrator of one's own, by its import path in a stack file --------------------------------------------------


def test_the_least_orchestrator_runs_a_pipeline(runner: Run) -> None:
    code, out, _ = runner("run", "p.yaml")
    assert code == 0
    assert "p on stack least" in out and "skipped: good day" in out


def test_its_run_is_on_record_with_all_that_is_known_of_it(runner: Run) -> None:
    runner("run", "p.yaml")
    run = json.loads(runner("runs", "show", "--format", "json")[1])
    assert (run["pipeline"], run["stack"], run["status"], set(run["steps"])) == ("p", "least", "succeeded", {"a", "b"})


def test_one_that_does_not_tell_the_end_has_failed(runner: Run) -> None:
    code, _, err = runner("run", "p.yaml", "--stack", "silent")
    assert (code, "stopped without telling how the run ended" in err) == (5, True)
    assert json.loads(runner("runs", "list", "--format", "json")[1])[0]["status"] == "failed"


def test_its_settings_are_checked_at_their_position(runner: Run, tmp_path: Path) -> None:
    (tmp_path / "stacks" / "s.yaml").write_text(STACKS.replace("greeting", "greting"))
    code, out, _ = runner("validate")
    assert (code, "stacks/s.yaml:4:46: error[unknown-key]" in out) == (3, True)
    assert "did you mean 'greeting'?" in out


def test_it_is_shown_as_any_flavor(runner: Run) -> None:
    assert "greeting  text  hello" in runner("flavors", "least_flavor:Least")[1]


# -- the base ----------------------------------------------------------------------------------------------------------


class Bare(BaseOrchestrator):
    flavor = "bare"


ASKING = DeployedStep(
    "a",
    "s:f",
    resources={"cpu_count": 1, "memory": 1, "gpu_count": 1, "gpu_type": "x", "disk": 1, "shm": 1},
    retry={"max_retries": 1},
    timeout=1.0,
)


def stack(folder: Path) -> OpenStack:
    return OpenStack(Ledger(open_store({"flavor": "local", "path": str(folder / "artifacts")})), folder)


def test_a_bare_one_can_do_nothing_runs_here_and_refuses_nothing_by_itself() -> None:
    assert Bare.capabilities_of(Bare.Settings()) == Capabilities()
    assert (Bare.traits, Bare.remote, Bare.available) == (Traits("-", "-", "-", "-"), False, True)
    assert [*Bare().refusals([ASKING], "/"), *Bare().lacks([ASKING], "/")] == []


def test_compiling_gives_the_deployment_as_plain_data() -> None:
    deployment = Deployment("r1", "p", "s", "bare", {"a": ASKING}, {"flavor": "local"}, "/p")
    documents = Bare().compile(deployment).documents
    assert deployment_from(json.loads(json.dumps(documents["deployment.json"]))) == deployment


@pytest.mark.parametrize("call", ["submit", "watch", "cancel"])
def test_what_is_not_overridden_says_so(tmp_path: Path, call: str) -> None:
    orchestrator: Any = Bare()
    with pytest.raises(EngineError, match=f"flavor 'bare' cannot {call}"):
        getattr(orchestrator, call)(Submission("r1", "bare"), stack(tmp_path))


def test_logs_are_those_of_the_last_attempt_in_the_ledger(tmp_path: Path) -> None:
    found = stack(tmp_path)
    assert list(Bare().logs(Submission("r1", "bare"), "a", found)) == []
    for attempt in (1, 2):
        found.ledger.put_log("r1", "a", attempt, f"attempt\n{attempt}\n")
    assert list(Bare().logs(Submission("r1", "bare"), "a", found)) == ["attempt", "2"]


def test_settings_have_their_defaults_and_there_is_no_address() -> None:
    assert Bare().settings == Bare.Settings()
    assert Bare().url(Submission("r1", "bare")) is None


def test_the_suite_asks_for_an_orchestrator() -> None:
    with pytest.raises(TypeError, match="orchestrator"):
        OrchestratorConformance()  # type: ignore[abstract]

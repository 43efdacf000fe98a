"""Runs that end in an engine which walks them itself, while nobody looks on: here an orchestrator of one's own."""

from __future__ import annotations

import json
from typing import Any

import pytest

FAR = '''
"""An engine that does nothing: what it says of its one run stands in the file `says`, as status and message."""
from pathlib import Path
from runner.errors import EngineError
from runner.orchestrators.base import Seen, Silent, StepSeen, Submission
from runner.orchestrators.flavors.local.orchestrator import LocalOrchestrator
from runner.orchestrators.base import BaseOrchestrator
from runner.orchestrators.oversee import oversee

class Far(BaseOrchestrator):
    flavor = "far"
    Settings = LocalOrchestrator.Settings
    detaches = True

    def submit(self, bundle, stack):
        Path(bundle.deployment.project, "submitted").write_text("x")
        return Submission(bundle.run_id, self.flavor, {"place": bundle.deployment.project})

    def seen(self, submission, stack):
        status, _, message = Path(submission.handle["place"], "says").read_text().partition(" ")
        if status == "silent":
            raise Silent("no answer")
        if status == "waits":
            return Seen("running", "", {"one": StepSeen("pending", message)})
        steps = {"one": StepSeen(status, message)} if status == "failed" else {}
        return Seen(status, message, steps)

    def watch(self, submission, stack):
        deployment = stack.ledger.deployment(submission.run_id)
        yield from oversee(deployment, stack, lambda: self.seen(submission, stack), lambda: None, known={})

    def cancel(self, submission, stack):
        try:
            Path(submission.handle["place"], "says").write_text("cancelled")
        except OSError as error:
            raise EngineError(f"it cannot be told: {error}", "look at it") from error

    def url(self, submission):
        return "https://far.example.com/1"
'''


@pytest.fixture
def far(machines: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The project `a`, whose runs are in such an engine; `b` looks on with the stack's file alone."""
    monkeypatch.setenv("PYTHONPATH", str(machines.a.folder))
    (machines.a.folder / "far.py").write_text(FAR)
    stack = machines.a.folder / "stacks" / "parallel.yaml"
    stack.write_text(stack.read_text().replace("flavor: local,", 'flavor: "far:Far",', 1))
    return machines


def begun(far: Any, says: str) -> str:
    (far.a.folder / "says").write_text("running")
    (far.a.folder / "one.yaml").write_text(
        "kind: pipeline\nname: one\nstack: parallel\nsteps:\n  one: {entrypoint: 'kept_steps:never'}\n"
    )
    told = far.a.runner("run", "one.yaml", "--detach", "--format", "json").stdout.splitlines()
    first, second = map(json.loads, told)
    assert (second["event"], second["url"]) == ("run_submitted", "https://far.example.com/1")
    run_id: str = first["run_id"]
    (far.a.folder / "says").write_text(says)
    return run_id


def test_a_step_that_never_began_is_told_to_have_failed_once_somebody_asks(far: Any) -> None:
    run_id = begun(far, "failed ImagePullBackOff")
    shown = far.a.json("runs", "show", run_id)
    assert (shown["status"], shown["steps"]["one"]["error"]["reason"]) == ("failed", "image")
    (far.a.folder / "says").unlink()  # from here on it is on record, for other machines too
    assert far.status(run_id) == "failed"
    assert far.a.json("runs", "list")[0]["status"] == "failed"


def test_where_its_engine_shows_it_is_told(far: Any) -> None:
    run_id = begun(far, "running")
    assert far.a.json("runs", "show", run_id)["url"] == "https://far.example.com/1"
    assert "engine    https://far.example.com/1" in far.a.runner("runs", "show", run_id).stdout


def test_an_engine_that_does_not_answer_is_a_note(far: Any) -> None:
    run_id = begun(far, "silent")
    shown = far.a.runner("runs", "show", run_id)
    assert "status    running" in shown.stdout
    assert shown.stderr == "note: its engine cannot be asked from here: no answer\n"


def test_what_a_step_waits_for_is_told_while_it_does(far: Any) -> None:
    run_id = begun(far, "waits ImagePullBackOff")
    assert "waits for\n  one  ImagePullBackOff" in far.a.runner("runs", "show", run_id).stdout
    assert far.a.json("runs", "show", run_id)["steps"]["one"]["reason"] == "ImagePullBackOff"


def test_a_run_whose_engine_is_gone_for_good_can_be_given_up(far: Any) -> None:
    run_id = begun(far, "running")
    (far.a.folder / "says").unlink()
    (far.a.folder / "says").mkdir()  # which nothing can be written to
    refused = far.a.runner("runs", "cancel", run_id)
    assert refused.returncode == 5 and f"if it is gone for good: runner runs cancel {run_id} --force" in refused.stderr
    assert far.a.runner("runs", "cancel", run_id, "--force").stdout == f"run {run_id} is cancelled\n"
    assert far.status(run_id) == "cancelled"


def test_a_stack_that_names_another_engine_by_now_is_told_of(far: Any) -> None:
    run_id = begun(far, "silent")
    stack = far.a.folder / "stacks" / "parallel.yaml"
    stack.write_text(stack.read_text().replace("max_parallel: 3", "max_parallel: 4"))
    told = far.a.runner("runs", "resume", run_id).stderr
    assert "stack 'parallel' has changed since: this run stays with what it said when it began" in told


def test_a_run_that_its_engine_still_has_is_not_gone_on_with(far: Any) -> None:
    run_id = begun(far, "running")
    refused = far.a.runner("runs", "resume", run_id)
    assert refused.returncode == 5
    assert refused.stderr.startswith(f"error: run '{run_id}' is still going in its engine")
    assert far.a.json("runs", "show", run_id)["status"] == "running"


def test_a_cancelled_run_is_cancelled_there_too(far: Any) -> None:
    run_id = begun(far, "running")
    assert far.a.runner("runs", "cancel", run_id).stdout == f"run {run_id} is cancelled\n"
    assert (far.a.folder / "says").read_text() == "cancelled"
    assert far.status(run_id) == "cancelled"

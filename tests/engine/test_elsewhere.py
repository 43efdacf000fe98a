"""Runs of one machine on another one, with the stack's file only or with the code too: the store is the database."""

from __future__ import annotations

from typing import Any

import pytest


def said(text: str) -> str:
    """A text without what differs on purpose: how to go on from there."""
    return text.replace(" --stack shared.yaml", "")


def killed(machines: Any, tools: Any) -> str:
    """A run on `a` whose process was killed in its second step."""
    run = machines.a.start("run", "slow.yaml")
    assert run.read("step_started", "other")
    tools.until(lambda: {"slow", "other"} <= set(machines.a.ran()))
    run.process.kill()
    run.end()
    tools.until(lambda: not tools.marked(run.run_id))
    return str(run.run_id)


def test_another_machine_tells_the_same(machines: Any) -> None:
    for pipeline in ("quick.yaml", "broken.yaml"):
        machines.a.runner("run", pipeline)
    assert said(machines.b("runs", "list")) == machines.a.runner("runs", "list").stdout
    good, bad = (run["run_id"] for run in reversed(machines.a.json("runs", "list")))
    for command in (("runs", "show", bad), ("runs", "logs", bad), ("artifacts", "list", good)):
        assert said(machines.b(*command)) == machines.a.runner(*command).stdout
    machines.b("artifacts", "get", good, "last", "-o", "value.json")
    assert "'first'" in (machines.folder / "value.json").read_text()
    assert sorted(path.name for path in machines.folder.iterdir()) == ["shared.yaml", "value.json"]


def test_cached_steps_are_told_elsewhere(machines: Any) -> None:
    pipeline = machines.a.folder / "quick.yaml"
    pipeline.write_text(pipeline.read_text().replace("cache: false", "cache: true"))
    for _ in range(2):
        machines.a.runner("run", "quick.yaml")
    assert machines.b("runs", "show") == machines.a.runner("runs", "show").stdout
    assert "cached" in machines.b("runs", "show", "last")


def test_a_killed_run_goes_on_where_the_code_is(machines: Any, tools: Any) -> None:
    run_id = killed(machines, tools)
    assert machines.status(run_id) == "interrupted"
    refused = machines.call("runs", "resume", run_id)
    assert (refused.returncode, "there is no module 'kept_steps'" in refused.stderr) == (5, True)
    assert not (machines.folder / ".runner").exists()
    steps = machines.c.folder / "kept_steps.py"
    steps.write_text(steps.read_text().replace("work(name, 60)", "work(name)"))
    resumed = machines.c.start("runs", "resume", run_id, "--stack", "parallel")
    assert resumed.end() == 0, resumed.errors
    assert machines.c.ran() == {"slow": 1, "other": 1}
    assert machines.status(run_id) == "succeeded"
    assert [run["status"] for run in machines.a.json("runs", "list")] == ["succeeded"]
    assert machines.a.json("runs", "show", run_id)["status"] == "succeeded"


def test_a_run_that_goes_is_followed_cancelled_and_not_walked_twice(machines: Any, tools: Any) -> None:
    run = machines.a.start("run", "slow.yaml")
    assert run.read("step_started", "other")
    tools.until(lambda: machines.status(run.run_id) == "running")
    second = machines.c.runner("runs", "resume", run.run_id, "--stack", "parallel")
    assert (second.returncode, "is still going, in process" in second.stderr) == (5, True)
    assert machines.call("runs", "delete", run.run_id, "--yes").returncode == 64
    assert machines.b("runs", "cancel", run.run_id) == f"run {run.run_id} is cancelled\n"
    assert (run.end(), machines.status(run.run_id)) == (130, "cancelled")
    assert machines.b("runs", "logs", "-f", run.run_id) == ""


def test_a_run_that_was_left_is_cancelled_from_elsewhere(machines: Any, tools: Any) -> None:
    run_id = killed(machines, tools)
    assert machines.b("runs", "cancel", run_id) == f"run {run_id} is cancelled\n"
    assert machines.status(run_id) == "cancelled"


def test_a_deleted_run_is_gone_from_both(machines: Any) -> None:
    machines.a.runner("run", "quick.yaml")
    assert machines.a.runner("runs", "delete", "last", "--yes").returncode == 0
    assert machines.b("runs", "list", "--format", "json") == "[]\n"
    assert machines.a.json("runs", "list", "--stack", "parallel") == []


@pytest.mark.parametrize("machines", ["a folder"], indirect=True)
def test_the_active_stack_shows_runs_of_others_beside_ones_own(machines: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    machines.a.runner("run", "quick.yaml")
    machines.c.runner("run", "quick.yaml")
    assert len(machines.c.json("runs", "list")) == 1
    monkeypatch.setenv("RUNNER_STACK", "parallel")
    assert [run["run_id"] for run in machines.c.json("runs", "list")] == [
        run["run_id"] for run in machines.a.json("runs", "list")
    ]

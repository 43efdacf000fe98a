"""A run is stopped from another process, by Ctrl-C, by a signal; deleted and resumed only when that makes sense."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest


def statuses(workshop: Any, run_id: str) -> dict[str, str]:
    return {name: step["status"] for name, step in workshop.json("runs", "show", run_id)["steps"].items()}


def slow_run(workshop: Any, tools: Any) -> Any:
    """A run with two steps at work."""
    run = workshop.start("run", "slow.yaml")
    assert run.read("step_started", "other")
    tools.until(lambda: {"slow", "other"} <= set(workshop.ran()))
    return run


def test_several_running_steps_are_cancelled_from_another_process(workshop: Any, tools: Any) -> None:
    run = slow_run(workshop, tools)
    assert workshop.runner("runs", "cancel", run.run_id).stdout == f"run {run.run_id} is cancelled\n"
    assert run.end() == 130
    assert statuses(workshop, run.run_id) == {"quick": "succeeded", "slow": "cancelled", "other": "cancelled"}
    assert not tools.marked(run.run_id)


def test_a_step_that_waits_to_be_tried_again_is_cancelled(workshop: Any) -> None:
    run = workshop.start("run", "retry.yaml")
    assert run.read("step_retrying", "bad")
    assert workshop.runner("runs", "cancel", run.run_id).returncode == 0
    assert run.end() == 130
    assert statuses(workshop, run.run_id) == {"bad": "cancelled"}


def test_a_run_is_cancelled_before_its_first_step_is_at_work(workshop: Any) -> None:
    (workshop.folder / "kept_steps.py").write_text("import time\ntime.sleep(1.5)\ndef slow(name): time.sleep(60)\n")
    (workshop.folder / "late.yaml").write_text(
        'kind: pipeline\nname: late\nsteps: {slow: {entrypoint: "kept_steps:slow", parameters: {name: slow}}}\n'
    )
    run = workshop.start("run", "late.yaml")
    assert run.read("step_started")
    assert workshop.runner("runs", "cancel", run.run_id).returncode == 0
    assert (run.end(), run.told[-1]["event"]) == (130, "run_cancelled")


def test_an_interrupted_run_is_cancelled_with_what_is_left_of_it(workshop: Any, tools: Any) -> None:
    run = slow_run(workshop, tools)
    for pid in [run.process.pid, *filter(tools.is_host, tools.marked(run.run_id))]:
        tools.kill(pid)
    assert tools.marked(run.run_id)
    assert workshop.runner("runs", "cancel", run.run_id).returncode == 0
    tools.until(lambda: not tools.marked(run.run_id))
    assert statuses(workshop, run.run_id)["slow"] == "cancelled"
    assert workshop.runner("runs", "cancel", run.run_id).returncode == 64


def test_a_run_in_the_background_is_cancelled(workshop: Any) -> None:
    run_id = workshop.json("run", "slow.yaml", "--detach")["run_id"]
    assert workshop.runner("runs", "cancel", run_id).stdout == f"run {run_id} is cancelled\n"
    assert workshop.json("runs", "show", run_id)["status"] == "cancelled"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_group_leaves_a_cancelled_run(workshop: Any, tools: Any, number: int) -> None:
    run = slow_run(workshop, tools)
    os.killpg(run.process.pid, number)
    assert (run.end(), run.told[-1]["event"]) == (130, "run_cancelled")
    assert "Traceback" not in run.errors
    tools.until(lambda: not tools.marked(run.run_id))


def test_a_second_ctrl_c_leaves_at_once_and_the_run_can_go_on(workshop: Any, tools: Any) -> None:
    (workshop.folder / "kept_steps.py").write_text(
        "import os, signal, time\n"
        "def work(name): open('ran.txt', 'a').write(name + ' 0\\n')\n"
        "def slow(name, **inputs):\n"
        "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "    work(name)\n"
        "    time.sleep(0 if os.path.exists('fixed') else 60)\n"
    )
    run = slow_run(workshop, tools)
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.process.stderr.readline() == "\n" and "once more" in run.process.stderr.readline()
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.end() == 130
    tools.until(lambda: not tools.marked(run.run_id))
    (workshop.folder / "fixed").touch()
    assert workshop.start("runs", "resume", run.run_id).end() == 0


def test_a_run_that_is_going_is_neither_deleted_nor_resumed(workshop: Any, tools: Any) -> None:
    run = slow_run(workshop, tools)
    deleted = workshop.runner("runs", "delete", run.run_id, "--yes")
    assert (deleted.returncode, f"runner runs cancel {run.run_id}" in deleted.stderr) == (64, True)
    resumed = workshop.runner("runs", "resume", run.run_id)
    assert (resumed.returncode, f"in process {run.process.pid}" in resumed.stderr) == (5, True)
    assert workshop.json("runs", "show", run.run_id)["status"] == "running"


def test_an_interrupted_run_is_deleted_with_what_is_left_of_it(workshop: Any, tools: Any) -> None:
    run = slow_run(workshop, tools)
    for pid in [run.process.pid, *filter(tools.is_host, tools.marked(run.run_id))]:
        tools.kill(pid)
    assert workshop.runner("runs", "delete", run.run_id, "--yes").returncode == 0
    tools.until(lambda: not tools.marked(run.run_id))
    assert workshop.json("runs", "list") == []


def test_a_succeeded_run_has_nothing_to_resume(workshop: Any) -> None:
    assert workshop.runner("run", "quick.yaml").returncode == 0
    resumed = workshop.runner("runs", "resume", "last")
    assert (resumed.returncode, "has succeeded: there is nothing to resume" in resumed.stderr) == (64, True)


def test_a_resume_uses_the_code_of_now(workshop: Any) -> None:
    run = workshop.start("run", "broken.yaml")
    assert run.end() == 1
    steps = workshop.folder / "kept_steps.py"
    steps.write_text(steps.read_text().replace('raise ValueError("not yet")', 'return "mended"'))
    assert workshop.start("runs", "resume", run.run_id).end() == 0
    assert workshop.ran() == {"good": 1, "bad": 2}
    assert "mended" in workshop.runner("artifacts", "show", "last", "bad").stdout

"""Whatever is killed at whatever moment: `runs resume` ends the run, and nothing that was told is done again."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

MOMENTS = {
    "at the start": ("run_started", None),
    "in the middle": ("step_succeeded", "middle"),
    "in the last step": ("step_started", "last"),
}
VICTIMS = ("runner", "host", "step", "runner and host")


def hosts(run: Any, tools: Any) -> list[int]:
    return [pid for pid in tools.marked(run.run_id) if tools.is_host(pid)]


def attack(workshop: Any, run: Any, victim: str, tools: Any) -> None:
    """Kill it, as soon as there is one."""
    found = hosts(run, tools) if victim == "runner" else tools.until(lambda: hosts(run, tools))
    if victim == "step":
        own = tools.until(workshop.notes)[-1].split()[1]
        tools.kill(int(own))
    if "runner" in victim:
        run.process.kill()
    for pid in found if "host" in victim else []:
        tools.kill(pid)


def finish(workshop: Any, run: Any, tools: Any) -> None:
    """Resume the run to its end, and look at everything that must hold then."""
    told, ran = run.steps("step_succeeded"), workshop.ran()
    resumed = workshop.start("runs", "resume", run.run_id)
    assert resumed.end() == 0, resumed.errors
    assert resumed.told[-1]["event"] == "run_succeeded"
    assert {name: workshop.ran()[name] for name in told} == {name: ran[name] for name in told}
    tools.until(lambda: not tools.marked(run.run_id))
    undisturbed = workshop.start("run", "work.yaml")
    assert undisturbed.end() == 0
    assert workshop.digests(run.run_id) == workshop.digests(undisturbed.run_id)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("victim", VICTIMS)
def test_a_run_ends_after_a_kill(workshop: Any, tools: Any, victim: str, moment: str) -> None:
    run = workshop.start("run", "work.yaml")
    assert run.read(*MOMENTS[moment])
    attack(workshop, run, victim, tools)
    code = run.end()
    if victim in ("host", "step") and code == 0:  # what was killed had done its work already
        return
    assert (code == 1) == (victim in ("host", "step"))
    finish(workshop, run, tools)


@pytest.mark.parametrize("seed", range(4))
def test_a_run_ends_after_kills_at_random_moments(workshop: Any, tools: Any, seed: int) -> None:
    chance = random.Random(seed)
    run = workshop.start("run", "work.yaml")
    assert run.read("run_started")
    run_id, told = run.run_id, {}
    for _ in range(3):
        time.sleep(chance.uniform(0, 0.6))
        run.process.kill()
        for pid in tools.marked(run_id) if chance.random() < 0.5 else []:
            if tools.is_host(pid):
                tools.kill(pid)
        run.end()
        told |= {name: workshop.ran()[name] for name in run.steps("step_succeeded") - set(told)}
        run = workshop.start("runs", "resume", run_id)
    run.end()
    assert workshop.json("runs", "show", run_id)["status"] == "succeeded"
    assert {name: workshop.ran()[name] for name in told} == told


@pytest.mark.parametrize("delay", [0.02, 0.1, 0.2, 0.3, 0.4])
def test_a_kill_before_anything_was_told(workshop: Any, tools: Any, delay: float) -> None:
    run = workshop.start("run", "work.yaml")
    time.sleep(delay)
    run.process.kill()
    run.end()
    found = workshop.json("runs", "list")
    if found:
        assert workshop.runner("runs", "resume", "last").returncode == 0
    again = workshop.start("run", "work.yaml")
    assert again.end() == 0
    assert [each["status"] for each in workshop.json("runs", "list")] == ["succeeded"] * (len(found) + 1)


def test_a_killed_run_is_told_as_interrupted_with_the_way_on(workshop: Any) -> None:
    run = workshop.start("run", "slow.yaml")
    assert run.read("step_started", "slow")
    run.process.kill()
    run.end()
    assert workshop.json("runs", "list")[0]["status"] == "interrupted"
    for shown in (workshop.runner("runs", "list").stdout, workshop.runner("runs", "show", run.run_id).stdout):
        assert "interrupted" in shown and f"runner runs resume {run.run_id}" in shown


def test_a_killed_runner_takes_its_processes_with_it(workshop: Any, tools: Any) -> None:
    run = workshop.start("run", "slow.yaml")
    assert run.read("step_started", "slow")
    tools.until(lambda: "slow" in workshop.ran())
    run.process.kill()
    tools.until(lambda: not tools.marked(run.run_id))


def test_what_outlived_runner_and_host_is_stopped_by_the_resume(workshop: Any, tools: Any) -> None:
    run = workshop.start("run", "slow.yaml")
    assert run.read("step_started", "slow")
    old = int(tools.until(lambda: [note for note in workshop.notes() if note.startswith("slow")])[0].split()[1])
    for pid in [run.process.pid, *hosts(run, tools)]:
        tools.kill(pid)
    resumed = workshop.start("runs", "resume", run.run_id)
    assert resumed.read("step_started", "slow")
    tools.until(lambda: old not in tools.marked(run.run_id))
    assert workshop.runner("runs", "cancel", run.run_id).returncode == 0
    assert resumed.end() == 130


def test_a_result_that_nobody_told_is_taken_from_the_ledger(workshop: Any, tools: Any) -> None:
    run = workshop.start("run", "work.yaml")
    assert run.read("step_started", "right")
    for pid in [run.process.pid, *hosts(run, tools)]:
        tools.kill(pid)
    run.end()
    result = workshop.folder / f".runner/artifacts/runs/{run.run_id}/steps/right/1/result.json"
    if "right" in workshop.ran():
        tools.until(result.exists)  # its process lived on and ended
    finish(workshop, run, tools)
    assert workshop.json("runs", "show", run.run_id)["steps"]["right"]["status"] == "succeeded"

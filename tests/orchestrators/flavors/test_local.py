"""What the local flavor does beyond the suite: limits, trees of processes, environments, crashes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.materializers import load
from runner.artifact_store.stores import open_store
from runner.engine.stack import OpenStack
from runner.orchestrators.flavors.local.environments import Environments
from runner.orchestrators.flavors.local.orchestrator import LocalOrchestrator
from runner.orchestrators.flavors.local.settings import LocalSettings
from runner.plan.deployment import DeployedStep, Deployment
from runner.records import Event, LogLines, Run, fold

STEPS = '''
import os, subprocess, sys, threading, time

def value(x): return x
def environment(name): return os.environ.get(name, "")
def affinity(): return sorted(os.sched_getaffinity(0))
def eat(size):
    block = bytearray(size)
    time.sleep(30)
def eat_in_child(size):
    subprocess.run([sys.executable, "-c", f"import time; b = bytearray({size}); time.sleep(30)"])
def leave_children(file):
    """A sleeping child, one in a session of its own, and its own child; their numbers go to a file."""
    first = subprocess.Popen(["sleep", "300"])
    second = subprocess.Popen(["setsid", "sh", "-c", "sleep 300 & echo $! $$ > " + file + "; wait"])
    while not os.path.exists(file) or not open(file).read().strip():
        time.sleep(0.01)
    with open(file, "a") as out:
        print(first.pid, second.pid, file=out)
def stubborn(file):
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    leave_children(file)
    print("ready", flush=True)
    time.sleep(60)
def exits(code): os._exit(code)
def quits(): sys.exit(3)
def killed(): os.kill(os.getpid(), 9)
def leaks_variable():
    os.environ["LEAK"] = "yes"
    return os.environ["LEAK"]
def threaded():
    threading.Thread(target=lambda: (time.sleep(0.2), print("from the thread", flush=True))).start()
def kill_host():
    os.kill(os.getppid(), 9)
    time.sleep(60)
def big(n): return "x" * n
def wrong_outputs(): return {"a": 1}
def unsavable(): return threading.Lock()
def secret(token):
    print("the token is", token)
    subprocess.run(["echo", token])
    raise ValueError("refused " + token)
def random_number():
    import random
    return random.random()
def where(): return [sys.executable, os.getcwd()]
'''


def step(name: str, function: str, **fields: Any) -> DeployedStep:
    return DeployedStep(name, f"local_steps:{function}", **{"cache": False, **fields})


class Bench:
    """Runs deployments in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "local_steps.py").write_text(STEPS)
        self.store = {"flavor": "local", "path": str(folder / "artifacts")}
        self.stack = OpenStack(Ledger(open_store(self.store)), folder / "state")

    def happened(self, *steps: DeployedStep, **settings: Any) -> Iterator[Event | LogLines]:
        by_name = {each.name: each for each in steps}
        deployment = Deployment("r1", "p", "default", "local", by_name, self.store, str(self.folder), {}, "continue")
        self.stack.ledger.write_deployment(deployment)
        yield from LocalOrchestrator(LocalSettings(**settings)).prepare_or_run_pipeline(deployment, self.stack)

    def run(self, *steps: DeployedStep, **settings: Any) -> Run:
        return fold(item for item in self.happened(*steps, **settings) if isinstance(item, Event))

    def value(self, run: Run, name: str) -> Any:
        return load(run.steps[name].outputs["output"], open_store(self.store), self.folder)

    def reason(self, run: Run, name: str = "a") -> str:
        error = run.steps[name].error
        assert error is not None
        return error.reason


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def numbers(file: Path) -> list[int]:
    return [int(word) for word in file.read_text().split()]


@pytest.mark.parametrize("function", ["eat", "eat_in_child"])
def test_memory_is_enforced_over_the_whole_tree(bench: Bench, function: str) -> None:
    run = bench.run(step("a", function, parameters={"size": 400_000_000}, resources={"memory": 150_000_000}))
    assert bench.reason(run) == "out-of-memory"
    assert run.steps["a"].error is not None and "its resources allow 143 MiB" in run.steps["a"].error.message


def test_memory_within_the_limit_is_left_alone(bench: Bench) -> None:
    run = bench.run(step("a", "value", parameters={"x": 1}, resources={"memory": 500_000_000}))
    assert run.status == "succeeded"


def test_cpu_count_sets_affinity_and_thread_variables(bench: Bench) -> None:
    run = bench.run(
        step("a", "affinity", resources={"cpu_count": 1}),
        step("b", "environment", parameters={"name": "OMP_NUM_THREADS"}, resources={"cpu_count": 1}),
    )
    assert len(bench.value(run, "a")) == 1
    assert bench.value(run, "b") == "1"


def test_steps_with_processors_of_their_own_do_not_share_them(bench: Bench) -> None:
    steps = [step(name, "affinity", resources={"cpu_count": 1}) for name in ("a", "b")]
    run = bench.run(*steps, max_parallel=2)
    if len(os.sched_getaffinity(0)) > 1:
        assert bench.value(run, "a") != bench.value(run, "b") or run.steps["a"].ended < run.steps["b"].started


def test_a_declared_variable_wins_over_the_thread_variables(bench: Bench) -> None:
    variables = {"OMP_NUM_THREADS": "7"}
    a = step(
        "a", "environment", parameters={"name": "OMP_NUM_THREADS"}, environment=variables, resources={"cpu_count": 1}
    )
    assert bench.value(bench.run(a), "a") == "7"


def test_visible_devices_are_handed_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    steps = [
        step(name, "environment", parameters={"name": "CUDA_VISIBLE_DEVICES"}, resources={"gpu_count": count})
        for name, count in (("one", 1), ("two", 2))
    ]
    run = bench.run(*steps, step("none", "environment", parameters={"name": "CUDA_VISIBLE_DEVICES"}))
    assert [bench.value(run, name) for name in ("one", "two", "none")] == ["4", "4,6", ""]


def test_a_timeout_kills_the_whole_tree_even_a_stubborn_one(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "pids"
    run = bench.run(step("a", "stubborn", parameters={"file": str(file)}, timeout=1.0))
    assert bench.reason(run) == "timeout"
    wait_until(lambda: not any(alive(pid) for pid in numbers(file)))


def test_what_a_finished_attempt_left_running_is_stopped(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "pids"
    run = bench.run(step("a", "leave_children", parameters={"file": str(file)}))
    assert run.status == "succeeded"
    wait_until(lambda: not any(alive(pid) for pid in numbers(file)))


@pytest.mark.parametrize(("code", "reason"), [(0, "exit"), (9, "exit")])
def test_a_process_that_ends_by_itself_has_failed(bench: Bench, code: int, reason: str) -> None:
    assert bench.reason(bench.run(step("a", "exits", parameters={"code": code}))) == reason


def test_sys_exit_is_a_failure_in_words(bench: Bench) -> None:
    run = bench.run(step("a", "quits"))
    assert run.steps["a"].error is not None and "sys.exit(3)" in run.steps["a"].error.message


def test_a_killed_process_is_told_with_its_signal(bench: Bench) -> None:
    run = bench.run(step("a", "killed"))
    assert run.steps["a"].error is not None and "signal 9" in run.steps["a"].error.message


def test_an_attempt_does_not_leak_into_the_next(bench: Bench) -> None:
    after = step("b", "environment", parameters={"name": "LEAK"}, after=("a",))
    assert bench.value(bench.run(step("a", "leaks_variable"), after), "b") == ""
    assert bench.value(bench.run(step("a", "leaks_variable"), after, isolation="none"), "b") == ""


def test_threads_end_before_the_attempt_does(bench: Bench) -> None:
    happened = bench.happened(step("a", "threaded"))
    assert "from the thread" in "".join(item.text for item in happened if isinstance(item, LogLines))


def test_random_numbers_differ_between_attempts(bench: Bench) -> None:
    run = bench.run(step("a", "random_number"), step("b", "random_number"))
    assert bench.value(run, "a") != bench.value(run, "b")


def test_a_killed_host_loses_the_attempt_and_not_the_run(bench: Bench) -> None:
    retry = {"max_retries": 0, "delay": 0.0, "backoff": 1.0, "max_delay": 1.0}
    run = bench.run(step("a", "kill_host", retry=retry))
    assert run.status == "failed" and bench.reason(run) == "lost"


def test_a_job_larger_than_a_message_arrives(bench: Bench) -> None:
    run = bench.run(step("a", "value", parameters={"x": "y" * 300_000}))
    assert bench.value(run, "a") == "y" * 300_000


def test_outputs_other_than_declared_are_told(bench: Bench) -> None:
    run = bench.run(step("a", "wrong_outputs", outputs=("a", "b")))
    assert run.steps["a"].error is not None
    assert run.steps["a"].error.message == "it declares the outputs 'a', 'b' but returned a mapping of 'a'"


def test_a_value_that_cannot_be_saved_names_step_output_and_type(bench: Bench) -> None:
    error = bench.run(step("a", "unsavable")).steps["a"].error
    assert error is not None and error.reason == "cannot-save"
    assert "'output'" in error.message and "'a'" in error.message and "lock" in error.message


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_a_secret_reaches_the_step_and_nothing_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, isolation: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("TOKEN", "hunter2hunter2")
    happened = list(bench.happened(step("a", "secret", parameters={"token": "${secrets.TOKEN}"}), isolation=isolation))
    log = bench.stack.ledger.log("r1", "a", 1)
    assert log.count("***") >= 2
    assert "hunter2" not in repr(happened)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"hunter2" not in file.read_bytes(), file


def test_a_missing_secret_is_named(bench: Bench) -> None:
    error = bench.run(step("a", "secret", parameters={"token": "${secrets.NOPE}"})).steps["a"].error
    assert error is not None and error.reason == "secret" and "'NOPE'" in error.message


def test_a_step_in_an_environment_of_its_own(bench: Bench) -> None:
    own = {"settings": {"environment": "venv"}, "image": {"requirements": ["six==1.16.0"]}}
    first = bench.run(step("a", "where", **own))
    interpreter, folder = bench.value(first, "a")
    assert interpreter != sys.executable and str(bench.folder) in interpreter
    assert folder == str(bench.folder)
    assert bench.value(bench.run(step("a", "where", **own)), "a")[0] == interpreter


def test_an_environment_that_cannot_be_made_fails_its_steps_and_no_others(bench: Bench) -> None:
    wrong = {"settings": {"environment": "venv"}, "image": {"requirements": ["./there-is-no-such-folder"]}}
    steps = [step("b", "where", **wrong), step("c", "value", parameters={"x": 1})]
    happened = list(bench.happened(*steps, max_parallel=2))
    run = fold(item for item in happened if isinstance(item, Event))
    assert (bench.reason(run, "b"), run.steps["c"].status) == ("environment", "succeeded")
    assert "no-such-folder" in next(item.text for item in happened if isinstance(item, LogLines))


def test_a_step_that_waits_for_its_environment_can_be_stopped(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Environments, "make", lambda self, name: time.sleep(30))
    own = {"settings": {"environment": "venv"}, "image": {"requirements": ["six"]}}
    assert bench.reason(bench.run(step("a", "where", timeout=0.3, **own))) == "timeout"


def test_a_timeout_covers_the_import_of_the_module(bench: Bench) -> None:
    (bench.folder / "slow_module.py").write_text("import time\nprint('importing')\ntime.sleep(60)\ndef f(): pass\n")
    slow = DeployedStep("a", "slow_module:f", cache=False, timeout=0.7)
    beside = step("b", "value", parameters={"x": 1})
    happened = list(bench.happened(slow, beside, max_parallel=2))
    run = fold(item for item in happened if isinstance(item, Event))
    assert bench.reason(run) == "timeout"
    assert "importing" in "".join(item.text for item in happened if isinstance(item, LogLines))


def test_a_step_beside_one_that_was_stopped_in_its_import_starts_anew(bench: Bench) -> None:
    once = "import os, time\nif not os.path.exists('seen'):\n    open('seen', 'w').close()\n    time.sleep(60)\n"
    (bench.folder / "slow_once.py").write_text(once + "def f(): return 1\n")
    steps = [DeployedStep(name, "slow_once:f", cache=False, timeout=limit) for name, limit in (("a", 0.7), ("b", 50.0))]
    run = bench.run(*steps, max_parallel=2)
    assert (bench.reason(run), run.steps["b"].status) == ("timeout", "succeeded")


def test_a_module_that_ends_its_process_fails_its_own_step_only(bench: Bench) -> None:
    (bench.folder / "deadly.py").write_text("import os\nos._exit(5)\n")
    run = bench.run(DeployedStep("a", "deadly:f", cache=False), step("b", "value", parameters={"x": 1}), max_parallel=2)
    assert (bench.reason(run), run.steps["b"].status) == ("exit", "succeeded")


def test_a_broken_walk_leaves_no_process(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "pids"
    walk = bench.happened(step("a", "stubborn", parameters={"file": str(file)}))
    next(item for item in walk if isinstance(item, LogLines))
    walk.close()  # type: ignore[attr-defined]
    wait_until(lambda: not any(alive(pid) for pid in numbers(file)))


def test_what_this_machine_lacks_is_named() -> None:
    steps = [
        step("a", "value", resources={"cpu_count": 4096}),
        step("c", "value", image={"requirements": ["no-such-package-at-all>=3"], "python": "2.7"}),
    ]
    found = {refusal.code: refusal for refusal in LocalOrchestrator(LocalSettings()).lacks(steps, ".")}
    assert set(found) == {"not-enough", "another-python", "unmet-requirements"}
    assert "4096" in found["not-enough"].message
    assert "'no-such-package-at-all>=3'" in (found["unmet-requirements"].help or "")


def test_what_no_machine_can_do_is_refused_whatever_this_one_has() -> None:
    asked = step("a", "value", resources={"cpu_count": 4096, "gpu_type": "a100"})
    found = list(LocalOrchestrator(LocalSettings()).refusals([asked], "."))
    assert [refusal.path[-1] for refusal in found] == ["gpu_type"]


def test_what_only_an_image_can_honour_is_refused() -> None:
    image = {"apt": ["make"], "code": "baked", "requirements": []}
    found = list(LocalOrchestrator(LocalSettings()).refusals([step("a", "value", image=image)], "."))
    assert [(refusal.path[-1], refusal.code) for refusal in found] == [
        ("apt", "cannot-honour"),
        ("code", "cannot-honour"),
    ]


def test_the_python_that_is_running_is_honoured() -> None:
    asked = step("a", "value", image={"python": f"{sys.version_info.major}.{sys.version_info.minor}"})
    orchestrator = LocalOrchestrator(LocalSettings())
    assert not [*orchestrator.refusals([asked], "."), *orchestrator.lacks([asked], ".")]


def test_memory_cannot_be_enforced_without_a_process() -> None:
    steps = [step("a", "value", resources={"memory": 1000})]
    found = list(LocalOrchestrator(LocalSettings(isolation="none")).refusals(steps, "."))
    assert [refusal.code for refusal in found] == ["cannot-enforce"]

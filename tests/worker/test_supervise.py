"""A worker that watches over its step: what becomes of the step is in the ledger, whatever becomes of it."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from runner.plan.deployment import StepJob, job_to_json

STEPS = '''
import os, subprocess, sys, time
from pathlib import Path

def one(): return 1
def add(x, y=1): return x + y
def count(file):
    Path(file).write_text(Path(file).read_text() + "x" if Path(file).exists() else "x")
    return len(Path(file).read_text())
def say(): print("out", flush=True); print("err", file=sys.stderr, flush=True)
def crash(): print("before", flush=True); os._exit(7)
def die(): os.kill(os.getpid(), 9)
def tell(token): print("the token is", token, flush=True); subprocess.run(["echo", token]); os._exit(3)
def leave(file):
    """Two children go on: one in a session of its own, whose parent is gone."""
    subprocess.Popen(["sh", "-c", f"setsid sleep 600 & echo $! > {file}.new; mv {file}.new {file}; sleep 600"])
    while not os.path.exists(file): time.sleep(0.01)
def stay(file):
    leave(file)
    time.sleep(600)
'''


@pytest.fixture
def job(desk: Any) -> Any:
    (desk.folder / "watched_steps.py").write_text(STEPS)

    def made(function: str, step: str = "a", **fields: Any) -> StepJob:
        return desk.job(f"watched_steps:{function}", step, announce=True, **fields)._replace(attempt=0)

    return made


def started(job: StepJob, **environment: str) -> subprocess.Popen[str]:
    text = base64.b64encode(json.dumps(job_to_json(job)).encode()).decode()
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "runner.worker", text]
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env={**os.environ, **environment})


def worker(job: StepJob, **environment: str) -> tuple[int, str]:
    """Exit code, and what it printed."""
    process = started(job, **environment)
    out, err = process.communicate(timeout=120)
    return process.returncode, out + err


def until(condition: Any) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_it_takes_the_next_attempt_that_the_ledger_does_not_know(desk: Any, job: Any) -> None:
    assert worker(job("crash"))[0] == 1
    assert worker(job("one")) == (0, "")
    assert desk.ledger.result("r1", "a", 1).status == "failed"
    assert desk.values(desk.ledger.result("r1", "a", 2)) == {"output": 1}
    assert desk.ledger.started("r1", "a", 2)["time"] > 0


def test_a_step_that_is_done_is_not_done_again(desk: Any, job: Any) -> None:
    for _ in range(2):
        assert worker(job("count", parameters={"file": "calls"})) == (0, "")
    assert (desk.folder / "calls").read_text() == "x"
    assert desk.ledger.attempts("r1", "a") == [1]


def test_an_attempt_does_not_begin_twice(desk: Any, job: Any) -> None:
    first = job("one")._replace(attempt=1)
    desk.ledger.write_started(first, 1.0, "elsewhere", 1)
    code, said = worker(first)
    assert code == 1 and "started twice" in said
    assert desk.ledger.result("r1", "a", 1).error.reason == "lost"


def test_it_answers_from_the_cache_by_what_its_inputs_are(desk: Any, job: Any) -> None:
    worker(job("one"))
    adding = job("add", "b", inputs={"x": ("a", "output")}, fingerprint={"code": "1"})
    assert worker(adding) == (0, "")
    worker(job("one")._replace(run_id="r2"))
    assert worker(adding._replace(run_id="r2")) == (0, "")
    answered = desk.ledger.result("r2", "b", 1)
    assert (answered.status, answered.cached_from, desk.values(answered)) == ("cached", "r1", {"output": 2})


def test_an_expired_answer_counts_no_more(desk: Any, job: Any) -> None:
    for run_id in ("r1", "r2"):
        worker(job("one", fingerprint={"code": "1"}, expires_after=0.0)._replace(run_id=run_id))
    assert desk.ledger.result("r2", "a", 1).status == "succeeded"


def test_a_missing_input_is_a_failed_step(desk: Any, job: Any) -> None:
    assert worker(job("add", inputs={"x": ("nobody", "output")}))[0] == 1
    assert desk.ledger.result("r1", "a", 1).error.reason == "cannot-load"


def test_what_is_printed_is_kept_and_printed_only_when_asked_to(desk: Any, job: Any) -> None:
    assert worker(job("say")) == (0, "")
    assert desk.ledger.log("r1", "a", 1) == "out\nerr\n"
    assert worker(job("say", "b", echo=True)) == (0, "out\nerr\n")


@pytest.mark.parametrize(
    ("function", "reason", "words"),
    [("crash", "exit", "exit code 7 and left no result"), ("die", "signal", "killed by signal 9")],
)
def test_a_process_that_dies_leaves_a_result(desk: Any, job: Any, function: str, reason: str, words: str) -> None:
    assert worker(job(function))[0] == 1
    error = desk.ledger.result("r1", "a", 1).error
    assert error.reason == reason and words in error.message
    assert words in desk.ledger.log("r1", "a", 1)


def test_a_secret_is_masked_in_what_a_dying_process_printed(desk: Any, job: Any) -> None:
    worker(job("tell", parameters={"token": "${secrets.LAB_TOKEN}"}), LAB_TOKEN="hush-hush-123")
    assert desk.ledger.log("r1", "a", 1).startswith("the token is ***\n***\n")


def test_a_timeout_ends_it_with_all_that_it_started(desk: Any, job: Any) -> None:
    file = desk.folder / "pid"
    assert worker(job("stay", parameters={"file": str(file)}, timeout=3.0))[0] == 1
    assert desk.ledger.result("r1", "a", 1).error.reason == "timeout"
    assert not is_alive(int(file.read_text()))


def test_what_a_finished_step_left_running_ends_with_it(desk: Any, job: Any) -> None:
    file = desk.folder / "pid"
    assert worker(job("leave", parameters={"file": str(file)}))[0] == 0
    assert not is_alive(int(file.read_text()))


def test_a_request_to_cancel_ends_it(desk: Any, job: Any) -> None:
    file = desk.folder / "pid"
    process = started(job("stay", parameters={"file": str(file)}))
    until(file.exists)
    desk.ledger.request_cancel("r1")
    process.communicate(timeout=120)
    assert desk.ledger.result("r1", "a", 1).error.reason == "cancelled"
    assert desk.ledger.log("r1", "a", 1) == "stopped: the run was cancelled\n"
    assert not is_alive(int(file.read_text()))


def test_an_engine_may_end_it_by_a_signal(desk: Any, job: Any) -> None:
    file = desk.folder / "pid"
    process = started(job("stay", parameters={"file": str(file)}))
    until(file.exists)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert desk.ledger.result("r1", "a", 1).error.reason == "signal"
    assert desk.ledger.log("r1", "a", 1) == "stopped: it was told to stop (SIGTERM)\n"
    assert not is_alive(int(file.read_text()))


def test_an_engine_that_ends_a_cancelled_run_may_be_quicker_than_its_step(desk: Any, job: Any) -> None:
    file = desk.folder / "pid"
    process = started(job("stay", parameters={"file": str(file)}))
    until(file.exists)
    process.send_signal(signal.SIGSTOP)  # so that it sees both at once
    desk.ledger.request_cancel("r1")
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=120)
    assert desk.ledger.result("r1", "a", 1).error.reason == "cancelled"


def test_who_waits_is_told_when_the_result_is_there(desk: Any, job: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(60)
        assert worker(job("one", waited_for=(*ear.getsockname(), "m1")))[0] == 0
        assert ear.recv(100) == b"m1\na\n1"
    assert desk.ledger.result("r1", "a", 1).status == "succeeded"


def test_one_that_is_bound_ends_with_who_started_it(desk: Any, job: Any) -> None:
    file = desk.folder / "pid"
    text = base64.b64encode(json.dumps(job_to_json(job("stay", parameters={"file": str(file)}, bound=True))).encode())
    inner = [sys.executable, "-m", "runner.worker", text.decode()]
    starter = subprocess.Popen([sys.executable, "-c", f"import subprocess; subprocess.run({inner!r})"])
    until(file.exists)
    starter.kill()
    starter.wait()
    until(lambda: desk.ledger.result("r1", "a", 1) is not None)
    assert desk.ledger.result("r1", "a", 1).error.reason == "lost"
    until(lambda: not is_alive(int(file.read_text())))

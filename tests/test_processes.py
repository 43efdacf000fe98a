"""Trees of processes: found, measured, and ended to the last leaf."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.processes import descendants, kill_all, kill_marked, kill_tree, tree_memory

PATIENCE = 60.0
# A child, and a grandchild in a session of its own; their numbers go to stdout.
FAMILY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", '''
import subprocess, time
print(subprocess.Popen(["sleep", "600"], start_new_session=True).pid, flush=True)
time.sleep(600)
'''], stdout=sys.stdout)
print(child.pid, flush=True)
time.sleep(600)
"""


def until(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.01)


def living(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def family() -> Iterator[tuple[int, set[int]]]:
    """A process, and its child and grandchild."""
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        below = {int(process.stdout.readline()), int(process.stdout.readline())}
        try:
            yield process.pid, below
        finally:
            kill_all([process.pid, *below])


def test_descendants_are_children_and_theirs(family: tuple[int, set[int]]) -> None:
    pid, below = family
    assert set(descendants(pid)) == below


def test_parents_stand_before_their_children(family: tuple[int, set[int]]) -> None:
    child, grandchild = descendants(family[0])
    assert descendants(child) == [grandchild]


def test_a_tree_is_killed_with_those_that_left_its_group(family: tuple[int, set[int]]) -> None:
    pid, below = family
    kill_tree(pid)
    until(lambda: not any(living(each) for each in (pid, *below)))


def test_killing_the_dead_is_silent() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    kill_tree(process.pid)
    kill_all([process.pid])
    assert descendants(process.pid) == []


def test_zombies_are_not_living() -> None:
    with subprocess.Popen(["true"]) as process:
        until(lambda: not living(process.pid))
        assert process.pid not in descendants(os.getpid())


def test_memory_is_that_of_the_whole_tree() -> None:
    code = "import subprocess, sys; b = bytearray({0}); subprocess.run([sys.executable, '-c', {1!r}])"
    inner = "import time; b = bytearray(64_000_000); print(flush=True); time.sleep(600)"
    command = [sys.executable, "-c", code.format(64_000_000, inner)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            held = tree_memory(process.pid)
        finally:
            kill_tree(process.pid)
    assert 128_000_000 < held < 512_000_000


def test_the_dead_hold_no_memory() -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    assert tree_memory(process.pid) == 0


def test_marked_processes_are_killed_and_no_others() -> None:
    value = f"test-{os.getpid()}-{time.monotonic_ns()}"
    marked = subprocess.Popen(["sleep", "600"], env={**os.environ, "RUNNER_TEST_MARK": value})
    other = subprocess.Popen(["sleep", "600"])
    try:
        until(lambda: value.encode() in Path(f"/proc/{marked.pid}/environ").read_bytes())
        assert kill_marked("RUNNER_TEST_MARK", value) >= 1  # one that is slow to die is met twice
        assert marked.wait(PATIENCE) == -9
        assert living(other.pid)
    finally:
        for process in (marked, other):
            process.kill()
            process.wait(PATIENCE)


def test_nothing_is_marked() -> None:
    assert kill_marked("RUNNER_TEST_MARK", "nobody") == 0

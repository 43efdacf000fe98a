"""Standard output and error of a process that has secrets, whatever it does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

START = """
import os, signal, subprocess, sys, time
from runner.worker.output import Output
output = Output()
print("before: hush-hush", flush=True)
output.mask({"hush-hush"})
"""


def ended(script: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", START + script], capture_output=True, text=True, timeout=60, **options)


def test_each_goes_where_it_went_before() -> None:
    found = ended("print('out: hush-hush'); print('err: hush-hush', file=sys.stderr)")
    assert (found.stdout, found.stderr) == ("before: hush-hush\nout: ***\n", "err: ***\n")


def test_both_in_one_file_stay_in_order(tmp_path: Path) -> None:
    script = "[os.write(1 + i % 2, b'%d hush-hush\\n' % i) for i in range(100)]"
    with open(tmp_path / "both", "wb") as file:
        subprocess.run([sys.executable, "-c", START + script + "; output.settle()"], stdout=file, stderr=file)
    lines = (tmp_path / "both").read_text().splitlines()[1:]
    assert lines == [f"{i} ***" for i in range(100)]


@pytest.mark.parametrize(
    "script",
    [
        "subprocess.run(['echo', 'hush-hush'])",
        "os.write(1, b'hush-'); os.write(1, b'hush\\n')",
        "os.system('printf hush-; printf hush; echo')",
        "print('hush-hush', flush=True); os._exit(3)",
        "print('hush-hush', flush=True); os.kill(os.getpid(), signal.SIGKILL)",
        "output.mask({'another'}); print('another')",
    ],
)
def test_whoever_prints_and_however_it_ends(script: str) -> None:
    assert ended(script).stdout == "before: hush-hush\n***\n"


def test_a_step_that_prints_much_while_it_holds_the_interpreters_lock() -> None:
    script = "import ctypes; w = ctypes.PyDLL(None).write; [w(1, b'x' * 50000, 50000) for _ in range(20)]"
    assert len(ended(script).stdout) == len("before: hush-hush\n") + 20 * 50000


def test_settle_comes_back_when_all_is_written(tmp_path: Path) -> None:
    script = "print('x' * 100000 + 'hush', end=''); output.settle(); print(os.stat('log').st_size, file=sys.stderr)"
    with open(tmp_path / "log", "wb") as file:
        command = [sys.executable, "-c", START + script]
        ended = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False)
    assert int(ended.stderr) == len("before: hush-hush\n") + 100004


def test_settle_does_not_wait_for_who_is_still_there(tmp_path: Path) -> None:
    script = """
subprocess.Popen(["sh", "-c", "until [ -e go ]; do sleep 0.05; done; echo hush-hush"])
output.settle()
print("settled")
output.settle()
open("go", "w").close()
"""
    assert ended(script, cwd=tmp_path).stdout == "before: hush-hush\nsettled\n***\n"


def test_a_step_has_no_child_that_it_did_not_start() -> None:
    script = """
try:
    os.wait()
except ChildProcessError:
    print("none")
"""
    assert ended(script).stdout.endswith("none\n")


def test_a_reader_that_is_gone_stops_nobody(tmp_path: Path) -> None:
    script = (
        "from runner.worker.output import Output; Output().mask(['hush']); [print('x' * 1000) for _ in range(1000)]"
    )
    script += f"; open('{tmp_path}/done', 'w').close()"
    subprocess.run(["bash", "-c", '"$0" -c "$1" | head -c 1', sys.executable, script], capture_output=True)
    assert (tmp_path / "done").exists()

"""Whole processes, timed: one after another, contestants taking turns, the median counts."""

from __future__ import annotations

import os
import resource
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import BinaryIO, NamedTuple

MEMORY_EVERY = 0.02
LARGE = 64 * 2**20


class Failed(Exception):
    """A contestant ended with another exit code than 0, or took too long."""


class Contestant(NamedTuple):
    """A command to time. `fresh` are files and folders that are put away before each time, uncounted,
    into the folder above theirs; `code` is the exit code it must end with."""

    command: Sequence[str]
    folder: Path
    fresh: Sequence[Path] = ()
    environment: Mapping[str, str] = {}
    limit: float = 900.0
    code: int = 0
    watch_memory: bool = False


class Sample(NamedTuple):
    """One time: seconds on the clock and of CPU, the peak memory of its largest process in bytes,
    that of the process itself and of its direct children when they were watched, and what it printed."""

    seconds: float
    cpu: float
    peak: int
    own_peak: int = 0
    child_peak: int = 0
    output: str = ""


def take_turns(contestants: Mapping[str, Contestant], times: int, *, warm: bool = True) -> dict[str, list[Sample]]:
    """Time each contestant `times` times in turn, after one uncounted round (bytecode, page cache) when `warm`.

    Raises Failed when one of them does not succeed.
    """
    if warm:
        for contestant in contestants.values():
            once(contestant)
    samples: dict[str, list[Sample]] = {name: [] for name in contestants}
    for _ in range(times):
        for name, contestant in contestants.items():
            samples[name].append(once(contestant))
    return samples


def once(contestant: Contestant) -> Sample:
    """Time it once. Raises Failed with the end of what it said."""
    for path in contestant.fresh:
        _put_aside(path)
    contestant.folder.mkdir(parents=True, exist_ok=True)
    os.sync()  # what others left to write is not charged to this one
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            contestant.command,
            cwd=contestant.folder,
            env=environment(contestant.environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
        code, usage, own, child = _wait(process, start + contestant.limit, contestant.watch_memory)
        seconds = time.perf_counter() - start
        if code != contestant.code:
            raise Failed(f"exit code {code}: {_end_of(err) or _end_of(out)} (all of it: {_kept(out, err)})")
        out.seek(0)
        text = out.read(10_000).decode(errors="replace")
    return Sample(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, own, child, text)


def seconds(samples: Sequence[Sample]) -> float:
    return median(sample.seconds for sample in samples)


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """This process's, with bytecode kept and without what would change how children print."""
    dropped = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "FORCE_COLOR", "PYTHONPATH", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name not in dropped} | {"NO_COLOR": "1"} | dict(more)


def file_cost(folder: Path, count: int = 500) -> float:
    """Seconds that making a small file takes in this folder: about 30 µs where no files were removed lately."""
    folder.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    for number in range(count):
        (folder / str(number)).write_bytes(b"x")
    return (time.perf_counter() - start) / count


def _wait(process: subprocess.Popen[bytes], end: float, watch: bool) -> tuple[int, resource.struct_rusage, int, int]:
    """Until it has ended; wait4 tells what the process and those that it reaped have used."""
    own = child = 0
    poll = select.poll()
    descriptor = os.pidfd_open(
        process.pid
    )  # readable when the process ends: no time is lost to looking again and again
    poll.register(descriptor, select.POLLIN)
    while not poll.poll(1000 * (MEMORY_EVERY if watch else max(0.0, end - time.perf_counter()))):
        if watch:
            own = max(own, _peak(process.pid))
            child = max([child, *(_peak(number) for number in _children(process.pid))])
        if time.perf_counter() > end:
            os.killpg(process.pid, signal.SIGKILL)
    os.close(descriptor)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage, own, child


def _peak(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(number) for task in tasks for number in (task / "children").read_text().split()]
    except OSError:
        return []


def _put_aside(path: Path) -> None:
    # Not removed: ext4 passes over inodes that were deleted a moment ago, one by one, and every file made in the next
    # minutes would pay for what this one leaves behind.
    if not path.exists():
        return
    aside = path.rename(path.parent.parent / f".old-{time.time_ns()}")
    for file in aside.rglob("*") if aside.is_dir() else [aside]:
        if file.is_file() and file.stat().st_size > LARGE:
            file.unlink()


def _end_of(file: BinaryIO) -> str:
    file.seek(0)
    lines = file.read().decode(errors="replace").strip().splitlines()
    return " / ".join(line.strip() for line in lines[-3:])[-300:]


def _kept(*files: BinaryIO) -> Path:
    path = Path(tempfile.gettempdir()) / "runner-bench-failed.txt"
    for file in files:
        file.seek(0)
    path.write_bytes(b"".join(file.read() for file in files))
    return path

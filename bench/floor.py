"""The floor: what the same work costs in bare Python, with no runner at all. `python floor.py steps|burn|array …`."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path


def steps(count: str, database: str) -> None:
    """One process that forks and reaps a child, and commits a row to SQLite (WAL), for each step."""
    import sqlite3

    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("CREATE TABLE steps (number INTEGER, code INTEGER)")
    for number in range(int(count)):
        _, code = os.waitpid(_fork(lambda: None), 0)
        connection.execute("INSERT INTO steps VALUES (?, ?)", (number, code))


def burn(count: str, parallel: str, seconds: str) -> None:
    """Fork children that each use so many seconds of CPU time, so many of them at a time."""
    running = 0
    for _ in range(int(count)):
        if running == int(parallel):
            os.wait()
            running -= 1
        _fork(lambda: use_cpu(float(seconds)))
        running += 1
    for _ in range(running):
        os.wait()


def array(elements: str, folder: str) -> None:
    """One process makes an array and saves it, the next loads and sums it. Prints what saving and loading took."""
    path, notes = Path(folder) / "array.npy", Path(folder) / "seconds"
    notes.write_text("")
    for work in (lambda: _save(int(elements), path, notes), lambda: _load(path, notes)):
        _, code = os.waitpid(_fork(work), 0)
        if code:
            raise SystemExit("the floor's own child failed")
    print(sum(map(float, notes.read_text().split())))


def use_cpu(seconds: float) -> int:
    """Pure Python work until this thread has used so many seconds of CPU time; waiting for a core does not count."""
    end, number = time.thread_time() + seconds, 1
    while time.thread_time() < end:
        for _ in range(2000):
            number = (number * 1103515245 + 12345) % 2147483648
    return number


def _save(elements: int, path: Path, notes: Path) -> None:
    import numpy as np

    values = np.arange(elements, dtype=np.float64)
    _timed(lambda: np.save(path, values), notes)


def _load(path: Path, notes: Path) -> None:
    import numpy as np

    found = []
    _timed(lambda: found.append(np.load(path)), notes)
    float(found[0].sum())


def _timed(work: Callable[[], object], notes: Path) -> None:
    start = time.perf_counter()
    work()
    with notes.open("a") as file:
        file.write(f"{time.perf_counter() - start}\n")


def _fork(work: Callable[[], object]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    {"steps": steps, "burn": burn, "array": array}[sys.argv[1]](*sys.argv[2:])

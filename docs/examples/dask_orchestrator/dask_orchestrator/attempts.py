"""What runs inside the Dask workers: each attempt as a process of its own, which can be ended with all it started."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

from distributed import Worker, WorkerPlugin, get_worker

from runner.processes import kill_tree

STOPPED = -15
"""The exit code of an attempt that was ended before it began."""


class Attempts(WorkerPlugin):
    """The attempts of one run on one Dask worker. Without it they end: it is taken away with its run."""

    def setup(self, worker: Worker) -> None:
        self.lock = threading.Lock()
        self.running: dict[str, subprocess.Popen[str]] = {}
        self.stopped: set[str] = set()
        self.closed = False

    def teardown(self, worker: Worker) -> None:
        with self.lock:
            self.closed = True
            for process in self.running.values():
                kill_tree(process.pid)

    def run(self, key: str, arguments: list[str]) -> tuple[int, str]:
        """Run `python *arguments`: its exit code, and what it said of itself (steps speak to their logs)."""
        with self.lock:
            if self.closed or key in self.stopped:
                return STOPPED, ""
            process = self.running[key] = subprocess.Popen(
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        _, said = process.communicate()
        with self.lock:
            del self.running[key]
        return process.returncode, said.strip()

    def stop(self, key: str) -> bool:
        """Ask an attempt to end, which it does within seconds; says whether it runs here. It will not begin later."""
        with self.lock:
            self.stopped.add(key)
            if (process := self.running.get(key)) is None:
                return False
            process.terminate()  # the worker process of runner then ends the step, and kills what does not
            return True


def run_attempt(plugin: str, key: str, arguments: list[str]) -> tuple[int, str]:
    """The task."""
    attempts: Any = get_worker().plugins.get(plugin)
    return (STOPPED, "") if attempts is None else attempts.run(key, arguments)


def stop_attempt(plugin: str, key: str, dask_worker: Any) -> bool:
    """Called on every worker; `dask_worker` is filled in by Dask."""
    attempts = dask_worker.plugins.get(plugin)
    return attempts is not None and attempts.stop(key)

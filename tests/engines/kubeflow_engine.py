"""How a run of the Kubeflow double goes: a process of its own carries it out, and what that tells is taken down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from kubeflow_nodes import Attempt, Course, Run, now
from kubeflow_run import RUN, remove_containers

STOPPED = ("CANCELING", "SUCCEEDED", "FAILED", "CANCELED")
"""Of a run in one of these states nothing more is heard."""


class Engine:
    """The processes of the runs, and what they wrote. `lock` guards the runs too."""

    def __init__(self, lock: threading.RLock) -> None:
        self.lock, self.labels = lock, {"runner/test": "1", "runner/test-server": str(uuid.uuid4())}
        self.children: dict[str, subprocess.Popen[str]] = {}
        self.logs: dict[str, str] = {}

    def reset(self, runs: Iterable[Run]) -> None:
        """End all runs, and forget what they wrote."""
        for run in runs:
            self.stop(run, grace=0)
        if self.logs:  # a container that was being made when its run's process was killed was not there to be found
            remove_containers(f"runner/test-server={self.labels['runner/test-server']}", grace=0)
        self.logs.clear()

    def start(self, run: Run) -> None:
        threading.Thread(target=self._carry_out, args=(run,), daemon=True).start()

    def terminate(self, run: Run) -> None:
        """It is told at once that it is to end, and ends when its containers have."""
        self._enter(run, "CANCELING")
        threading.Thread(target=self._end_terminated, args=(run,), daemon=True).start()

    def stop(self, run: Run, grace: int) -> None:
        """End its process and its containers, and wait for that."""
        with self.lock:
            if run.state not in STOPPED:
                self._end(run, "FAILED")
            child = self.children.pop(run.run_id, None)
        if child is not None and child.poll() is None:
            os.killpg(child.pid, 9)
            child.wait()
            remove_containers(f"{RUN}={run.run_id}", grace)

    def _end_terminated(self, run: Run) -> None:
        self.stop(run, run.settings["grace"])
        with self.lock:
            self._end(run, run.settings["terminated"])

    def _carry_out(self, run: Run) -> None:
        with self.lock:
            if run.state in STOPPED:
                return
            self.logs[run.run_id] = ""
            child = self.children[run.run_id] = _child({**_told(run), "labels": self.labels})
        threading.Thread(target=self._keep_log, args=(run.run_id, child), daemon=True).start()
        assert child.stdout is not None
        for line in child.stdout:
            with self.lock:
                if run.state not in STOPPED:
                    self._take_down(run, json.loads(line))
        child.wait()
        with self.lock:
            if run.state not in STOPPED:  # it fell over
                self._end(run, "FAILED")

    def _keep_log(self, run_id: str, child: subprocess.Popen[str]) -> None:
        assert child.stderr is not None
        for line in child.stderr:
            self.logs[run_id] = self.logs.get(run_id, "") + line  # which may have been forgotten meanwhile

    def _take_down(self, run: Run, event: dict[str, Any]) -> None:
        when, what = now(), event["event"]
        if what == "began":
            run.began = when
            self._enter(run, "RUNNING")
        elif what == "ended":
            self._end(run, "SUCCEEDED" if event["succeeded"] else "FAILED")
        elif what == "task":
            run.courses[event["task"]] = Course(when)
        else:
            _take_down_task(run.courses[event["task"]], event, when)

    def _enter(self, run: Run, state: str) -> None:
        run.state = state
        run.history.append((now(), state))

    def _end(self, run: Run, state: str) -> None:
        run.finished = now()
        for course in run.courses.values():
            parts: list[Course | Attempt] = [course, *course.attempts]
            for each in parts:
                if each.finished is None:
                    each.phase, each.finished = "Failed", run.finished
        self._enter(run, state)


def _take_down_task(course: Course, event: dict[str, Any], when: datetime) -> None:
    what = event["event"]
    if what == "done":
        course.phase, course.finished = "Succeeded" if event["succeeded"] else "Failed", when
    elif what == "pending":
        course.attempts.append(Attempt(when))
    elif what == "waiting":
        course.attempts[-1].message = event["message"]
    elif what == "running":
        course.attempts[-1].phase = "Running"
    elif what == "left":
        attempt, code = course.attempts[-1], event["exit_code"]
        attempt.phase, attempt.finished = "Failed" if code else "Succeeded", when
        reason = "OOMKilled" if event["oom"] else "Error"
        attempt.message = f"{reason} (exit code {code})" if code else ""


def _told(run: Run) -> dict[str, Any]:
    document = run.asked.pipeline_spec
    return {
        "run_id": run.run_id,
        "spec": document.get("pipeline_spec", document),
        "arguments": (run.asked.runtime_config and run.asked.runtime_config.parameters) or {},
        **{name: run.settings[name] for name in ("root", "docker", "pull")},
    }


def _child(told: dict[str, Any]) -> subprocess.Popen[str]:
    """Its input stays open: when that closes, because this process is gone, it ends with its containers."""
    command, pipe = [sys.executable, str(Path(__file__).with_name("kubeflow_run.py"))], subprocess.PIPE
    child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, start_new_session=True)
    assert child.stdin is not None
    child.stdin.write(json.dumps(told) + "\n")
    child.stdin.flush()
    return child

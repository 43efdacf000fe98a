"""`runner run --detach`: the same command as a process of its own, which goes on when this terminal is closed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from runner.cli.options import echo_json
from runner.engine.history import has_begun
from runner.engine.prepare import new_run_id
from runner.errors import RunnerError
from runner.project import Project


def detach(project: Project, arguments: list[str], format_: str) -> int:
    """Start the run, wait until it is on record or its process has died, and say how to follow it."""
    run_id = new_run_id()
    output = output_of(project, run_id)
    output.parent.mkdir(parents=True, exist_ok=True)
    process = _start(["run", *arguments, "--run-id", run_id], output)
    while not _on_record(project, run_id):
        code = process.poll()
        if code is not None and not _on_record(project, run_id):
            print(output.read_text(errors="replace"), end="", file=sys.stderr)
            output.unlink(missing_ok=True)
            return code
        time.sleep(0.05)
    if format_ == "json":
        echo_json({"run_id": run_id, "pid": process.pid, "output": str(output)})
    else:
        print(f"run {run_id} goes on in the background (process {process.pid})")
        print(f"follow it: runner runs logs -f {run_id}")
        print(f"stop it:   runner runs cancel {run_id}")
    return 0


def output_of(project: Project, run_id: str) -> Path:
    """Where the output of a run in the background goes."""
    return project.state / "logs" / f"{run_id}.txt"


def _start(arguments: list[str], output: Path) -> subprocess.Popen[bytes]:
    # -P: a file or folder `runner` in the current folder is not us.
    command = [sys.executable, "-P", "-m", "runner", *arguments]
    with output.open("wb") as file:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )


def _on_record(project: Project, run_id: str) -> bool:
    try:
        return has_begun(project, run_id)
    except RunnerError:
        return False

"""Code that travels as an archive: unpacked, checked, run from a folder of its own, and removed."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.images.archive import code_files, put_code
from runner.plan.deployment import StepJob, job_to_json

STEPS = "import os, helper\ndef where(): return [os.getcwd(), helper.__file__]\ndef fail(): helper.fail()\n"


@pytest.fixture
def sent(desk: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A project's code in the artifact store of the desk, whose own folder has other code."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "sent_steps.py").write_text(STEPS)
    (folder / "src").mkdir()
    (folder / "src/helper.py").write_text("def fail(): raise ValueError('no')\n")
    return put_code(code_files(folder), desk.ledger.store)


def run(job: StepJob, folder: Path) -> Any:
    argument = base64.b64encode(json.dumps(job_to_json(job)).encode()).decode()
    command = [sys.executable, "-m", "runner.worker", argument]
    environment = os.environ | {"TMPDIR": str(folder)}
    return subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("announce", [False, True])
def test_a_step_runs_from_the_code_that_was_sent(desk: Any, sent: Any, announce: bool, tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    job = desk.job("sent_steps:where", code=sent, announce=announce)
    assert run(job, tmp_path / "temporary").returncode == 0
    folder, helper = desk.values(desk.ledger.result("r1", "a", 1))["output"]
    assert folder.startswith(str(tmp_path / "temporary/runner-code-")) and helper == f"{folder}/src/helper.py"
    assert not list((tmp_path / "temporary").iterdir())


def test_frames_of_a_failure_are_those_of_the_code_that_was_sent(desk: Any, sent: Any, tmp_path: Path) -> None:
    run(desk.job("sent_steps:fail", code=sent, announce=True), tmp_path)
    frames = desk.ledger.result("r1", "a", 1).error.frames
    assert [Path(frame.file).name for frame in frames] == ["sent_steps.py", "helper.py"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"key": "code/none.tar.gz"}, "the code is gone from the artifact store"),
        ({"digest": "0" * 64}, "the code in the artifact store is not what its digest says"),
    ],
)
def test_code_that_is_not_what_it_should_be(desk: Any, sent: Any, change: Any, message: str, tmp_path: Path) -> None:
    ended = run(desk.job("sent_steps:where", code={**sent, **change}), tmp_path)
    assert ended.returncode == 74 and message in ended.stderr


def test_an_archive_that_is_damaged(desk: Any, sent: Any, tmp_path: Path) -> None:
    desk.ledger.store.put("code/broken.tar.gz", b"no gzip")
    ended = run(desk.job("sent_steps:where", code={**sent, "key": "code/broken.tar.gz"}), tmp_path)
    assert ended.returncode == 74 and "is damaged" in ended.stderr


def test_code_in_the_folder_that_the_worker_starts_in(desk: Any) -> None:
    job = desk.job("worker_steps:where", code={"folder": "."})._replace(project="/proc")
    argument = base64.b64encode(json.dumps(job_to_json(job)).encode()).decode()
    subprocess.run([sys.executable, "-m", "runner.worker", argument], cwd=desk.folder, check=True)
    assert desk.values(desk.ledger.result("r1", "a", 1))["output"] == [str(desk.folder)] * 2

"""`python -m runner.worker JOB` on a store in S3, as an engine starts it on another machine."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.stores import open_store
from runner.plan.deployment import StepJob, job_to_json

STEPS = """
import os
def say(text):
    print(text, flush=True)
    os.system("echo from a child")
"""


def test_what_a_step_prints_is_in_the_ledger_and_on_its_own_output(tmp_path: Path, s3_settings: dict[str, Any]) -> None:
    (tmp_path / "said_steps.py").write_text(STEPS)
    job = StepJob("r1", "a", 1, "said_steps:say", {}, {"text": "hello"}, (), {}, s3_settings, str(tmp_path))
    text = json.dumps(job_to_json(job._replace(announce=True, echo=True)))
    command = [sys.executable, "-m", "runner.worker", base64.b64encode(text.encode()).decode()]
    ended = subprocess.run(command, cwd="/", env=dict(os.environ), capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "hello\nfrom a child\n"), ended.stderr
    ledger = Ledger(open_store(s3_settings))
    assert ledger.log("r1", "a", 1) == "hello\nfrom a child\n"
    assert ledger.traces("r1") == {"a": {1: {"started.json", "log.txt", "result.json"}}}

"""A folder with steps and an artifact store, and the jobs that run them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from object_stores import s3_endpoint

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.materializers import load
from runner.artifact_store.stores import open_store
from runner.plan.deployment import StepJob
from runner.records import StepResult
from runner.worker.call import execute
from runner.worker.secrets import Resolver

__all__ = ["desk", "s3_endpoint"]

STEPS = """
import os, sys
from collections import namedtuple
from pathlib import Path
from runner import step_context

Pair = namedtuple("Pair", "low high")
not_a_function = 3

def one(): return 1
def add(x, y=1): return x + y
def pair(): return 1, 9
def listed(): return [1, 9]
def mapped(): return {"high": 9, "low": 1}
def named(): return Pair(high=9, low=1)
def environment(name): return os.environ.get(name)
def fail(text): raise ValueError(text)
def leave(): sys.exit(3)
def interrupted(): raise KeyboardInterrupt
def metrics(): step_context().log_metrics(loss=0.5)
def unsavable(): return (i for i in ())
def path():
    found = step_context().folder / "made.txt"
    found.write_text("made")
    return found
def read(file): return Path(file).read_text()
def where(): return [os.getcwd(), sys.path[0]]
def spill(token):
    print("out:", token)
    print("err:", token, file=sys.stderr, flush=True)
    os.system("printf %s " + token)
    raise ValueError(token)
def quit_with(token): sys.exit(token)
def note(token):
    step_context().log_metrics({token: 1, "text": f"<{token}>", "loss": 0.5})
"""


class Desk:
    """Where jobs are made and run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "worker_steps.py").write_text(STEPS)
        self.settings = {"flavor": "local", "path": str(folder / "artifacts")}
        self.ledger = Ledger(open_store(self.settings))

    def job(self, function: str, step: str = "a", **fields: Any) -> StepJob:
        least: dict[str, Any] = {"inputs": {}, "parameters": {}, "outputs": (), "environment": {}}
        entrypoint = function if ":" in function else f"worker_steps:{function}"
        return StepJob(
            run_id="r1",
            step=step,
            attempt=1,
            entrypoint=entrypoint,
            artifact_store=self.settings,
            project=str(self.folder),
            **(least | fields),
        )

    def run(self, function: str, step: str = "a", **fields: Any) -> StepResult:
        return execute(self.job(function, step, **fields), self.ledger, Resolver("r1"))

    def values(self, result: StepResult) -> dict[str, Any]:
        return {name: load(value, self.ledger.store, self.folder) for name, value in result.outputs.items()}


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("WHO", "TOKEN"):
        monkeypatch.setenv(name, "")  # so that what a step sets is taken back
        monkeypatch.delenv(name)
    yield Desk(tmp_path)
    sys.modules.pop("worker_steps", None)

"""Documents that Kubeflow's own local runner carries out, in containers of a Docker Engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.materializers import load
from runner.artifact_store.stores import open_store
from runner.cli.compile import as_text
from runner.orchestrators.kfp.document import pipeline_document
from runner.plan.deployment import DeployedStep, Deployment

pytestmark = pytest.mark.engine("docker")

SDK = Path(sys.prefix) / "kfp/bin/python"
WORK = '''
import os
from pathlib import Path

def count(n, word="none"):
    print("counting to", n, "in", os.environ["PLACE"])
    return {"n": n, "word": word}

def double(x):
    return x["n"] * 2

def fail():
    raise ValueError("no")

def mend(file):
    """Fails the first time."""
    if not Path(file).exists():
        Path(file).touch()
        raise ValueError("not yet")
    return "mended"
'''
RUNTIME = {"n": {"type": "integer", "arguments": [["count", "n"]]}}
COUNT = DeployedStep("count", "work:count", parameters={"n": 2}, environment={"PLACE": "$(HOME) $$"})
DOUBLE = DeployedStep("double", "work:double", inputs={"x": ("count", "output")})


class Local:
    """A folder that is mounted into all containers, with an artifact store and the steps' code in it."""

    def __init__(self, root: Path, image: str) -> None:
        self.root, self.image = root, image
        (root / "work.py").write_text(WORK)
        self.store = {"flavor": "local", "path": str(root / "store")}
        self.ledger = Ledger(open_store(self.store))

    def run(self, *steps: DeployedStep, **arguments: Any) -> subprocess.CompletedProcess[str]:
        container = {"image": self.image, "code": None}
        by_name = {step.name: step._replace(container=container) for step in steps}
        runtime = RUNTIME if "count" in by_name else {}
        made = Deployment("", "p", "s", "kubeflow", by_name, self.store, "/p", {"n": 2}, runtime=runtime)
        self.ledger.write_blueprint(made)
        document = self.root / "pipeline.yaml"
        document.write_text(as_text("pipeline.yaml", pipeline_document(made, lambda step: "", 3600)))
        docker = {"working_dir": str(self.root), "user": f"{os.getuid()}:{os.getgid()}"}
        told = {"document": str(document), "root": str(self.root), "arguments": arguments, "docker": docker}
        return subprocess.run(
            [SDK, Path(__file__).with_name("sdk_run.py")],
            input=json.dumps(told),
            capture_output=True,
            text=True,
            check=False,
            cwd=self.root,
        )

    def value(self, run_id: str, step: str) -> Any:
        result = self.ledger.result(run_id, step, self.ledger.attempts(run_id, step)[-1])
        assert result is not None
        return load(result.outputs["output"], self.ledger.store, self.root)


@pytest.fixture
def kubeflow(tmp_path: Path, worker_image: str) -> Local:
    return Local(tmp_path, worker_image)


def test_steps_hand_each_other_what_they_made(kubeflow: Local) -> None:
    done = kubeflow.run(COUNT, DOUBLE, run_id="first")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (kubeflow.value("first", "count"), kubeflow.value("first", "double")) == ({"n": 2, "word": "none"}, 4)
    # Kubeflow's local runner knows no `$(…)`, and gives `$$` as it is; the worker sets what was meant.
    assert kubeflow.ledger.log("first", "count", 1) == "counting to 2 in $(HOME) $$\n"


def test_one_document_serves_many_runs(kubeflow: Local) -> None:
    for run_id, n in (("first", 5), ("second", 7), ("third", 5)):
        assert kubeflow.run(COUNT, DOUBLE, run_id=run_id, n=n).returncode == 0
        assert kubeflow.value(run_id, "double") == 2 * n
        assert kubeflow.ledger.deployment(run_id).parameters == {"n": n}


def test_a_run_that_nobody_names_has_the_engines_own_id(kubeflow: Local) -> None:
    done = kubeflow.run(COUNT)
    assert done.returncode == 0, done.stdout + done.stderr
    (run_id,) = kubeflow.ledger.run_ids()
    assert kubeflow.value(run_id, "count")["n"] == 2


def test_a_step_that_fails_fails_the_run_and_those_after_it_do_not_start(kubeflow: Local) -> None:
    after = DOUBLE._replace(inputs={}, after=("bad",))
    done = kubeflow.run(DeployedStep("bad", "work:fail"), after, run_id="first")
    assert done.returncode != 0
    result = kubeflow.ledger.result("first", "bad", 1)
    assert result is not None and result.error is not None
    assert (result.error.type, result.error.message) == ("ValueError", "no")
    assert kubeflow.ledger.attempts("first", "double") == []


def test_a_retry_is_the_next_attempt(kubeflow: Local) -> None:
    retry = {"max_retries": 2, "delay": 0.0, "backoff": 2.0, "max_delay": 1.0}
    step = DeployedStep("mend", "work:mend", parameters={"file": str(kubeflow.root / "seen")}, retry=retry)
    done = kubeflow.run(step, run_id="first")
    assert done.returncode == 0, done.stdout + done.stderr
    assert kubeflow.ledger.attempts("first", "mend") == [1, 2]
    assert kubeflow.value("first", "mend") == "mended"

"""Runs from the command line on the double of Vertex AI: real containers, a real object store, nothing shared else."""

from __future__ import annotations

import json
import os
import urllib.request
import uuid
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from object_stores import serve
from vertex_server import Fault, VertexServer

from runner.cli.main import main
from runner.docker_engine import address, ask

pytestmark = [pytest.mark.engine("docker"), pytest.mark.engine("registry")]

LOGIN = {"AWS_ACCESS_KEY_ID": "an-id", "AWS_SECRET_ACCESS_KEY": "a-key"}
STACK = """
kind: stack
name: cloud
orchestrator:
  flavor: vertex
  project: my-project-123
  location: europe-west4
  pipeline_root: gs://bucket/vertex
  endpoint_url: {url}
artifact_store: {{flavor: s3, path: "s3://bucket/{folder}", endpoint_url: "{store}", region: us-east-1}}
"""
PIPELINE = """
kind: pipeline
name: train
stack: cloud
settings: {{image: {{image: "{image}"}}}}
steps:
  load: {{entrypoint: "work:load"}}
  Fit_it: {{entrypoint: "work:fit", inputs: {{x: load}}, cache: false, parameters: {{file: "{file}"}}}}
"""
WORK = '''
import os, time

def load():
    print("loading")
    return 20

def fit(x, file):
    """Waits for a word in a file of the engine's machine: go, or fail."""
    print("fitting", flush=True)
    while not os.path.exists(file):
        time.sleep(0.05)
    if open(file).read() == "fail":
        raise ValueError("no fit")
    return x * 2
'''


@pytest.fixture(scope="session")
def bridge_s3() -> Iterator[str]:
    """The address of an S3 that containers reach, too."""
    (config, *_) = ask(address(None, os.environ), "/networks/bridge", os.environ)["IPAM"]["Config"]
    host = config.get("Gateway") or next(ip_network(config["Subnet"]).hosts())  # no gateway: a bridge just made
    for port in serve("s3", str(host)):
        urllib.request.urlopen(urllib.request.Request(f"http://{host}:{port}/bucket", method="PUT"))
        yield f"http://{host}:{port}"


class Project:
    """A project whose stack is the double; `say` is what a person types."""

    def __init__(self, root: Path, server: VertexServer, store: str, image: str, capfd: Any) -> None:
        self.root, self.server, self.capfd = root, server, capfd
        engine = root / "engine"
        engine.mkdir()
        self.word = engine / "word"
        server.run_args = {"volumes": {str(engine): {"bind": "/engine", "mode": "ro"}}, "environment": LOGIN}
        text = PIPELINE.format(image=image, file="/engine/word")
        stack = STACK.format(url=server.url, folder=uuid.uuid4().hex, store=store)
        for name, written in (("runner.toml", ""), ("work.py", WORK), ("train.yaml", text), ("cloud.yaml", stack)):
            (root / name).write_text(written)

    def say(self, *arguments: str, code: int = 0) -> str:
        found = main([*arguments])
        out, err = self.capfd.readouterr()
        assert found == code, out + err
        return out + err

    def shown(self) -> dict[str, Any]:
        """The last run, as `runner runs show` has it."""
        found: dict[str, Any] = json.loads(self.say("runs", "show", "last", "--format", "json"))
        return found

    def engine_ends(self) -> None:
        for walk in self.server.walks.values():
            walk.thread.join(120)


@pytest.fixture
def project(
    tmp_path: Path,
    vertex_service: VertexServer,
    bridge_s3: str,
    pod_image: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Project:
    for name, value in {**LOGIN, "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RUNNER_STACK", raising=False)
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path, vertex_service, bridge_s3, pod_image, capfd)


def test_a_run_is_followed_to_its_end(project: Project) -> None:
    project.word.write_text("go")
    told = project.say("run", "train.yaml", "--stack", "cloud.yaml")
    assert "fitting" in told and "2 succeeded" in told
    project.say("artifacts", "get", "last", "Fit_it")
    assert (project.root / "Fit_it.output.json").read_text() == "40"


def test_a_run_goes_on_when_nobody_looks(project: Project) -> None:
    project.say("run", "train.yaml", "--stack", "cloud.yaml", "--detach")
    assert project.shown()["status"] == "running"
    project.word.write_text("go")
    project.engine_ends()
    found = project.shown()
    assert (found["status"], {step["status"] for step in found["steps"].values()}) == ("succeeded", {"succeeded"})
    assert "fitting" in project.say("runs", "logs", "last")


def test_a_run_is_cancelled_and_gone_on_with(project: Project) -> None:
    project.say("run", "train.yaml", "--stack", "cloud.yaml", "--detach")
    project.say("runs", "cancel", "last")
    project.engine_ends()
    assert project.shown()["status"] == "cancelled"
    project.word.write_text("go")
    project.say("runs", "resume", "last")
    assert project.shown()["status"] == "succeeded"
    names = [name.rpartition("-")[2] for name in project.server.jobs]
    assert len(names) == 2 and names[1] == "2"


def test_what_fails_is_told_and_mended(project: Project) -> None:
    project.word.write_text("fail")
    told = project.say("run", "train.yaml", "--stack", "cloud.yaml", code=1)
    assert "ValueError: no fit" in told
    project.word.write_text("go")
    assert "succeeded" in project.say("runs", "resume", "last")
    first, second = project.server.walks.values()
    assert set(second.tasks) < set(first.tasks) and len(second.tasks) == 1


def test_what_google_refuses_ends_the_command_with_a_sentence(project: Project) -> None:
    about = {"permission": "aiplatform.pipelineJobs.create"}
    project.server.fail("CreatePipelineJob", Fault("PERMISSION_DENIED", "no", "IAM_PERMISSION_DENIED", about))
    told = project.say("run", "train.yaml", "--stack", "cloud.yaml", code=5)
    assert "this login lacks the permission 'aiplatform.pipelineJobs.create'" in told
    assert "Traceback" not in told and project.server.jobs == {}

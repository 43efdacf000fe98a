"""`runner build`, and what `runner plan` says of images."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from runner.cli.main import main
from runner.engine import images

PIPELINE = """\
kind: pipeline
name: p
steps:
  one: {{entrypoint: "steps:work", settings: {{image: {{base: "{base}", env: {{TEST: "{unique}"}}}}}}}}
  two: {{entrypoint: "steps:work", inputs: {{x: one}}, settings: {{image: {{image: "{base}"}}}}}}
"""
STACKS = """\
kind: stack
name: docker
orchestrator: {flavor: local_docker}
---
kind: stack
name: plain
orchestrator: {flavor: local}
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "runner.toml").touch()
    (tmp_path / "steps.py").write_text("def work(x=0): return x\n")
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/all.yaml").write_text(STACKS)
    write(tmp_path, "base.example.com/python:3.11", "x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, base: str, unique: str) -> None:
    (folder / "p.yaml").write_text(PIPELINE.format(base=base, unique=unique))


@pytest.fixture
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")


@pytest.fixture
def unique(project: Path, python_image: str) -> Iterator[str]:
    """What no other image has in it."""
    unique = uuid4().hex
    write(project, python_image, unique)
    yield unique
    for line in subprocess.run(
        ["docker", "images", "-q", "runner-step"], capture_output=True, text=True
    ).stdout.split():
        told = subprocess.run(["docker", "image", "inspect", line], capture_output=True, text=True).stdout
        if unique in told:
            subprocess.run(["docker", "rmi", "--force", line], capture_output=True)


def test_a_plan_without_an_engine_says_that_it_does_not_know(
    no_engine: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "p.yaml", "--stack", "docker"]) == 0
    told = capsys.readouterr().out
    assert told.count("not known") == 2 and "no Docker Engine answers" in told


def test_a_plan_for_programs_has_the_dockerfile(no_engine: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "p.yaml", "--stack", "docker", "--format", "json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["images"]
    assert first["steps"] == ["one"] and first["dockerfile"].startswith("FROM base.example.com/python:3.11\n")
    assert second["image"] == "base.example.com/python:3.11" and "dockerfile" not in second


def test_a_plan_for_a_flavor_without_images_says_nothing_of_them(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "p.yaml").write_text("kind: pipeline\nname: p\nsteps: {one: {entrypoint: 'steps:work'}}\n")
    assert main(["plan", "p.yaml", "--stack", "plain", "--format", "json"]) == 0
    assert "images" not in json.loads(capsys.readouterr().out)


def test_there_is_nothing_to_build_for_a_flavor_without_images(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "p.yaml").write_text("kind: pipeline\nname: p\nsteps: {one: {entrypoint: 'steps:work'}}\n")
    assert main(["build", "p.yaml", "--stack", "plain"]) == 64
    assert "error: flavor 'local' runs steps without images" in capsys.readouterr().err


def test_a_push_needs_a_registry(no_engine: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "p.yaml", "--stack", "docker", "--push"]) == 64
    assert "stack 'docker' has no container registry to push to" in capsys.readouterr().err


def test_a_build_without_an_engine_is_refused(no_engine: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "p.yaml", "--stack", "docker"]) == 5
    assert "no Docker Engine answers" in capsys.readouterr().err


@pytest.mark.engine("docker")
def test_a_build_tells_its_steps_and_then_what_there_is(
    unique: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = images.this_runner()  # the same, also while somebody edits this checkout
    monkeypatch.setattr(images, "this_runner", lambda: found)
    assert main(["build", "p.yaml", "--stack", "docker", "--format", "json"]) == 0
    told = capsys.readouterr()
    facts = json.loads(told.out)
    assert [fact["state"] for fact in facts] == ["exists", "exists"]
    assert told.err.startswith(f"building {facts[0]['tag']}\n  [1/") and f'ENV TEST="{unique}"' in told.err
    assert main(["build", "p.yaml", "--stack", "docker"]) == 0
    told = capsys.readouterr()
    assert told.err == "" and told.out.splitlines()[1].split()[:2] == [facts[0]["image"][:24], "exists"]


@pytest.mark.engine("docker")
@pytest.mark.parametrize(
    ("image", "words", "at"),
    [
        ("{base: 'BASE', requirements: [idna, six==0.0.1]}", "mend settings.image.requirements", "six"),
        ("{image: '127.0.0.1:1/no:1'}", "may you pull it? docker login", "'127"),
        ("{dockerfile: Dockerfile}", "mend Dockerfile", "Dockerfile}"),
        ("{requirements: [./here]}", "other packages need an index or a URL", "./here"),
    ],
)
def test_what_is_wrong_with_an_image_is_told_with_its_place(
    project: Path, python_image: str, image: str, words: str, at: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "Dockerfile").write_text("FROM scratch\nRUNN x\n")
    line = f"  image: {image.replace('BASE', python_image)}"
    text = f"kind: pipeline\nname: q\nsettings:\n{line}\nsteps: {{a: {{entrypoint: 'steps:work'}}}}\n"
    (project / "q.yaml").write_text(text)
    assert main(["build", "q.yaml", "--stack", "docker"]) == 5
    assert f"{words}; of step 'a', at q.yaml:4:{line.index(at) + 1}\n" in capsys.readouterr().err

"""What the engine tells of a build, in words for people; the builds themselves are tried in tests/engine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runner.errors import EngineError
from runner.images.build import GENERATED, Progress, _failed, _moving, _said, alone, connect, instructions


def test_the_instructions_of_a_dockerfile() -> None:
    text = "# first\nFROM a\n\nRUN b && \\\n  # within\n  c\nCOPY d e\n"
    assert instructions(text) == [(2, "FROM a"), (4, "RUN b && c"), (7, "COPY d e")]


@pytest.mark.parametrize(
    ("error", "step", "help", "key"),
    [
        ("write /x: no space left on device", 3, "make room on the engine's disk: docker system prune", ""),
        ("pull access denied for a", 1, "is the base image's name right, and its registry in reach? docker", "base"),
        ("returned a non-zero code: 1", 2, "mend settings.image.requirements", "requirements"),
        ("returned a non-zero code: 100", 3, "mend settings.image.apt", "apt"),
        ("no such file", 4, "mend settings.image", ""),
    ],
)
def test_what_to_do_about_a_failure(error: str, step: int, help: str, key: str) -> None:
    text = "FROM a\nRUN pip install -r requirements.txt\nRUN apt-get install x\nCOPY a b\n"
    failed = _failed(error, step, text, GENERATED, ["last words"])
    assert (failed.help or "").startswith(help) and failed.key == key
    assert f"Dockerfile, line {step}: " in failed.message and failed.message.endswith("\n  | last words")


def test_a_failure_of_ones_own_dockerfile_is_about_that() -> None:
    failed = _failed("returned 1", 2, "FROM a\nRUN pip install -r requirements.txt\n", "docker/Dockerfile", [])
    assert (failed.help, failed.key) == ("mend docker/Dockerfile", "dockerfile")


def test_which_requirement_it_is() -> None:
    said = ["ERROR: No matching distribution found for six==0.0.1"]
    failed = _failed("returned 1", 2, "FROM a\nRUN pip install -r requirements.txt\n", GENERATED, said)
    assert (failed.key, failed.word) == ("requirements", "six==0.0.1")


def test_bytes_of_all_layers_together() -> None:
    told: list[Progress] = []
    messages = [
        {"status": "Pushing", "id": "a", "progressDetail": {"current": 1, "total": 10}},
        {"status": "Pushing", "id": "b", "progressDetail": {"current": 30, "total": 20}},
        {"status": "Pushed", "id": "a", "progressDetail": {}},
    ]
    assert list(_moving(messages, "x", "push", told.append)) == messages
    assert [(progress.done, progress.total) for progress in told] == [(1, 10), (21, 30)]


def test_without_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(EngineError, match="needs the package 'docker'") as caught:
        connect("unix:///x", {})
    assert caught.value.help == "install it: runner integrations install docker"


def test_without_an_engine(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no Docker Engine answers at unix://"):
        connect(f"unix://{tmp_path}/none.sock", {})


def test_a_lock_is_free_again(tmp_path: Path) -> None:
    for _ in range(2):
        with alone(tmp_path / "images", "a"):
            assert (tmp_path / "images/a.lock").exists()


def test_what_an_instruction_printed_is_kept_without_colours_and_notices() -> None:
    text = "\x1b[91mERROR: no such package\x1b[0m\n\x1b[0m\n[notice] A new release of pip is available\n"
    assert _said(text) == ["ERROR: no such package"]

"""`runner runs` and `runner artifacts` of runs that another folder made, in one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.cli.main import main

STACK = "kind: stack\nname: shared\norchestrator: {{flavor: local}}\nartifact_store: {{flavor: local, path: {}}}\n"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a stack's file, and nothing else, whose artifact store holds a run of another folder."""
    for name in ("made", "empty"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shared.yaml").write_text(STACK.format(tmp_path / "store"))
    (tmp_path / "made/elsewhere_steps.py").write_text("def greet():\n    print('hello')\n    return 'Hello!'\n")
    (tmp_path / "made/p.yaml").write_text(
        'kind: pipeline\nname: p\nsteps: {greet: {entrypoint: "elsewhere_steps:greet"}}\n'
    )
    monkeypatch.chdir(tmp_path / "made")
    assert main(["run", "p.yaml", "--stack", "shared.yaml"]) == 0
    monkeypatch.chdir(tmp_path / "empty")
    return tmp_path / "empty"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["runs", "list"], "succeeded"),
        (["runs", "show"], "greet  succeeded"),
        (["runs", "logs"], "| hello"),
        (["artifacts", "list"], "greet"),
        (["artifacts", "show", "last", "greet"], "Hello!"),
    ],
)
def test_the_stack_is_enough(
    elsewhere: Path, capfd: pytest.CaptureFixture[str], command: list[str], words: str
) -> None:
    capfd.readouterr()
    assert main([*command, "--stack", "shared.yaml"]) == 0
    assert words in capfd.readouterr().out
    assert not (elsewhere / ".runner").exists()


def test_without_it_there_is_nothing_here(elsewhere: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    assert main(["runs", "list"]) == 0
    assert "nothing has run here" in capfd.readouterr().out
    assert main(["runs", "show", "last"]) == 64


def test_the_environment_may_name_the_stack(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNNER_STACK", "shared.yaml")
    assert main(["artifacts", "get", "last", "greet", "-o", "greeting.json"]) == 0
    assert (elsewhere / "greeting.json").read_text() == "Hello!"


def test_a_run_that_succeeded_is_deleted_from_elsewhere(elsewhere: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "delete", "last", "--yes", "-s", "shared.yaml"]) == 0
    assert main(["runs", "show", "last", "-s", "shared.yaml"]) == 64
    assert "nothing has run on stack 'shared.yaml' yet" in capfd.readouterr().err

"""What a shell may complete."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete

from runner.cli import candidates
from runner.cli.group import runner
from runner.cli.init import write_project
from runner.cli.main import main

CONTEXT = click.Context(runner)


def completed(arguments: list[str], incomplete: str) -> list[str]:
    found = BashComplete(runner, {}, "runner", "_RUNNER_COMPLETE").get_completions(arguments, incomplete)
    return [item.value for item in found]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)


def test_commands() -> None:
    assert completed([], "ru") == ["run", "runs"]


def test_formats() -> None:
    assert completed(["plan", "--format"], "m") == ["mermaid"]


def test_pipeline_files() -> None:
    assert completed(["run"], "pipelines/h") == ["pipelines/hello.yaml"]


def test_names_of_pipelines() -> None:
    assert completed(["run"], "he") == ["hello"]


def test_stacks() -> None:
    assert completed(["run", "hello", "--stack"], "") == ["local", "default", "stacks/local.yaml"]


def test_parameters_of_the_pipeline_on_the_line() -> None:
    assert completed(["run", "hello", "-p"], "") == ["name="]


def test_artifacts_and_steps_of_a_run() -> None:
    assert main(["run", "hello"]) == 0
    assert completed(["artifacts", "get", "last"], "g") == ["greet.output"]
    assert completed(["runs", "logs", "--step"], "") == ["greet", "count"]


def test_folders_on_the_way_to_them() -> None:
    assert candidates.pipelines(CONTEXT, "pip") == ["pipelines/", "pipelines/hello.yaml", "pipelines/steps/"]


def test_steps_of_the_pipeline_on_the_line() -> None:
    assert completed(["run", "pipelines/hello.yaml", "--only"], "") == ["greet", "count"]


def test_no_steps_without_a_pipeline() -> None:
    assert completed(["run", "--only"], "") == []


def test_the_newest_run_has_a_name() -> None:
    assert completed(["runs", "show"], "la") == ["last"]


def test_an_unknown_command_offers_nothing() -> None:
    assert completed(["nonsense"], "x") == []

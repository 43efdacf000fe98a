"""The pre-commit hook and the GitHub Action, run as their services run them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runner.document.read import read_nodes

ROOT = Path(__file__).resolve().parents[1]
BROKEN = "kind: pipeline\nname: p\nsteps: {a: {entrypoint: 'm:f', timeot: 1m}}\n"
FIXED = BROKEN.replace("timeot", "timeout")
ANNOTATION = "::error file=pipelines/p.yaml,line=3,col=32,title=unknown-key::unknown key 'timeot'"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Somebody's project under git, with a mistake in its pipeline."""
    project = tmp_path / "theirs"
    (project / "pipelines").mkdir(parents=True)
    (project / "pyproject.toml").write_text("[project]\nname = 'theirs'\n")
    (project / "pipelines" / "p.yaml").write_text(BROKEN)
    git(project, "init", "-q")
    git(project, "add", ".")
    return project


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def plain(path: Path) -> Any:
    (node,), problems = read_nodes(path.read_text("utf-8"), path.name)
    assert problems == []
    return node.plain()


def validate_step() -> dict[str, Any]:
    (step,) = [each for each in plain(ROOT / "action.yml")["runs"]["steps"] if each.get("name") == "validate"]
    return step


def act(project: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """The action's last step in bash, as its host calls it: -eo pipefail, inputs in the variables that it names."""
    variables = dict.fromkeys(validate_step()["env"], "") | inputs
    environment = {**os.environ, **variables, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", validate_step()["run"]]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)


def test_the_action_annotates_each_problem(repository: Path) -> None:
    done = act(repository)
    assert (done.returncode, done.stdout.splitlines()[0].partition("%0A")[0]) == (3, ANNOTATION)
    (repository / "pipelines" / "p.yaml").write_text(FIXED)
    assert (act(repository).returncode, act(repository).stdout) == (0, "")


def test_the_actions_inputs_reach_the_command(repository: Path) -> None:
    (repository / "pipelines" / "p.yaml").write_text(FIXED)
    assert act(repository, IMPORTS="true").stdout.startswith("::error file=pipelines/p.yaml,line=3,col=25")
    assert "no stack 'prod'" in act(repository, STACK="prod").stderr
    assert "no file or folder 'other'" in act(repository, PATHS="pipelines other").stderr


def test_an_input_is_never_carried_out_as_a_script(repository: Path) -> None:
    act(repository, PATHS="$(touch made) `touch made`; touch made", STACK="$(touch made)")
    assert not (repository / "made").exists()


def test_the_action_passes_every_input_on() -> None:
    action = plain(ROOT / "action.yml")
    used = [value for step in action["runs"]["steps"] for value in str(step).split("${{ inputs.")[1:]]
    assert {name.partition(" ")[0] for name in used} == set(action["inputs"])


def test_the_hook_is_installed_and_run_by_pre_commit(repository: Path, tmp_path: Path) -> None:
    ours = tmp_path / "ours"  # what is here now, as a repository that pre-commit can clone
    ours.mkdir()
    for name in ("runner", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, ours / name)
    git(ours, "init", "-q")
    git(ours, "add", ".")
    git(ours, "commit", "-q", "-m", "all")
    environment = {**os.environ, "PRE_COMMIT_HOME": str(tmp_path / "cache"), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "pre_commit", "try-repo", str(ours), "runner-validate", "--all-files"]
    failed = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True)
    assert failed.returncode == 1 and ANNOTATION in failed.stdout
    (repository / "pipelines" / "p.yaml").write_text(FIXED)
    git(repository, "add", ".")
    assert subprocess.run(command, cwd=repository, env=environment, capture_output=True).returncode == 0

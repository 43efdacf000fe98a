"""Environments for single steps: named by their content, made once, with uv or without."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from runner.errors import EngineError
from runner.orchestrators.flavors.local import environments
from runner.orchestrators.flavors.local.environments import (
    Environments,
    install_command,
    packages_of,
    unmet,
)
from runner.plan.deployment import DeployedStep


def step(*requirements: str) -> DeployedStep:
    return DeployedStep("a", "m:f", settings={"environment": "venv"}, image={"requirements": list(requirements)})


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands instead of environments: nothing is downloaded, and only the folders are made."""
    given: list[list[str]] = []

    def run(self: Any, command: list[str], lock: int) -> None:
        given.append(command)
        if "venv" in command:
            Path(command[-1], "lib/python3/site-packages").mkdir(parents=True)

    monkeypatch.setattr(Environments, "_run", run)
    return given


def without_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments.shutil, "which", lambda name: None)
    monkeypatch.setattr(environments, "_beside", lambda name: None)


def test_an_environment_is_made_once(tmp_path: Path, commands: list[list[str]]) -> None:
    made = Environments(tmp_path, "/")
    name = made.of(step("six"))
    assert not made.is_made(name)
    made.make(name)
    count = len(commands)
    made.make(name)
    assert made.is_made(name) and len(commands) == count


def test_environments_are_named_by_what_they_hold(tmp_path: Path) -> None:
    made = Environments(tmp_path, "/")
    assert made.of(step("a", "b")) == made.of(step("b", "a")) != made.of(step("a"))
    assert made.of(DeployedStep("a", "m:f")) == ""


def test_an_environment_can_reach_the_artifact_store(tmp_path: Path) -> None:
    assert packages_of("local") == packages_of("elsewhere") == []
    assert [name.partition(">")[0] for name in packages_of("s3")] == ["obstore"]
    made = Environments(tmp_path, "/", "s3")
    assert packages_of("s3")[0] in made.requirements[made.of(step("six"))]


def test_what_was_left_half_made_is_made_again(tmp_path: Path, commands: list[list[str]]) -> None:
    made = Environments(tmp_path, "/")
    name = made.of(step("six"))
    (tmp_path / name).mkdir()
    (tmp_path / name / "rest").touch()
    made.make(name)
    assert made.is_made(name) and not (tmp_path / name / "rest").exists()


def test_without_uv_venv_and_pip_do(tmp_path: Path, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    without_uv(monkeypatch)
    made = Environments(tmp_path, "/")
    made.make(made.of(step("six")))
    assert commands[0][1:3] == ["-m", "venv"]
    assert commands[1][1:4] == ["-m", "pip", "install"] and commands[1][-2:] == ["six", "cloudpickle"]


def test_a_real_environment_without_uv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_uv(monkeypatch)
    monkeypatch.setattr(environments, "_ALWAYS", ())
    (tmp_path / "none.txt").touch()
    made = Environments(tmp_path / "environments", "/")
    name = made.of(step(f"--requirement={tmp_path / 'none.txt'}"))
    made.make(name)
    command = [made.python(name), "-c", "import runner.worker.host; print('yes')"]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "yes\n"


def test_an_installer_that_fails_is_quoted(tmp_path: Path) -> None:
    made = Environments(tmp_path, "/")
    name = made.of(step(str(tmp_path / "no-such-package")))
    with pytest.raises(EngineError, match="could not be made") as caught:
        made.make(name)
    assert "the command was: " in (caught.value.help or "") and not made.is_made(name)


def test_unmet_requirements() -> None:
    given = ["pytest", "pytest>=9999", "no-such-package", "no-such; python_version < '3'", "-r other.txt"]
    assert unmet(given) == ["pytest>=9999", "no-such-package"]


def test_the_command_that_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments.shutil, "which", lambda name: "/bin/uv")
    assert install_command(["six"])[:3] == ["/bin/uv", "pip", "install"]
    without_uv(monkeypatch)
    assert install_command(["six", "--pre"])[1:] == ["-m", "pip", "install", "six", "--pre"]

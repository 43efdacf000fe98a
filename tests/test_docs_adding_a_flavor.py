"""The page about flavors: its files are written, its commands are run and print what stands there, its suite passes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "adding-a-flavor.md"
FILE = re.compile(r"^```\w+ (\S+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
CONSOLE = re.compile(r"(?<=^```console\n).*?(?=^```)", re.DOTALL | re.MULTILINE)
# What is another one each time.
CHANGING = {
    r"\d{8}-\d{6}-[0-9a-f]{6}": "RUN",
    r"\b\d+(\.\d)? m?s\b": "DURATION",
    r"(?m)[ ─]+$": "",
    r" {2,}": "  ",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with all files of the page."""
    folder = tmp_path_factory.mktemp("project").resolve()
    (folder / "runner.toml").touch()
    for name, text in FILE.findall(PAGE.read_text()):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


def printed(command: str, folder: Path) -> str:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.stdout.replace(str(folder), "PROJECT")


def played(block: str, folder: Path) -> str:
    commands = [line for line in block.splitlines() if line.startswith("$ ")]
    return "".join(f"{command}\n{printed(command[2:], folder)}" for command in commands)


def lasting(text: str) -> str:
    for pattern, word in CHANGING.items():
        text = re.sub(pattern, word, text)
    return text.strip()


def test_its_commands_print_what_stands_there(project: Path, request: pytest.FixtureRequest) -> None:
    blocks = CONSOLE.findall(PAGE.read_text())
    now = [played(block, project) for block in blocks]
    if request.config.getoption("--golden"):
        results = iter(now)
        PAGE.write_text(CONSOLE.sub(lambda _: next(results), PAGE.read_text()))
    assert [lasting(block) for block in CONSOLE.findall(PAGE.read_text())] == [lasting(block) for block in now]


def test_its_own_flavor_with_settings_runs(project: Path) -> None:
    (project / "stacks" / "mended.yaml").write_text(
        (project / "stacks" / "nice.yaml").read_text().replace("nicenes:", "niceness:").replace("nice\n", "mended\n")
    )
    assert "2 succeeded" in printed("runner run sums.yaml --stack mended --no-cache", project)
    assert "How far steps stand back for others." in printed("runner flavors lab_settings:LabOrchestrator", project)


def test_the_full_one_runs(project: Path) -> None:
    assert "2 succeeded" in printed("runner run sums.yaml --stack full --no-cache", project)


def test_the_full_one_passes_the_suite(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_lab.py"],
        cwd=project,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d\d passed", done.stdout)


def test_every_piece_of_code_is_a_file_that_runs_or_is_said_to_be_a_part(project: Path) -> None:
    unnamed = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    parts = ("follow(deployment, stack, ended=", "oversee(deployment, stack, look, stop, known=")
    assert len(unnamed) == len(parts) and all(part in text for part, text in zip(parts, unnamed, strict=True))

"""The pages that show commands: each is run, in order, in a copy of the project, and prints what stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"(?<=```console\n).*?(?=```)", re.DOTALL)
COMMAND = re.compile(r"^[$] .*\n(?:>.*\n)*", re.MULTILINE)
PAGES = ("README.md", "docs/stacks.md")
# What is another one each time, in the order in which it is looked for.
CHANGING = {
    r"\d{8}-\d{6}-[0-9a-f]{6}": "RUN",
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d": "TIME",
    r"\b[0-9a-f]{12,64}\b": "DIGEST",
    r"\b[0-9a-f]{2}/DIGEST": "DIGEST",
    r"\b\d+ [mhd] \d\d [smh]\b": "DURATION",
    r"\b\d+(\.\d)? m?s\b": "DURATION",
    r"\b\d+(\.\d)? [KMG]?B\b": "SIZE",
    r"\b0\.\d+\b": "NUMBER",
    r"(?m)[ ─]+$": "",
    r" {2,}": "  ",
}


def blocks(text: str) -> list[str]:
    return BLOCK.findall(text)


def lasting(text: str) -> str:
    """The text without what is another one each time."""
    for pattern, word in CHANGING.items():
        text = re.sub(pattern, word, text)
    return text


def printed(command: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "NO_COLOR": "1", "LOGNAME": "ada"}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.stdout


def played(block: str, folder: Path) -> str:
    """The block with what its commands print now; a command goes on in lines that start with `> `."""
    commands = COMMAND.findall(block)
    return "".join(f"{command}{printed(re.sub('(?m)^[$>] ?', '', command), folder)}" for command in commands)


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("RUNNER_STACK", raising=False)
    for name in ("pipelines", "stacks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_its_commands_print_what_stands_there(page: str, copy: Path, request: pytest.FixtureRequest) -> None:
    readme = ROOT / page
    printed("runner run pipelines/train.yaml", copy)  # as `make run` does, after which the tour begins
    there = set(os.listdir(copy))
    now = [played(block, copy) for block in blocks(readme.read_text())]
    if request.config.getoption("--golden"):
        results = iter(now)
        readme.write_text(BLOCK.sub(lambda match: next(results), readme.read_text()))
    assert [lasting(block) for block in blocks(readme.read_text())] == [lasting(block) for block in now]
    assert set(os.listdir(copy)) == there


def test_it_opens_with_the_two_commands() -> None:
    opening = (ROOT / "README.md").read_text().split("```")[1]
    assert [line.split("#")[0].strip() for line in opening.strip().splitlines()] == ["make run", "make test"]

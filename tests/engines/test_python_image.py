"""The script that makes a base image: it works for any user, and leaves alone what it has not made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

SCRIPT = Path(__file__).parent / "python-image"
pytestmark = pytest.mark.engine("docker")


def docker(*arguments: str, **options: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True, **options).stdout.strip()


def test_it_has_python_of_this_version_and_pip(python_image: str) -> None:
    code = "import sqlite3, ssl, sys; print(*sys.version_info[:2])"
    run = ["run", "--rm", "--network=none", "--user=1000:1000", python_image]
    assert docker(*run, "python", "-c", code) == f"{sys.version_info.major} {sys.version_info.minor}"
    assert docker(*run, "python", "-m", "pip", "--version").startswith("pip ")


def test_an_image_of_somebody_else_is_left_as_it_is(python_image: str) -> None:
    tag = f"runner-test-foreign:{uuid4().hex}"
    docker("build", "-q", "-t", tag, "-", input=f'FROM {python_image}\nLABEL "runner/test-image"=\n')
    try:
        before = docker("image", "inspect", "--format", "{{.Id}}", tag)
        environment = os.environ | {"RUNNER_TEST_IMAGE": tag, "PYTHON": sys.executable}
        told = subprocess.run([SCRIPT], env=environment, capture_output=True, text=True, check=True).stdout
        assert told == f"python-image: {tag} is there, and not of our making: taken as it is\n"
        assert docker("image", "inspect", "--format", "{{.Id}}", tag) == before
    finally:
        subprocess.run(["docker", "rmi", tag], capture_output=True)

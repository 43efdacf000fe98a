"""Tests of engines that do not answer are left out and told, or an error where they are required."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TESTED = "tests/test_docker_engine.py"
OF_A_CLUSTER = "tests/engines/test_kubernetes_cluster.py"


def run(*options: str, tested: str = TESTED, **environ: str) -> subprocess.CompletedProcess[str]:
    """The tests of the Docker Engine where there is none."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "RUNNER_REQUIRE"))}
    command = [sys.executable, "-m", "pytest", tested, *options]
    return subprocess.run(
        command, cwd=ROOT, env=kept | {"DOCKER_HOST": "unix:///none"} | environ, text=True, capture_output=True
    )


def test_the_closing_line_says_what_was_left_out() -> None:
    done = run()
    assert done.returncode == 0 and "1 deselected" in done.stdout
    assert "left out, for want of real engines: docker; get them: make engines" in done.stdout


def test_it_says_so_of_several_processes_too() -> None:
    done = run("-n", "1")
    assert done.returncode == 0
    assert "left out, for want of real engines: docker; get them: make engines" in done.stdout


def test_a_missing_engine_that_is_required_is_an_error() -> None:
    done = run(RUNNER_REQUIRE_ENGINES="docker")
    assert done.returncode != 0
    assert "RUNNER_REQUIRE_ENGINES names 'docker', which does not answer: make engines" in done.stderr


def test_a_cluster_that_does_not_answer_is_left_out_too() -> None:
    done = run("-k", "job", tested=OF_A_CLUSTER, RUNNER_TEST_KUBECONFIG="/none")
    assert "left out, for want of real engines: kubernetes; get them: make engines" in done.stdout


def test_a_cluster_that_is_required_is_an_error() -> None:
    done = run(tested=OF_A_CLUSTER, RUNNER_TEST_KUBECONFIG="/none", RUNNER_REQUIRE_ENGINES="kubernetes")
    assert "RUNNER_REQUIRE_ENGINES names 'kubernetes', which does not answer: make engines" in done.stderr

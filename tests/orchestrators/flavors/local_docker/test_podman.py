"""Podman as the engine: its socket speaks Docker's API."""

from __future__ import annotations

from pathlib import Path

import pytest
from docker_bench import Docker, step

from runner.docker_engine import engine_check
from runner.records import LogLines

pytestmark = pytest.mark.engine("podman")
MB = 1024 * 1024


@pytest.fixture
def podmans(tmp_path: Path, podman: str, podman_image: str) -> Docker:
    bench = Docker(tmp_path, podman_image, podman)
    bench.settings["docker_host"] = podman
    return bench


def test_a_run_leaves_values_and_no_containers(podmans: Docker) -> None:
    below = step("b", "value", inputs={"x": ("a", "output")})
    assert podmans.output(step("a", "value", parameters={"x": [1]}), below) == [1]
    assert podmans.containers() == []


def test_lines_come_live(podmans: Docker) -> None:
    happened = podmans.events(step("a", "say", parameters={"lines": ["one", "two"]}))
    assert "".join(item.text for item in happened if isinstance(item, LogLines)) == "one\ntwo\n"


def test_a_timeout_is_kept(podmans: Docker) -> None:
    assert podmans.error(step("a", "stubborn", timeout=3.0))[0] == "timeout"


def test_too_much_memory_is_told_with_the_limit(podmans: Docker) -> None:
    found = podmans.error(step("a", "eat", parameters={"size": 300 * MB}, resources={"memory": 64 * MB}))
    assert found == ("out-of-memory", "it took more than its memory of 64MiB, and the kernel killed it")


def test_a_missing_image_is_named(podmans: Docker) -> None:
    assert podmans.error(step("a", "value", container={"image": "127.0.0.1:1/no-such-image:1"}))[0] == "image"


def test_doctor_knows_it(podman: str) -> None:
    assert engine_check("engine", podman, {}).ok

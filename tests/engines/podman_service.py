"""Fixture: the socket of a Podman that serves Docker's API, started for the tests that ask for it."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator

import pytest

# Where nobody may raise limits (some virtual machines withhold that right), Podman's own defaults cannot be set.
LIMITS = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'


@pytest.fixture(scope="session")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address, as DOCKER_HOST has it."""
    folder = tmp_path_factory.mktemp("podman")
    (folder / "containers.conf").write_text(LIMITS)
    environment = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}
    address = f"unix://{folder}/podman.sock"
    command = ["podman", "system", "service", "--time=0", address]
    with (
        open(folder / "log", "w") as log,
        # In that folder: what watches over its containers leaves a file `oom` where it was started.
        subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder) as service,
    ):
        give_up = time.monotonic() + 60
        while not (folder / "podman.sock").exists():
            assert service.poll() is None and time.monotonic() < give_up, (folder / "log").read_text()
            time.sleep(0.05)
        yield address
        service.terminate()


@pytest.fixture(scope="session")
def podman_image(podman: str, worker_image: str) -> str:
    """The worker's image, handed over from the Docker Engine."""
    saved = subprocess.run(["docker", "save", worker_image], check=True, capture_output=True).stdout
    subprocess.run(["podman", "load"], input=saved, check=True, capture_output=True)
    return worker_image

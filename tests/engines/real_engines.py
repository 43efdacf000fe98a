"""Which real engines answer on this machine: tests marked `engine("docker")` run where theirs does.

Tests of engines that do not answer are left out, and the closing line says so; RUNNER_REQUIRE_ENGINES=docker,kubernetes
makes a missing one an error instead. `make engines` starts them.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import kube
import pytest

from runner.docker_engine import address, ask
from runner.errors import EngineError

REGISTRY = os.environ.get("RUNNER_TEST_REGISTRY", "127.0.0.1:5000")
# A user `nobody` whose password is `a-password`, as htpasswd writes it.
HTPASSWD = "nobody:$2b$05$abcdefghijklmnopqrstuubsRD.Ffj/ka0r3BpAjv57rF8oK.y5YW\n"
NAMES = pytest.StashKey[dict[str, bool]]()
LEFT_OUT = pytest.StashKey[set[str]]()


def _docker() -> bool:
    try:
        ask(address(None, os.environ), "/version", os.environ)
    except EngineError:
        return False
    return True


def _registry() -> bool:
    return _serves(REGISTRY) and shutil.which("docker-registry") is not None


def _podman() -> bool:
    """Whether one is installed that the tests can start, and hand an image to."""
    return shutil.which("podman") is not None and os.getuid() == 0 and _docker()


ENGINES: Mapping[str, Callable[[], bool]] = {
    "docker": _docker,
    "kubernetes": kube.answers,
    "podman": _podman,
    "registry": _registry,
}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "engine(name): needs this real engine; `make engines` starts it")
    config.stash[LEFT_OUT] = set()
    given = getattr(config, "workerinput", {}).get("engines")
    config.stash[NAMES] = given or {name: answers() for name, answers in ENGINES.items()}
    for name in filter(None, os.environ.get("RUNNER_REQUIRE_ENGINES", "").split(",")):
        if not config.stash[NAMES].get(name.strip()):
            said = f"RUNNER_REQUIRE_ENGINES names '{name.strip()}'"
            raise pytest.UsageError(f"{said}, which does not answer: make engines")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """All processes of the tests shall run the same ones."""
    node.workerinput["engines"] = node.config.stash[NAMES]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    node.config.stash[LEFT_OUT] |= set(getattr(node, "workeroutput", {}).get("engines", ()))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    missing = {name for name, answers in config.stash[NAMES].items() if not answers}
    needs = {item: {str(mark.args[0]) for mark in item.iter_markers("engine")} for item in items}
    left_out = [item for item in items if needs[item] & missing]
    if left_out:
        config.stash[LEFT_OUT] |= {name for item in left_out for name in needs[item] & missing}
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    if hasattr(config, "workeroutput"):
        config.workeroutput["engines"] = sorted(config.stash[LEFT_OUT])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if left_out := sorted(config.stash[LEFT_OUT]):
        terminalreporter.write_line(
            f"left out, for want of real engines: {', '.join(left_out)}; get them: make engines"
        )


@pytest.fixture(scope="session")
def registry() -> str:
    """The address of a registry that anybody may push to."""
    return REGISTRY


@pytest.fixture(scope="session")
def python_image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The base image of this interpreter's version, made when it is not there."""
    with open(tmp_path_factory.getbasetemp().parent / "python-image.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the other processes of these tests want it too
        script = Path(__file__).parent / "python-image"
        done = subprocess.run([script], env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"


@pytest.fixture(scope="session")
def closed_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a registry that takes pushes of `nobody` with `a-password` alone."""
    folder, host = tmp_path_factory.mktemp("registry"), f"127.0.0.1:{free_port()}"
    (folder / "htpasswd").write_text(HTPASSWD)
    config = {
        "version": "0.1",
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": host},
        "auth": {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}},
    }
    yield from serving(folder, config, host)


def serving(folder: Path, config: Mapping[str, Any], host: str) -> Iterator[str]:
    (folder / "config.yml").write_text(json.dumps(config))
    with open(folder / "log", "w") as log:
        # It shall not outlive tests that are killed.
        command = ["setpriv", "--pdeathsig", "KILL", "docker-registry", "serve", str(folder / "config.yml")]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as server:
            try:
                deadline = time.monotonic() + 60
                while not _serves(host):
                    assert server.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
                    time.sleep(0.05)
                yield host
            finally:
                server.kill()


def _serves(host: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://{host}/v2/", timeout=5):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return error.code == 401
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port

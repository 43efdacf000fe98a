"""A Docker Engine over its socket: a real one, a dead one, and something else in its place."""

from __future__ import annotations

import http.server
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.docker_engine import DEFAULT, address, ask, engine_check
from runner.errors import EngineError


@pytest.fixture
def other_service() -> Iterator[str]:
    """An HTTP server that is no Docker Engine."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.mark.engine("docker")
def test_a_real_engine_tells_its_version() -> None:
    check = engine_check("engine", None, os.environ)
    assert check.ok and check.told.startswith("Docker Engine ") and ", API 1." in check.told


def test_a_socket_that_is_not_there(tmp_path: Path) -> None:
    check = engine_check("engine", f"unix://{tmp_path}/none.sock", {})
    assert check.told == f"no Docker Engine answers at unix://{tmp_path}/none.sock: No such file or directory"
    assert "DOCKER_HOST" in (check.help or "")


def test_a_dead_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "dead.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    assert "Connection refused" in engine_check("engine", f"unix://{path}", {}).told


def test_an_engine_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(EngineError, match="timed out"):
            ask(host, "/version", {}, timeout=0.2)


def test_what_is_no_engine_is_told(other_service: str) -> None:
    with pytest.raises(EngineError, match="is no Docker Engine"):
        ask(other_service, "/version", {})


def test_where_the_engine_is() -> None:
    environ = {"DOCKER_HOST": "tcp://127.0.0.1:2375"}
    assert address(None, {}) == DEFAULT
    assert address(None, environ) == "tcp://127.0.0.1:2375"
    assert address("unix:///other", environ) == "unix:///other"


def test_an_address_that_is_none() -> None:
    assert "no address of a Docker Engine" in engine_check("engine", "http://here", {}).told


def test_certificates_that_are_missing_are_told(tmp_path: Path) -> None:
    environ = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    check = engine_check("engine", "tcp://127.0.0.1:2376", environ)
    assert "certificates" in check.told and str(tmp_path) in (check.help or "")

"""Whether a cluster answers is found out at once, from the kubeconfig alone."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import kube
import pytest
from real_engines import free_port


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of the cluster in the kubeconfig of these tests; nothing is there yet."""
    server = f"http://127.0.0.1:{free_port()}"
    config = {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "its"}}],
        "clusters": [{"name": "its", "cluster": {"server": server}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    monkeypatch.setattr(kube, "KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("no_proxy", "*")
    return server


def serve_once(server: str, status: int) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(status if self.path == "/readyz" else 404)

        def log_message(self, *_: object) -> None: ...

    listening = HTTPServer(("127.0.0.1", int(server.rpartition(":")[2])), Handler)
    threading.Thread(target=lambda: (listening.handle_request(), listening.server_close()), daemon=True).start()


@pytest.mark.parametrize(("status", "is_there"), [(200, True), (401, True), (403, True), (500, False)])
def test_a_cluster_that_is_ready_or_asks_who_is_there(server: str, status: int, is_there: bool) -> None:
    serve_once(server, status)
    assert kube.answers() is is_there


def test_a_cluster_that_is_down(server: str) -> None:
    assert not kube.answers()


def test_no_kubeconfig(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kube, "KUBECONFIG", str(tmp_path / "none"))
    assert not kube.answers()

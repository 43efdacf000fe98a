"""A service that answers, one that refuses, one that is not there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from runner.checks import Check
from runner.orchestrators.service import service_check


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.headers.get("Authorization") == "Bearer right" else 401)
        self.end_headers()

    def log_message(self, *given: object) -> None:
        return


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/health"
        server.shutdown()
        thread.join()


def test_who_is_let_in(url: str) -> None:
    assert service_check("Airflow", url, "right", "help") == Check("Airflow", True, f"{url} answers")


def test_a_refusal_is_told_without_the_token(url: str) -> None:
    check = service_check("Airflow", url, "wrong", "get a new token")
    assert check == Check("Airflow", False, f"{url} answers 401 Unauthorized", "get a new token")


def test_nobody_is_there() -> None:
    check = service_check("Airflow", "http://127.0.0.1:1/health", None, "does it run?")
    assert check.told == "http://127.0.0.1:1/health cannot be reached: Connection refused"

"""Fixtures: servers of secrets on this machine. AWS's is moto's own server, which serves S3 beside it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from object_stores import s3_endpoint  # noqa: F401  (one moto server has all of AWS's services)


@pytest.fixture
def aws_client(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: F811
    """A client of Secrets Manager; this process and what it starts have credentials for it."""
    import boto3

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    return boto3.client("secretsmanager", endpoint_url=s3_endpoint, region_name="eu-central-1")


class GcpSecrets:
    """`versions` is name → the value of its latest version, as bytes; `refuse` an HTTP status for every request."""

    def __init__(self) -> None:
        self.versions: dict[str, bytes] = {}
        self.refuse: list[int] = []
        self.asked: list[str] = []
        self.url = ""

    def answer(self, path: str) -> tuple[int, str]:
        """What Secret Manager's REST interface answers, made of the library's own types."""
        from google.cloud.secretmanager_v1.types import AccessSecretVersionResponse

        self.asked.append(path)
        if self.refuse:
            return _error(self.refuse.pop(0))
        name = path.removeprefix("/v1/").partition(":access")[0]
        data = self.versions.get(name.split("/")[3])
        if data is None:
            return _error(404)
        response = AccessSecretVersionResponse(name=name, payload={"data": data})
        return 200, AccessSecretVersionResponse.to_json(response)


def _error(status: int) -> tuple[int, str]:
    words = {404: "NOT_FOUND", 403: "PERMISSION_DENIED", 503: "UNAVAILABLE"}[status]
    return status, json.dumps({"error": {"code": status, "message": f"it is {words}", "status": words}})


def _handler(answer: Callable[[str], tuple[int, str]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, text = answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *given: object) -> None:
            return

    return Handler


@pytest.fixture
def gcp_secrets() -> Iterator[GcpSecrets]:
    """Secret Manager as far as reading goes: there is no emulator of it."""
    secrets = GcpSecrets()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(secrets.answer))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    secrets.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield secrets
    server.shutdown()
    thread.join()
    server.server_close()

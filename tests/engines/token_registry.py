"""Fixture: a real registry that takes tokens, and the small server that gives them, as Docker Hub and its like do."""

from __future__ import annotations

import base64
import datetime
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from real_engines import free_port, serving

MAY = {"nobody:a-password": ["pull", "push"], "reader:a-password": ["pull"], "": ["pull"]}
"""Login → what it may do with every repository; the empty one is anybody's."""


class Issuer:
    """Signs tokens as the specification of the registry's token authentication says, with a key of its own."""

    def __init__(self) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        self.key = ec.generate_private_key(ec.SECP256R1())
        name, now = x509.Name([]), datetime.datetime.now(datetime.UTC)
        day = datetime.timedelta(days=1)
        certificate = (
            x509.CertificateBuilder(
                name, name, self.key.public_key(), x509.random_serial_number(), now - day, now + day
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.der = certificate.public_bytes(serialization.Encoding.DER)

    def token(self, scope: str, actions: list[str]) -> str:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, utils

        kind, name, asked = scope.split(":")
        allowed = [action for action in asked.split(",") if action in actions]
        now = int(time.time())
        times = {"exp": now + 300, "nbf": now - 60, "iat": now - 60}
        access = [{"type": kind, "name": name, "actions": allowed}]
        claims = {"iss": "test", "sub": "", "aud": "test", "jti": "1", **times, "access": access}
        head = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(self.der).decode()]}
        text = f"{_encoded(json.dumps(head).encode())}.{_encoded(json.dumps(claims).encode())}"
        r, s = utils.decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _handler(token: Callable[[str, list[str]], str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = self.headers.get("Authorization", "Basic ").removeprefix("Basic ")
            login = base64.b64decode(given).decode()
            if login not in MAY:
                self.send_error(401)
                return
            scope = parse_qs(urlsplit(self.path).query)["scope"][0]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"token": token(scope, MAY[login])}).encode())

        def log_message(self, *given: object) -> None:
            return

    return Handler


@pytest.fixture(scope="session")
def token_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a registry that takes tokens: `nobody` may push, `reader` and anybody may pull."""
    folder, issuer = tmp_path_factory.mktemp("registry"), Issuer()
    (folder / "issuer.pem").write_text(issuer.pem)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(issuer.token)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            host = f"127.0.0.1:{free_port()}"
            realm = f"http://127.0.0.1:{server.server_address[1]}/token"
            token = {"realm": realm, "service": "test", "issuer": "test", "rootcertbundle": str(folder / "issuer.pem")}
            config: dict[str, Any] = {
                "version": "0.1",
                "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
                "http": {"addr": host},
                "auth": {"token": token},
            }
            yield from serving(folder, config, host)
        finally:
            server.shutdown()
            thread.join()

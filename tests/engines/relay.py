"""A small HTTP proxy in front of a server: it counts requests, and answers some of them itself, or not at all."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Answer = int | str | None
"""A status to answer with, "reset" or "lost" (the server got it, the client hears nothing), None to pass on."""


class Relay:
    """`seen` has method and path of every request; `answer` says what becomes of one, given those and its number."""

    def __init__(self, upstream: str) -> None:
        self.upstream = urlsplit(upstream).netloc
        self.seen: list[tuple[str, str]] = []
        self.answer: Callable[[str, str, int], Answer] = lambda method, path, number: None
        self.url = ""

    def count(self, method: str = "") -> int:
        return sum(seen.startswith(method) for seen, _ in self.seen)


@contextmanager
def relay(upstream: str) -> Iterator[Relay]:
    """A relay to this address, for as long as it is needed."""
    the_relay = Relay(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            if self.headers.get("Expect"):
                self.send_response_only(100)
                self.end_headers()
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            the_relay.seen.append((self.command, self.path))
            answer = the_relay.answer(self.command, self.path, len(the_relay.seen))
            if isinstance(answer, int):
                self._reply(answer, {"Content-Type": "application/xml"}, b"")
            elif answer == "reset":
                self._hang_up()
            else:
                status, headers, data = self._forward(body)
                self._hang_up() if answer == "lost" else self._reply(status, headers, data)

        def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            connection = http.client.HTTPConnection(the_relay.upstream, timeout=60)
            connection.request(self.command, self.path, body, dict(self.headers))
            response = connection.getresponse()
            data = response.read()
            connection.close()
            return response.status, dict(response.headers), data

        def _reply(self, status: int, headers: dict[str, str], data: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "connection", "transfer-encoding"):
                    self.send_header(name, value)
            length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(data))
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

        def _hang_up(self) -> None:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    the_relay.url = f"http://127.0.0.1:{server.server_address[1]}{urlsplit(upstream).path}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield the_relay
    server.shutdown()
    server.server_close()

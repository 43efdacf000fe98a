"""What S3's refusals mean: answers of a small server as real services give them, told in obstore's own words."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from runner.artifact_store import bucket
from runner.artifact_store.base import ObjectMissing, StoreError
from runner.artifact_store.stores import open_store

TOKEN = "a-token-that-nobody-may-see"
ANSWERS = [
    (403, "AccessDenied", "", "permission denied (AccessDenied: said)"),
    (400, "ExpiredToken", f"<Token-0>{TOKEN}</Token-0>", "the login was refused (ExpiredToken: said)"),
    (403, "SignatureDoesNotMatch", f"<StringToSign>{TOKEN}</StringToSign>", "the login was refused"),
    (404, "NoSuchBucket", "", "there is no bucket 'bucket' at http"),
    (409, "ConditionalRequestConflict", "", "gave up after 1 tries: ConditionalRequestConflict: said"),
    (503, "SlowDown", "", "gave up after 1 tries: 503 SlowDown: said"),
    (418, "Odd", "", "Odd: said"),
    (
        301,
        "PermanentRedirect",
        "<Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint>",
        "in another region: write it as `region`",
    ),
    (400, "AuthorizationHeaderMalformed", "<Region>eu-west-3</Region>", "in region 'eu-west-3': write it as `region`"),
]


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Status and body that a server gives to each request; then the store in it."""
    found: list[Any] = [500, ""]

    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            content = found[1].encode() if self.command != "HEAD" else b""
            self.send_response_only(found[0])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_HEAD = reply

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(bucket, "PATIENCE", 0.0)
    found.append(store_at(f"http://127.0.0.1:{server.server_address[1]}"))
    yield found
    server.shutdown()


def store_at(endpoint: str) -> Any:
    keys = {"access_key_id": "an-id", "secret_access_key": "a-key"}
    return open_store({"flavor": "s3", "path": "s3://bucket/x", "endpoint_url": endpoint, **keys})


@pytest.mark.parametrize(("status", "code", "more", "expected"), ANSWERS)
def test_a_refusal(answer: list[Any], status: int, code: str, more: str, expected: str) -> None:
    answer[:2] = status, f"<Error><Code>{code}</Code><Message>said</Message>{more}</Error>"
    with pytest.raises(StoreError) as caught:
        answer[2].put("a", b"x")
    assert expected in caught.value.message and TOKEN not in str(caught.getrepr(chain=True))


def test_a_missing_object_and_a_body_that_says_nothing(answer: list[Any]) -> None:
    answer[:2] = 404, "<html>what?</html>"
    with pytest.raises(ObjectMissing):
        answer[2].get("a")
    assert answer[2].size("a") is None


def test_one_of_many_that_is_not_removed(answer: list[Any]) -> None:
    error = "<Key>x/a</Key><Code>AccessDenied</Code><Message>not this &amp; that</Message>"
    answer[:2] = 200, f"<DeleteResult><Error>{error}</Error></DeleteResult>"
    with pytest.raises(StoreError, match=r"permission denied \(AccessDenied: not this & that\)") as caught:
        answer[2].delete("a")
    assert "s3:DeleteObject" in str(caught.value.help)


def test_a_service_that_has_no_tls(answer: list[Any]) -> None:
    with pytest.raises(StoreError, match="https:// does not work with it: InvalidMessage"):
        store_at(answer[2].settings["endpoint_url"].replace("http:", "https:")).get("a")


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "IMPATIENCE", 0.0)
    with pytest.raises(StoreError, match=r"http://nowhere\.invalid cannot be reached: .*lookup") as caught:
        store_at("http://nowhere.invalid").get("a")
    assert "endpoint_url" in str(caught.value.help)


def test_a_service_that_hangs_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "PATIENCE", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            server.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(StoreError, match="gave up after 1 tries"):
            store_at(f"http://127.0.0.1:{server.getsockname()[1]}").get("a")

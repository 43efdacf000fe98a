"""Who asks S3, and where: doubles of the places that give keys, and of an S3 that tells with whose it was asked."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from runner.artifact_store.base import StoreError
from runner.artifact_store.s3_login import NoLogin, keys_of, place_of, token_endpoint
from runner.artifact_store.stores import open_store

SECRET = "a-token-that-nobody-may-see"
KEYS = {"AccessKeyId": "theirs", "SecretAccessKey": SECRET, "Token": SECRET, "Expiration": "2099-01-01T00:00:00Z"}
EXCHANGED = "".join(f"<{name}>{value}</{name}>" for name, value in KEYS.items()).replace("Token>", "SessionToken>")
STS = "AssumeRoleWithWebIdentityRes"


class Double:
    """A place of Amazon's cloud. `asked` has path and key of every request; `refuses`: with what it refuses keys."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.refuses = 0
        double = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                key = re.search("Credential=([^/]*)", self.headers.get("Authorization", ""))
                double.asked.append((self.path, key[1] if key else ""))
                status, content = double.says(self.path, body)
                self.send_response_only(status)
                self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content.encode())

            do_GET = do_PUT = do_POST = answer

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def says(self, path: str, body: str) -> tuple[int, str]:
        if path.startswith("/bucket"):
            return 200, "content"
        if self.refuses:
            return self.refuses, f"not with {SECRET}"
        if "WebIdentity" in path + body:
            return 200, f"<{STS}ponse><{STS}ult><Credentials>{EXCHANGED}</Credentials></{STS}ult></{STS}ponse>"
        if path.endswith("/security-credentials/"):
            return 200, "a-role"
        return 200, "a-token" if path == "/latest/api/token" else json.dumps(KEYS | {"Code": "Success"})


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody is logged in."""
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "PROFILE", "DEFAULT_PROFILE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("REGION", "DEFAULT_REGION", "ENDPOINT_URL", "ENDPOINT_URL_S3", "CA_BUNDLE"):
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def double() -> Iterator[Double]:
    made = Double()
    yield made
    made.server.shutdown()


@pytest.fixture
def token(tmp_path: Path) -> str:
    (tmp_path / "token").write_text(SECRET)
    return str(tmp_path / "token")


@pytest.fixture
def pod(double: Double, token: str, monkeypatch: pytest.MonkeyPatch) -> Double:
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{double.url.replace('127.0.0.1', 'localhost')}/pod")
    monkeypatch.setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token)
    return double


def asked_by(double: Double, **fields: str) -> str:
    """The id of the key with which this S3 is asked."""
    settings = {"flavor": "s3", "path": "s3://bucket/x", "endpoint_url": double.url, **fields}
    assert open_store(settings).get("a") == b"content"
    return double.asked[-1][1]


def test_keys_of_the_settings_count_most(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"):
        monkeypatch.setenv(f"AWS_{name}", "of-the-environment")
    assert asked_by(double, access_key_id="mine", secret_access_key="x") == "mine"
    keys = keys_of({"access_key_id": "mine", "secret_access_key": "x"})
    assert keys is not None and keys()["token"] is None


def test_keys_of_the_environment(pod: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert asked_by(pod) == "of-the-environment"


def test_keys_of_a_pod_or_a_container(pod: Double) -> None:
    assert asked_by(pod) == "theirs"
    assert [path for path, _ in pod.asked] == ["/pod", "/bucket/x/a"]


def test_keys_of_a_machine(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", double.url)
    assert asked_by(double) == "theirs"


def test_keys_for_a_pods_token_over_tls(
    double: Double, token: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sts = Double(certified(tmp_path))
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "certificate"))
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", token)
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/a-role")
    assert asked_by(double) == "theirs"
    sts.refuses = 400
    with pytest.raises(StoreError, match=r"login was refused \(Amazon's token service gives no credentials") as caught:
        asked_by(double)
    assert SECRET not in told(caught)
    sts.server.shutdown()


def test_a_refusal_is_told_without_what_was_said(pod: Double) -> None:
    pod.refuses = 403
    with pytest.raises(StoreError, match=r"login was refused \(localhost:\d+ gives no credentials: 403") as caught:
        asked_by(pod)
    assert SECRET not in told(caught)


def test_keys_of_a_profile(double: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    write_keys(tmp_path, "default", "the-usual")
    write_keys(tmp_path, "dev", "of-dev")
    assert (asked_by(double, profile="dev"), asked_by(double)) == ("of-dev", "of-the-environment")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert asked_by(double) == "the-usual"
    monkeypatch.setenv("AWS_PROFILE", "dev")
    assert asked_by(double) == "of-dev"


def test_keys_that_a_program_gives(double: Double, tmp_path: Path) -> None:
    program = tmp_path / "program"
    answer = KEYS | {"SessionToken": "x", "Version": 1}
    program.write_text(f"import json; print(json.dumps({answer!r}))")
    (tmp_path / "config").write_text(f"[profile dev]\ncredential_process = {sys.executable} {program}\n")
    assert asked_by(double, profile="dev") == "theirs"


def test_a_profile_that_is_not_there(double: Double) -> None:
    with pytest.raises(StoreError, match=r"the login was refused \(ProfileNotFound: .*\(nope\)"):
        asked_by(double, profile="nope")


def test_a_profile_without_what_reads_it(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(StoreError, match=r"needs 'botocore.*not installed") as caught:
        asked_by(double, profile="dev")
    assert "runner integrations install aws-login" in str(caught.value.help)


def test_nobody_is_logged_in() -> None:
    keys = keys_of({})
    with pytest.raises(NoLogin, match="there are no keys"):
        assert keys and keys()


def test_where_a_bucket_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place_of("b", {}) == ("us-east-1", "https://b.s3.us-east-1.amazonaws.com", True)
    assert place_of("a.b", {}).endpoint == "https://s3.us-east-1.amazonaws.com"
    (tmp_path / "config").write_text("[default]\nregion = eu-north-1\n[profile dev]\nregion = eu-south-1\n")
    assert (place_of("b", {}).region, place_of("b", {"profile": "dev"}).region) == ("eu-north-1", "eu-south-1")
    monkeypatch.setenv("AWS_REGION", "cn-north-1")
    assert place_of("b", {}).endpoint == "https://b.s3.cn-north-1.amazonaws.com.cn"
    assert place_of("b", {"region": "eu-west-1"}).region == "eu-west-1"
    assert token_endpoint("eu-west-1") == "https://sts.eu-west-1.amazonaws.com"


def test_another_service_than_amazons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("[default]\nendpoint_url = http://file\n")
    assert place_of("b", {}) == ("us-east-1", "http://file", False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://all")
    assert place_of("b", {}).endpoint == "http://all"
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://s3/")
    assert place_of("b", {}).endpoint == "http://s3"
    assert place_of("b", {"endpoint_url": "http://mine"}).endpoint == "http://mine"
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert place_of("b", {}).own


def test_a_directory_bucket_is_refused() -> None:
    with pytest.raises(StoreError, match="directory bucket"):
        place_of("b--euw1-az1--x-s3", {})


def test_a_proxy_of_the_environment_is_asked(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", double.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    double.says = lambda path, body: (200, "content")  # type: ignore[method-assign]
    fields = {"access_key_id": "mine", "secret_access_key": "x", "endpoint_url": "http://s3.example.com"}
    assert asked_by(double, **fields) == "mine"
    assert double.asked[-1][0] == "http://s3.example.com/bucket/x/a"


def told(caught: pytest.ExceptionInfo[StoreError]) -> str:
    """All that a traceback would show."""
    import traceback

    return "".join(traceback.format_exception(caught.value)) + str(caught.value.help)


def write_keys(folder: Path, profile: str, id: str) -> None:
    with open(folder / "credentials", "a") as file:
        file.write(f"[{profile}]\naws_access_key_id = {id}\naws_secret_access_key = x\n")
    with open(folder / "config", "a") as file:
        file.write(f"[profile {profile}]\n" if profile != "default" else "[default]\n")


def certified(folder: Path) -> ssl.SSLContext:
    """What a server of this machine needs for TLS; its certificate is in the folder, for who trusts it."""
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1\n")
    for command in (
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout its-key -out certificate",
        "req -new -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key -out request",
        "x509 -req -in request -CA certificate -CAkey its-key -days 2 -extfile names -out signed",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "signed", folder / "key")
    return context

"""A real registry, with and without a login; places and refusals."""

from __future__ import annotations

import socket

import pytest

from runner.images.logins import Login
from runner.images.registry import Place, Registry, RegistryError, place_of

RIGHT = Login("nobody", "a-password", "secret 'PASSWORD'")
WRONG = Login("nobody", "another-password", "secret 'PASSWORD'")


def refusal(host: str, login: Login | None) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        Registry(host, login).try_push("ml/runner-doctor")
    return caught.value


@pytest.mark.engine("registry")
def test_anybody_may_push_to_an_open_registry(registry: str) -> None:
    Registry(registry).try_push("ml/runner-doctor")


@pytest.mark.engine("registry")
def test_the_upload_that_was_begun_is_broken_off(registry: str) -> None:
    opened = Registry(registry)
    begun = opened.request("POST", "/v2/ml/x/blobs/uploads/").headers["location"]
    assert opened.request("DELETE", begun).status == 204
    assert opened.request("GET", begun).status == 404


@pytest.mark.engine("registry")
def test_who_is_known_may_push(closed_registry: str) -> None:
    Registry(closed_registry, RIGHT).try_push("ml/runner-doctor")


@pytest.mark.engine("registry")
def test_a_wrong_password_is_told_without_it(closed_registry: str) -> None:
    error = refusal(closed_registry, WRONG)
    assert error.message == "it does not take the login of 'nobody' (from secret 'PASSWORD') (401)"
    assert "another-password" not in f"{error.message} {error.help}"


@pytest.mark.engine("registry")
def test_without_a_login_the_help_says_how_to_log_in(closed_registry: str) -> None:
    error = refusal(closed_registry, None)
    assert error.message == "nobody is logged in there (401)"
    assert f"docker login {closed_registry}" in (error.help or "")


@pytest.mark.engine("registry")
def test_a_token_is_fetched_where_the_registry_says(token_registry: str) -> None:
    Registry(token_registry, RIGHT).try_push("ml/runner-doctor")


@pytest.mark.engine("registry")
def test_the_right_to_push_may_be_missing(token_registry: str) -> None:
    error = refusal(token_registry, RIGHT._replace(username="reader"))
    assert error.message == "'reader' (from secret 'PASSWORD') may not push to 'ml/runner-doctor' (401)"


@pytest.mark.engine("registry")
def test_whom_the_token_server_does_not_know_is_told(token_registry: str) -> None:
    assert refusal(token_registry, WRONG).message.startswith("it does not take the login of 'nobody'")


@pytest.mark.engine("registry")
def test_anybody_may_pull_and_not_push(token_registry: str) -> None:
    assert refusal(token_registry, None).message == "nobody is logged in there (401)"


def test_a_login_is_not_sent_without_encryption() -> None:
    with pytest.raises(RegistryError, match="without encryption"):
        Registry("registry.example.com", RIGHT)._authorization('Bearer realm="http://example.com/token"', "")


def test_a_registry_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # and does not listen
        host = f"127.0.0.1:{free.getsockname()[1]}"
        assert refusal(host, None).message == f"{host} cannot be reached: Connection refused"


def test_something_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(RegistryError, match="cannot be reached: timed out"):
            Registry(host, timeout=0.2).try_push("ml/x")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        (
            {"flavor": "generic", "uri": "registry.example.com:5000/ml/team"},
            Place("registry.example.com:5000", "ml/team"),
        ),
        ({"flavor": "generic", "uri": "registry.example.com"}, Place("registry.example.com", "")),
        ({"flavor": "dockerhub", "uri": "docker.io/example"}, Place("registry-1.docker.io", "example")),
        ({"flavor": "dockerhub", "uri": "example"}, Place("registry-1.docker.io", "example")),
    ],
)
def test_the_place_of_a_stacks_registry(fields: dict[str, str], place: Place) -> None:
    assert place_of(fields) == place


def test_only_loopback_is_talked_to_without_encryption() -> None:
    hosts = ("localhost:5000", "127.0.0.1:5000", "[::1]:5000", "registry.example.com", "10.0.0.1:5000")
    assert [Registry(host).url.partition(":")[0] for host in hosts] == ["http", "http", "http", "https", "https"]

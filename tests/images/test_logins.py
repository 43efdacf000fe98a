"""Where a login comes from: the stack, the Docker client's configuration, its credential helpers."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from runner.errors import EngineError
from runner.images.logins import Login, docker_login, login_of

HOST = "registry.example.com"


def configured(folder: Path, **config: Any) -> dict[str, str]:
    (folder / "config.json").write_text(json.dumps(config))
    return {"DOCKER_CONFIG": str(folder), "PATH": f"{folder}:{os.environ['PATH']}"}


def helper(folder: Path, name: str, text: str) -> None:
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)


def encoded(login: str) -> dict[str, str]:
    return {"auth": base64.b64encode(login.encode()).decode()}


def test_the_stacks_own_login_comes_first(tmp_path: Path) -> None:
    fields = {"flavor": "generic", "username": "me", "password": "${secrets.PASSWORD}"}
    environ = configured(tmp_path, auths={HOST: encoded("you:other")})
    assert login_of(fields, HOST, {"PASSWORD": "value"}.__getitem__, environ) == Login(
        "me", "value", "secret 'PASSWORD'"
    )


def test_what_docker_login_wrote(tmp_path: Path) -> None:
    environ = configured(tmp_path, auths={f"https://{HOST}": encoded("me:a:b")})
    found = docker_login(HOST, environ)
    assert found == Login("me", "a:b", str(tmp_path / "config.json"))


def test_docker_hub_has_a_name_of_its_own(tmp_path: Path) -> None:
    environ = configured(tmp_path, auths={"https://index.docker.io/v1/": encoded("me:value")})
    assert docker_login("registry-1.docker.io", environ) is not None


def test_an_identity_token(tmp_path: Path) -> None:
    environ = configured(tmp_path, auths={HOST: {"identitytoken": "token"}})
    assert docker_login(HOST, environ) == Login("", "token", str(tmp_path / "config.json"), identity=True)


def test_a_credential_helper_is_asked(tmp_path: Path) -> None:
    helper(tmp_path, "ours", f'read host; test "$host" = {HOST} && echo \'{{"Username": "me", "Secret": "value"}}\'')
    environ = configured(tmp_path, credHelpers={HOST: "ours"})
    assert docker_login(HOST, environ) == Login("me", "value", "docker-credential-ours")


def test_a_helper_that_knows_nobody(tmp_path: Path) -> None:
    helper(tmp_path, "ours", "echo credentials not found in native keychain; exit 1")
    assert docker_login(HOST, configured(tmp_path, credsStore="ours")) is None


def test_a_helper_that_hangs_is_given_up(tmp_path: Path) -> None:
    helper(tmp_path, "ours", "exec sleep 600")
    with pytest.raises(EngineError, match="gave no answer"):
        docker_login(HOST, configured(tmp_path, credsStore="ours"), timeout=0.2)


def test_a_helper_that_is_not_installed_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="'docker-credential-none-such' cannot be run"):
        docker_login(HOST, configured(tmp_path, credsStore="none-such"))


def test_nobody_is_logged_in(tmp_path: Path) -> None:
    assert docker_login(HOST, {"DOCKER_CONFIG": str(tmp_path)}) is None


def test_a_broken_configuration_is_told(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(EngineError, match=r"config\.json' cannot be read"):
        docker_login(HOST, {"DOCKER_CONFIG": str(tmp_path)})

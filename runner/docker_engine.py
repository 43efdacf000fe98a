"""A Docker Engine, asked over its own socket with nothing but the standard library.

The API is that of https://docs.docker.com/engine/api: JSON over HTTP, on a Unix socket or TCP, with TLS where
DOCKER_TLS_VERIFY says so.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from runner.checks import Check
from runner.errors import EngineError

DEFAULT = "unix:///var/run/docker.sock"
START = "start it (systemctl start docker), or say where another one is: DOCKER_HOST, or docker_host in the stack"


class NotThere(EngineError):
    """The engine answers, and has nothing of this name."""


def address(given: str | None, environ: Mapping[str, str]) -> str:
    """Where the engine is: what the stack says, what DOCKER_HOST says, or the usual socket."""
    return given or environ.get("DOCKER_HOST") or DEFAULT


def ask(host: str, path: str, environ: Mapping[str, str], timeout: float = 8.0) -> Any:
    """What the engine at `host` answers to `GET path`. Raises EngineError that says what to do."""
    connection = _connection(host, environ, timeout)
    try:
        connection.request("GET", path, headers={"Host": "docker"})
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
    except PermissionError as error:
        help = "join its group: usermod -aG docker $USER, then log in anew"
        raise EngineError(f"this user may not use the Docker Engine at {host}", help) from error
    except (OSError, http.client.HTTPException) as error:
        raise EngineError(f"no Docker Engine answers at {host}: {_words(error)}", START) from error
    finally:
        connection.close()
    try:
        found = json.loads(text)
    except ValueError as error:
        help = "look at DOCKER_HOST, or docker_host in the stack"
        raise EngineError(f"what answers at {host} is no Docker Engine", help) from error
    if answer.status != http.client.OK:
        message = found.get("message", text) if isinstance(found, dict) else text
        if answer.status == http.client.NOT_FOUND:
            raise NotThere(f"the Docker Engine at {host} says: {message}")
        raise EngineError(f"the Docker Engine at {host} refuses: {message}", "look at its log")
    return found


def engine_check(name: str, given: str | None, environ: Mapping[str, str]) -> Check:
    """Whether the engine answers: its version, its API's, and the room that is left for images and containers."""
    host = address(given, environ)
    if host.startswith("ssh://"):
        help = "try it: docker version; or forward its socket and name that one"
        return Check(name, False, f"the Docker Engine at {host} cannot be asked from here: it is behind ssh", help)
    try:
        version, info = ask(host, "/version", environ), ask(host, "/info", environ)
    except EngineError as error:
        return Check(name, False, error.message, error.help)
    told = f"Docker Engine {version.get('Version', '?')} at {host}, API {version.get('ApiVersion', '?')}"
    return Check(name, True, told + _room(info.get("DockerRootDir", "")))


def _room(folder: str) -> str:
    """The free space where the engine keeps its images, when that is on this machine and may be looked at."""
    try:
        return f", {shutil.disk_usage(folder).free / 1e9:.1f} GB free" if folder else ""
    except OSError:
        return ""


def _words(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _connection(host: str, environ: Mapping[str, str], timeout: float) -> http.client.HTTPConnection:
    parts = urlsplit(host)
    if parts.scheme == "unix":
        return _Unix(parts.netloc + parts.path, timeout)
    if parts.scheme != "tcp" or not parts.hostname:
        raise EngineError(f"'{host}' is no address of a Docker Engine", "write it as in unix:///var/run/docker.sock")
    if not environ.get("DOCKER_TLS_VERIFY"):
        return http.client.HTTPConnection(parts.hostname, parts.port or 2375, timeout=timeout)
    folder = Path(environ.get("DOCKER_CERT_PATH") or Path.home() / ".docker")
    try:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        if os.path.exists(folder / "cert.pem"):
            context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except OSError as error:
        help = f"put ca.pem, cert.pem and key.pem into {folder}, or say another folder by DOCKER_CERT_PATH"
        raise EngineError(f"the certificates for the Docker Engine cannot be read: {_words(error)}", help) from error
    return http.client.HTTPSConnection(parts.hostname, parts.port or 2376, timeout=timeout, context=context)


class _Unix(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

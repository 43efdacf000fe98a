"""A container registry, asked over its HTTP API with nothing but the standard library.

The protocol is that of https://distribution.github.io/distribution/spec/api: version 2, with basic or bearer login.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit

from runner.errors import EngineError
from runner.images.logins import Login

_PARTS = re.compile(r'([a-zA-Z_]+)="([^"]*)"')


class RegistryError(EngineError):
    """The registry refused, or could not be reached."""


class Answer(NamedTuple):
    """A registry's answer; `headers` by their names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Place(NamedTuple):
    """Where images are pushed: `host` with its port, and the path under it, which may be empty."""

    host: str
    path: str

    def name(self, image: str) -> str:
        """The repository of an image at this place."""
        return f"{self.path}/{image}" if self.path else image


def place_of(fields: Mapping[str, Any]) -> Place:
    """The place that a stack's container registry says: its `uri` taken apart."""
    host, _, path = fields["uri"].partition("/")
    if fields.get("flavor") == "dockerhub":
        return Place("registry-1.docker.io", fields["uri"].removeprefix("docker.io/"))
    return Place(host, path)


class Registry:
    """One registry. Logs in when it is asked to, once for each repository and right."""

    def __init__(self, host: str, login: Login | None = None, timeout: float = 8.0) -> None:
        self.host = host
        self.login = login
        self.timeout = timeout
        self.url = f"{'http' if _is_loopback(host) else 'https'}://{host}"
        self._logged_in: dict[str, str] = {}

    def try_push(self, name: str) -> None:
        """Begin to push into a repository and break it off. Raises RegistryError when that is not allowed."""
        scope = f"repository:{name}:pull,push"
        answer = self.request("POST", f"/v2/{name}/blobs/uploads/", scope)
        if answer.status != http.client.ACCEPTED:
            raise self._refused(name, answer)
        if "location" in answer.headers:
            self.request("DELETE", answer.headers["location"], scope)

    def digest(self, name: str, tag: str) -> str | None:
        """The digest of an image in a repository; None when it is not there. Raises RegistryError."""
        answer = self.request("HEAD", f"/v2/{name}/manifests/{tag}", f"repository:{name}:pull", {"Accept": _MANIFESTS})
        if answer.status == http.client.OK:
            return answer.headers.get("docker-content-digest")
        if answer.status in (http.client.NOT_FOUND, http.client.UNAUTHORIZED, http.client.FORBIDDEN):
            return None  # many registries do not tell what is not there from what one may not see
        raise self._refused(name, answer)

    def request(self, method: str, target: str, scope: str = "", more: Mapping[str, str] = {}) -> Answer:
        """Send one request, logged in for `scope`. `target` is a path, or an address that the registry gave; `more` are
        further headers.

        Raises RegistryError when it cannot be reached; what it refuses is the answer's `status`.
        """
        url = urljoin(self.url, target)
        mine = urlsplit(url).netloc == self.host  # uploads may go elsewhere: our login stays here
        login = {"Authorization": self._logged_in[scope]} if self._has(scope, mine) else {}
        answer = self._send(method, url, {**more, **login})
        challenge = answer.headers.get("www-authenticate", "")
        if answer.status != http.client.UNAUTHORIZED or not mine or self._has(scope, mine):
            return answer
        if found := self._authorization(challenge, scope):
            self._logged_in[scope] = found
            return self._send(method, url, {**more, "Authorization": found})
        return answer

    def _has(self, scope: str, mine: bool) -> bool:
        return mine and scope in self._logged_in

    def _authorization(self, challenge: str, scope: str) -> str | None:
        """What a request says to be let in, after the registry has asked for it."""
        kind, _, rest = challenge.partition(" ")
        if kind.lower() == "basic":
            return _basic(self.login) if self.login and not self.login.identity else None
        if kind.lower() != "bearer":
            return None
        parts = dict(_PARTS.findall(rest))
        token = self._token(parts.get("realm", ""), parts.get("service", ""), parts.get("scope") or scope)
        return f"Bearer {token}" if token else None

    def _token(self, realm: str, service: str, scope: str) -> str | None:
        if not realm.startswith("https://") and not _is_loopback(urlsplit(realm).netloc):
            raise RegistryError(f"{self.host} wants the login to be sent without encryption to '{realm}'", _UNSAFE)
        asked = {"service": service, "scope": scope}
        if self.login and self.login.identity:
            form = asked | {
                "grant_type": "refresh_token",
                "client_id": "runner",
                "refresh_token": self._refresh_token(),
            }
            answer = self._send("POST", realm, {"Content-Type": _FORM}, urlencode(form).encode())
        else:
            headers = {"Authorization": _basic(self.login)} if self.login else {}
            answer = self._send("GET", f"{realm}{'&' if '?' in realm else '?'}{urlencode(asked)}", headers)
        if answer.status != http.client.OK:
            return None
        found = _json(answer)
        return found.get("token") or found.get("access_token")

    def _refresh_token(self) -> str:
        """The identity token; Azure's registry first wants one of Azure's own to be exchanged for it."""
        login = self.login
        assert login is not None
        if login.whence != "Azure credentials":
            return login.password
        form = {"grant_type": "access_token", "service": self.host, "access_token": login.password}
        answer = self._send("POST", f"{self.url}/oauth2/exchange", {"Content-Type": _FORM}, urlencode(form).encode())
        return str(_json(answer).get("refresh_token", ""))

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        if body is None and method == "POST":
            body = b""
        request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310
        handlers = [_Stay()] + ([urllib.request.ProxyHandler({})] if _is_loopback(urlsplit(url).netloc) else [])
        try:
            with urllib.request.build_opener(*handlers).open(request, timeout=self.timeout) as answer:
                return _answer(answer)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error)
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(urlsplit(url).netloc, error) from error

    def _refused(self, name: str, answer: Answer) -> RegistryError:
        """What a refusal to push means."""
        errors = _json(answer).get("errors") or [{}]
        said = errors[0].get("message") if isinstance(errors[0], dict) else None
        who = f"'{self.login.username}' (from {self.login.whence})" if self.login else "nobody"
        log_in = f"log in: docker login {self.host}; or give the container registry a username and a password"
        if answer.status == http.client.UNAUTHORIZED and self.login is None:
            return RegistryError("nobody is logged in there (401)", log_in)
        if "insufficient_scope" in answer.headers.get("www-authenticate", ""):
            return RegistryError(f"{who} may not push to '{name}' ({answer.status})", log_in)
        if answer.status == http.client.UNAUTHORIZED:
            return RegistryError(f"it does not take the login of {who} (401)", log_in)
        if answer.status == http.client.FORBIDDEN:
            return RegistryError(f"the right to push to '{name}' is missing (403)", log_in)
        if answer.status == http.client.NOT_FOUND and errors[0]:
            help = f"make the repository '{name}' there, or choose another path in `uri`"
            return RegistryError(f"there is no repository '{name}' (404): {said}", help)
        more = f": {said}" if said else ""
        return RegistryError(f"it is no registry that can be pushed to ({answer.status}{more})", "look at its `uri`")


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nowhere: a login is for the place that it was given for."""

    def redirect_request(self, *given: Any) -> None:
        return None


_FORM = "application/x-www-form-urlencoded"
_MANIFESTS = ", ".join(
    [
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    ]
)
_UNSAFE = "ask whoever runs it to give tokens by https"


def _answer(found: Any) -> Answer:
    return Answer(found.status, {name.lower(): value for name, value in found.headers.items()}, found.read(1_000_000))


def _json(answer: Answer) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _basic(login: Login) -> str:
    return "Basic " + base64.b64encode(f"{login.username}:{login.password}".encode()).decode()


def _unreachable(host: str, error: Exception) -> RegistryError:
    reason = getattr(error, "reason", error)
    words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    if isinstance(reason, ssl.SSLError):
        help = "its certificate is not trusted here: SSL_CERT_FILE names a file of further ones"
        return RegistryError(f"{host} cannot be talked to: {reason}", help)
    return RegistryError(
        f"{host} cannot be reached: {words}", "does it run, and is the container registry's `uri` right?"
    )


def _is_loopback(host: str) -> bool:
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    try:
        return ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return name == "localhost"

"""The login by name and password, as a person does it in a browser: headers for all requests after it.

Kubeflow's distributions put Dex in front of everything, behind an AuthService or oauth2-proxy: whoever is not known is
led to a form, and has a cookie afterwards. Where the service itself asks for a password, as a proxy does, it is sent
with each request. The ways are those of https://www.kubeflow.org/docs/components/pipelines/user-guides/core-functions/connect-api.
"""

from __future__ import annotations

import base64
import http.client
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.cookiejar import CookieJar
from typing import NamedTuple
from urllib.parse import urlencode, urljoin, urlsplit, urlunsplit

from runner.errors import EngineError
from runner.orchestrators.base import Silent

SECONDS = 30.0  # for one answer
OAUTH = "/oauth2/start"
"""Where oauth2-proxy begins a login, if it answers 403 instead of leading there."""


class _Answer(NamedTuple):
    status: int
    url: str
    asks: str
    text: str


def log_in(host: str, username: str, password: str, ca_certificate: str | None = None) -> dict[str, str]:
    """The headers that are logged in as this user; empty where nobody is asked for a login.

    Raises EngineError when the login is refused, or none of those that are known; Silent without an answer.
    """
    browser = _Browser(ca_certificate)
    probe = f"{host}/apis/v2beta1/healthz"
    answer = browser.get(probe)
    if answer.status == 401 and answer.asks.lower().startswith("basic"):
        return _basic(browser, probe, username, password)
    if answer.status == 403:
        answer = browser.get(urlunsplit(urlsplit(host)._replace(path=OAUTH, query=f"rd={urlsplit(host).path or '/'}")))
    if answer.status == 200 and answer.url == probe:
        return {}
    answer = _form(browser, answer)
    filled = browser.post(_action(answer), {"login": username, "password": password})
    if _has_form(filled) or filled.status in (401, 403):
        raise _refused(host, username)
    if re.search("/approval$", urlsplit(filled.url).path):  # Dex asks whether Kubeflow may know who it is
        filled = browser.post(filled.url, {"approval": "approve"})
    cookies = browser.cookies()
    if not cookies:
        raise EngineError(f"{host} took the password of '{username}' and gave no cookie", _HELP)
    return {"Cookie": cookies}


_HELP = "look at username and password of the orchestrator; where Kubeflow takes tokens, set `token` instead"


def _basic(browser: _Browser, probe: str, username: str, password: str) -> dict[str, str]:
    word = base64.b64encode(f"{username}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {word}"}
    if browser.get(probe, headers).status in (401, 403):
        raise _refused(probe.removesuffix("/apis/v2beta1/healthz"), username)
    return headers


def _form(browser: _Browser, answer: _Answer) -> _Answer:
    """The page with the form: where several ways to log in are offered, that of names and passwords."""
    path = urlsplit(answer.url).path
    if not _has_form(answer) and re.search("/auth$", path):
        answer = browser.get(urlunsplit(urlsplit(answer.url)._replace(path=f"{path}/local")))
    if not _has_form(answer):
        raise EngineError(
            f"{answer.url} answers {answer.status}, and asks for no name and password that runner knows how to give",
            "where Kubeflow takes tokens, set `token` in place of `username` and `password`",
        )
    return answer


def _has_form(answer: _Answer) -> bool:
    return bool(re.search("""<input[^>]*type=["']?password""", answer.text, re.IGNORECASE))


def _action(answer: _Answer) -> str:
    """Where the form is sent to."""
    found = re.search("""<form[^>]*action=["']([^"']*)["']""", answer.text, re.IGNORECASE)
    return urljoin(answer.url, found[1].replace("&amp;", "&")) if found and found[1] else answer.url


def _refused(host: str, username: str) -> EngineError:
    return EngineError(f"{host} does not take the password of '{username}'", _HELP)


class _Browser:
    """Follows redirects and keeps cookies."""

    def __init__(self, ca_certificate: str | None) -> None:
        self.jar = CookieJar()
        context = ssl.create_default_context(cafile=ca_certificate)
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.jar), urllib.request.HTTPSHandler(context=context)
        )

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> _Answer:
        return self._open(urllib.request.Request(url, headers=dict(headers or {})))  # noqa: S310  (http, as settings demand)

    def post(self, url: str, fields: Mapping[str, str]) -> _Answer:
        return self._open(urllib.request.Request(url, urlencode(fields).encode()))  # noqa: S310  (likewise)

    def cookies(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self.jar)

    def _open(self, request: urllib.request.Request) -> _Answer:
        try:
            with self.opener.open(request, timeout=SECONDS) as response:
                return _Answer(response.status, response.url, "", response.read().decode("utf-8", "replace"))
        except urllib.error.HTTPError as error:
            with error:
                asks = error.headers.get("WWW-Authenticate") or ""
                return _Answer(error.code, error.url or request.full_url, asks, error.read().decode("utf-8", "replace"))
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
            raise Silent(f"{request.full_url} cannot be reached: {words}", "look at kubeflow_hostname") from None

"""Who may speak to the Kubeflow double: nobody is asked, a token, HTTP's basic login, or Dex's form in front.

The form is that of Kubeflow's own distributions, as its page "Connect the SDK to the API" walks through it. Whoever has
no session is sent to /dex/auth, and from there to /dex/auth/local/login; the right answer leads by way of a callback,
which sets the session's cookie, to where one wanted to go. `authservice` sends there at once; `oauth2-proxy` first says
403, with a page that leads to /oauth2/start.
"""

from __future__ import annotations

import base64
import html
import secrets
from http.cookies import SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

from kubeflow_refusals import Refused

FRONTS = {
    "authservice": ("authservice_session", "/login/oidc"),
    "oauth2-proxy": ("oauth2_proxy_kubeflow", "/oauth2/callback"),
}
"""What stands in front → its cookie, and where Dex sends back to."""
FORM = """<!DOCTYPE html><html><head><title>dex</title></head><body><h2>Log in to Your Account</h2>
<form method="post" action="{action}">
<input name="login" type="text" placeholder="email address"/><input name="password" type="password"/>{wrong}
<button type="submit">Login</button></form></body></html>"""
WRONG = '<div id="login-error">Invalid Email Address and password.</div>'
SIGN_IN = (
    '<!DOCTYPE html><html><body><form method="GET" action="/oauth2/start"><button>Sign in</button></form></body></html>'
)


class Answer(NamedTuple):
    """What is not JSON: a page, or a way elsewhere."""

    status: int
    text: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = "text/html; charset=utf-8"


class Logins:
    """`wanted` is {} or {"token"} or {"user", "password"}, with {"form": what stands in front} for Dex's."""

    def __init__(self, wanted: dict[str, str] | None = None) -> None:
        self.wanted = wanted or {}
        self.sessions: set[str] = set()
        self.begun: dict[str, str] = {}

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Answer | None:
        """In place of what was asked for; None when it may be had."""
        front = self.wanted.get("form")
        if front is None:
            return self._check_header(headers.get("Authorization", ""))
        cookie, callback = FRONTS[front]
        url = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path.startswith("/dex/auth"):
            return self._dex(method, url.path, query, body, callback)
        if url.path == callback:
            return self._begin(cookie, query.get("state", ""))
        if url.path == "/oauth2/start" and front == "oauth2-proxy":
            return self._to_dex(query.get("rd", "/"))
        given = SimpleCookie(headers.get("Cookie", "")).get(cookie)
        if given is not None and given.value in self.sessions:
            return None
        return Answer(403, SIGN_IN) if front == "oauth2-proxy" else self._to_dex(path)

    def _check_header(self, given: str) -> Answer | None:
        said = "Failed to check authorization. User identity is empty in the request header"
        if token := self.wanted.get("token"):
            if given != f"Bearer {token}":
                raise Refused(401, f"Unauthenticated: {said}", said).within("Failed to authorize the request")
        elif "password" in self.wanted:
            pair = f"{self.wanted['user']}:{self.wanted['password']}"
            if given != f"Basic {base64.b64encode(pair.encode()).decode()}":
                return Answer(401, "Unauthorized", (("WWW-Authenticate", 'Basic realm="kubeflow"'),), "text/plain")
        return None

    def _to_dex(self, wanted: str) -> Answer:
        state = secrets.token_hex(8)
        self.begun[state] = wanted
        asked = {"client_id": "kubeflow", "response_type": "code", "scope": "openid email", "state": state}
        return _to(f"/dex/auth?{urlencode(asked)}")

    def _dex(self, method: str, path: str, query: dict[str, str], body: bytes, callback: str) -> Answer:
        state = query.get("state", "")
        if path in ("/dex/auth", "/dex/auth/local"):
            onward = "/dex/auth/local" if path == "/dex/auth" else "/dex/auth/local/login"
            return _to(f"{onward}?{urlencode({'back': '', 'state': state})}")
        if path != "/dex/auth/local/login" or state not in self.begun:
            return Answer(400, "User session error.", kind="text/plain")
        action = html.escape(f"{path}?{urlencode({'back': '', 'state': state})}")
        if method != "POST":
            return Answer(200, FORM.format(action=action, wrong=""))
        given = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if (given.get("login"), given.get("password")) != (self.wanted["user"], self.wanted["password"]):
            return Answer(200, FORM.format(action=action, wrong=WRONG))
        return _to(f"{callback}?{urlencode({'code': secrets.token_hex(8), 'state': state})}", 303)

    def _begin(self, cookie: str, state: str) -> Answer:
        if state not in self.begun:
            return Answer(403, "Missing or invalid state parameter", kind="text/plain")
        session = secrets.token_hex(16)
        self.sessions.add(session)
        return _to(self.begun.pop(state), headers=(("Set-Cookie", f"{cookie}={session}; Path=/; HttpOnly"),))


def _to(where: str, status: int = 302, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status, headers=(("Location", where), *headers))

"""What `runner doctor` tries of an engine that is a service with an address of its own."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request

from runner.checks import Check

_SECONDS = 8.0


def service_check(name: str, url: str, token: str | None, help: str) -> Check:
    """Whether `GET url` is answered with success. `token` is a bearer token; `help` what to do when it is not."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        request = urllib.request.Request(url, headers=headers)  # noqa: S310  (an http address, as settings demand)
        with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310
            return Check(name, True, f"{url} answers")
    except urllib.error.HTTPError as error:
        with error:
            return Check(name, False, f"{url} answers {error.code} {error.reason}", help)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
        return Check(name, False, f"{url} cannot be reached: {words}", help)

"""Secrets of Google Cloud Secret Manager.

Its REST transport is used and not gRPC: that leaves threads behind, which a step that forks does not survive.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from runner.secret_store.base import SecretMissing, SecretStore, SecretStoreError, sdk_missing


class GcpSecretStore(SecretStore):
    """`TOKEN` is the latest version of the secret `prefix + TOKEN`."""

    _client: Any = None

    def get(self, name: str) -> str:
        project, key = self.settings["project"], f"{self.settings.get('prefix', '')}{name}"
        client, not_found, failed = self._connect()
        try:
            answer = client.access_secret_version(name=f"projects/{project}/secrets/{key}/versions/latest")
        except not_found:
            where = f"Google Cloud Secret Manager has no secret '{key}' with a version in project '{project}'"
            help = f"put it there: gcloud secrets create '{key}' --project '{project}' --data-file=…"
            raise SecretMissing(name, where, help) from None
        except failed as error:
            raise _explained(name, error) from None
        try:
            return bytes(answer.payload.data).decode()
        except UnicodeDecodeError:
            raise SecretStoreError(
                f"secret '{key}' in Google Cloud Secret Manager is binary: a secret's value must be text in UTF-8",
                "store it as text, in base64 if need be",
            ) from None

    def _connect(self) -> tuple[Any, type[Exception], tuple[type[Exception], ...]]:
        """The client, and the errors that calls of it may raise: nothing there, and all others."""
        try:
            import google.cloud.secretmanager_v1 as sdk
            from google.api_core.exceptions import GoogleAPIError, NotFound
            from google.auth.exceptions import GoogleAuthError
            from requests.exceptions import RequestException
        except ImportError:
            raise sdk_missing("google-cloud-secret-manager", "gcp-secrets") from None
        if self._client is None:
            try:
                self._client = _client(sdk, self.settings.get("endpoint_url"))
            except (GoogleAPIError, GoogleAuthError, ValueError) as error:
                raise _explained("", error) from None
        return self._client, NotFound, (GoogleAPIError, GoogleAuthError, RequestException)


def _client(sdk: Any, address: str | None) -> Any:
    options, scheme, host = None, "https", ""
    if address:
        parts = urlsplit(address)
        scheme, host = parts.scheme or "https", parts.netloc or address
    if scheme == "http":
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
            SecretManagerServiceRestTransport,
        )

        nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
        transport = SecretManagerServiceRestTransport(host=host, credentials=nobody, url_scheme="http")
        return sdk.SecretManagerServiceClient(transport=transport)
    if host:
        options = {"api_endpoint": host}
    return sdk.SecretManagerServiceClient(transport="rest", client_options=options)


def _explained(name: str, error: Exception) -> SecretStoreError:
    what = f"secret '{name}' cannot be read from" if name else "no client can be made for"
    kind = type(error).__name__
    help = "is the secret store's `project` or `endpoint_url` right, and can it be reached from here?"
    if "Credentials" in kind or "Auth" in kind or kind == "RefreshError":
        help = "log in where the step runs: gcloud auth application-default login, or GOOGLE_APPLICATION_CREDENTIALS"
    elif kind in ("Forbidden", "PermissionDenied"):
        help = "the account must have the role roles/secretmanager.secretAccessor on it"
    return SecretStoreError(f"{what} Google Cloud Secret Manager: {error}", help)

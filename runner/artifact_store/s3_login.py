"""Where S3 is, and who asks it: what the settings say, or the environment, or AWS's configuration files.

The keys of a pod (web identity), of a container and of a machine are obstore's own matter, which also renews them.
Profiles, with all that a configuration can say (SSO, assumed roles, programs), are botocore's, which is loaded for them
only: it takes ten times as long to load as obstore.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from runner.artifact_store.base import StoreError

FRESH = 600.0
"""Seconds for which keys are used before botocore is asked again; it renews its own a quarter of an hour before."""
_SOMEWHERE = "us-east-1"  # for services that are not Amazon's, and for who has one region only
_POD = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN")
_CONTAINER = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
_CONTAINER_POD = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
_FILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}
_METADATA = "http://169.254.169.254"

Keys = Callable[[], dict[str, Any]]


class NoLogin(Exception):
    """There are no keys to ask with."""


class Place(NamedTuple):
    """Where a bucket is. `region` and `endpoint` are never empty; `own` is whether the service is Amazon's own."""

    region: str
    endpoint: str
    own: bool


def place_of(bucket: str, fields: Mapping[str, Any]) -> Place:
    """Where the settings say the bucket is, else the environment, else the files. Raises StoreError."""
    if bucket.endswith("--x-s3"):
        raise StoreError(
            f"'{bucket}' is a directory bucket (S3 Express), which does not list its objects in order",
            "take a general purpose bucket",
        )
    region = fields.get("region") or _environment("AWS_REGION", "AWS_DEFAULT_REGION") or _configured("region", fields)
    region = region or _SOMEWHERE
    if endpoint := fields.get("endpoint_url") or _endpoint(fields):
        return Place(region, endpoint.rstrip("/"), False)
    host = f"s3.{region}.{_domain(region)}"
    # Certificates are for one name below the service's.
    return Place(region, f"https://{host}" if "." in bucket else f"https://{bucket}.{host}", True)


def keys_of(fields: Mapping[str, Any]) -> Keys | None:
    """What gives the keys to ask with; None when obstore gets them itself. Raises StoreError without botocore."""
    if "access_key_id" in fields:
        return _always(fields["access_key_id"], fields.get("secret_access_key"), fields.get("session_token"))
    if _by_files(fields):
        return _Botocore(fields.get("profile"))
    if _in_environment():
        token = _environment("AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
        return _always(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], token or None)
    return None if _in_a_pod() or _environment(_CONTAINER) or _on_a_machine() else _nobody


def metadata_endpoint() -> str:
    """The address where a machine in Amazon's cloud asks for its keys."""
    return _environment("AWS_EC2_METADATA_SERVICE_ENDPOINT").rstrip("/") or _METADATA


def token_endpoint(region: str) -> str:
    """The address where a pod's token is exchanged for keys."""
    return _environment("AWS_ENDPOINT_URL_STS") or f"https://sts.{region}.{_domain(region)}"


def prepare(fields: Mapping[str, Any]) -> None:
    """Import what `keys_of` will need. Raises StoreError when it is not installed."""
    if "access_key_id" in fields or not _by_files(fields):
        return
    try:
        import botocore.session  # noqa: F401
    except ImportError as error:
        raise StoreError(
            f"to log in by AWS's configuration files needs '{error.name or 'botocore'}', which is not installed",
            "install it: runner integrations install aws-login; or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ) from error


class _Botocore:
    """Keys by botocore's own chain, renewed when they run out."""

    def __init__(self, profile: str | None) -> None:
        self.profile = profile
        self.credentials: Any = None

    def __call__(self) -> dict[str, Any]:
        from datetime import UTC, datetime, timedelta

        from botocore.session import Session

        if self.credentials is None:
            self.credentials = Session(profile=self.profile).get_credentials()
        if self.credentials is None:
            raise NoLogin("neither AWS's configuration files nor this machine have keys")
        keys = self.credentials.get_frozen_credentials()
        until = datetime.now(UTC) + timedelta(seconds=FRESH)
        return _keys(keys.access_key, keys.secret_key, keys.token) | {"expires_at": until}


def _always(id: str, secret: str | None, token: str | None) -> Keys:
    return lambda: _keys(id, secret, token)


def _keys(id: str, secret: str | None, token: str | None) -> dict[str, Any]:
    return {"access_key_id": id, "secret_access_key": secret or "", "token": token or None, "expires_at": None}


def _nobody() -> dict[str, Any]:
    raise NoLogin("there are no keys: none in the settings, the environment, AWS's files, and none of this machine")


def _by_files(fields: Mapping[str, Any]) -> bool:
    """Whether botocore has to say who we are.

    Like it, keys in the environment count less than a profile that the settings name, and more than one that the
    environment names. What a pod or a container is given counts less than both, and more than files.
    """
    if "profile" in fields:
        return True
    if _in_environment():
        return False
    if _environment("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        return True
    if _in_a_pod() or _environment(_CONTAINER):
        return False
    return bool(_environment(_CONTAINER_POD[0])) or any(map(os.path.exists, map(_path, _FILES)))


def _in_a_pod() -> bool:
    return all(map(os.environ.get, _POD)) or all(map(os.environ.get, _CONTAINER_POD))


def _in_environment() -> bool:
    return bool(os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY"))


def _on_a_machine() -> bool:
    """Whether there is someone to ask for a machine's keys: on others that address swallows what is sent."""
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return False
    import socket
    from urllib.parse import urlsplit

    place = urlsplit(metadata_endpoint())
    try:
        socket.create_connection((place.hostname or "", place.port or 80), timeout=1).close()
    except OSError:
        return False
    return True


def _endpoint(fields: Mapping[str, Any]) -> str:
    if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return ""
    return _environment("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL") or _configured("endpoint_url", fields)


def _configured(name: str, fields: Mapping[str, Any]) -> str:
    """What AWS's configuration file says under this name, for the profile in question."""
    path = _path("AWS_CONFIG_FILE")
    if not os.path.exists(path):
        return ""
    from configparser import ConfigParser
    from configparser import Error as Unreadable

    profile = fields.get("profile") or _environment("AWS_PROFILE", "AWS_DEFAULT_PROFILE") or "default"
    file = ConfigParser(interpolation=None, strict=False)
    try:
        file.read(path, "utf-8")
    except (OSError, ValueError, Unreadable):
        return ""  # botocore tells what is wrong with it, if it comes to that
    sections = (f"profile {profile}", profile)
    return next((found for each in sections if (found := file.get(each, name, fallback=""))), "")


def _domain(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def _path(variable: str) -> str:
    return os.path.expanduser(os.environ.get(variable) or _FILES[variable])


def _environment(*names: str) -> str:
    return next((value for name in names if (value := os.environ.get(name))), "")

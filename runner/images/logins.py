"""Who logs in to a container registry: the stack, a cloud's own credentials, or what the Docker client remembers."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from runner.errors import EngineError
from runner.integrations import command
from runner.plan.secrets import secret_names

HUB = "https://index.docker.io/v1/"
"""What the Docker client calls Docker Hub in its configuration."""
_TOKEN = "<token>"  # noqa: S105  (what a credential helper says in place of a user's name)


class Login(NamedTuple):
    """A user and a password, or an identity token that gets other tokens. `whence` tells people where it is from."""

    username: str
    password: str
    whence: str
    identity: bool = False


def login_of(
    fields: Mapping[str, Any], host: str, secret: Callable[[str], str], environ: Mapping[str, str]
) -> Login | None:
    """The login for a stack's container registry at `host`; None for nobody. `secret` gives a secret by its name.

    Raises EngineError when a cloud, a credential helper or the secret store refuses.
    """
    if fields.get("password"):
        name = secret_names(fields["password"])[0]
        return Login(fields.get("username") or "", secret(name), f"secret '{name}'")
    if cloud := _CLOUDS.get(fields.get("flavor", "")):
        return docker_login(host, environ) or cloud(fields, host)
    return docker_login(host, environ)


def docker_login(host: str, environ: Mapping[str, str], timeout: float = 8.0) -> Login | None:
    """What the Docker client would log in with: its credential helper's answer, or what its configuration holds."""
    folder = environ.get("DOCKER_CONFIG") or Path(environ.get("HOME") or Path.home()) / ".docker"
    path = Path(folder) / "config.json"
    config = _config(path)
    names = (HUB,) if host == "registry-1.docker.io" else (host, f"https://{host}", f"https://{host}/v1/")
    helper = next((found for name in names if (found := config.get("credHelpers", {}).get(name))), None)
    if helper := helper or config.get("credsStore"):
        for name in names:
            if found := _helped(str(helper), name, environ, timeout):
                return found
    for name in names:
        if found := _written(config.get("auths", {}).get(name), str(path)):
            return found
    return None


def _config(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise EngineError(f"the Docker client's '{path}' cannot be read: {error}", "mend it, or log in anew") from error
    return found if isinstance(found, dict) else {}


def _helped(helper: str, name: str, environ: Mapping[str, str], timeout: float) -> Login | None:
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, "get"],
            input=name,
            env=dict(environ),
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        answer = json.loads(done.stdout) if done.returncode == 0 else {}
    except OSError as error:
        help = f"install {program}, or take it out of the Docker client's config.json"
        said = f"the Docker client's credential helper '{program}' cannot be run: {error.strerror}"
        raise EngineError(said, help) from error
    except subprocess.TimeoutExpired as error:
        help = f"try it: echo {name} | {program} get"
        raise EngineError(f"the credential helper '{program}' gave no answer within {timeout:.0f} s", help) from error
    except ValueError:
        answer = {}
    if not answer.get("Secret"):
        return None
    username = answer.get("Username", "")
    return Login("" if username == _TOKEN else username, answer["Secret"], program, username == _TOKEN)


def _written(found: Any, path: str) -> Login | None:
    if not isinstance(found, dict):
        return None
    if found.get("identitytoken"):
        return Login("", found["identitytoken"], path, identity=True)
    try:
        username, colon, password = base64.b64decode(found.get("auth", "")).decode().partition(":")
    except ValueError:
        return None
    return Login(username, password, path) if colon else None


def _amazon(fields: Mapping[str, Any], host: str) -> Login:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise EngineError("logging in to ECR needs the package 'boto3'", f"install it: {command('ecr')}") from error
    patience = Config(connect_timeout=5, read_timeout=8, retries={"mode": "standard", "total_max_attempts": 2})
    try:
        session = boto3.Session(profile_name=fields.get("profile"), region_name=host.split(".")[3])
        answer = session.client("ecr", config=patience).get_authorization_token()
        token = answer["authorizationData"][0]["authorizationToken"]
    except (BotoCoreError, ClientError) as error:
        help = "set AWS_PROFILE, or log in: aws sso login; they must allow ecr:GetAuthorizationToken"
        raise EngineError(f"AWS gives no login for ECR: {error}", help) from error
    username, _, password = base64.b64decode(token).decode().partition(":")
    return Login(username, password, "AWS credentials")


def _google(fields: Mapping[str, Any], host: str) -> Login:
    try:
        import google.auth
        from google.auth.exceptions import GoogleAuthError
        from google.auth.transport.requests import Request
    except ImportError as error:
        help = f"install it: {command('gar')}"
        raise EngineError("logging in to Artifact Registry needs the package 'google-auth'", help) from error
    try:
        credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
        credentials.refresh(Request())  # type: ignore[no-untyped-call]
    except GoogleAuthError as error:
        help = "log in: gcloud auth application-default login"
        raise EngineError(f"Google gives no login for Artifact Registry: {error}", help) from error
    return Login("oauth2accesstoken", str(credentials.token), "Google credentials")


def _azure(fields: Mapping[str, Any], host: str) -> Login:
    try:
        from azure.core.exceptions import AzureError
        from azure.identity import DefaultAzureCredential
    except ImportError as error:
        help = f"install it: {command('acr')}"
        raise EngineError("logging in to ACR needs the package 'azure-identity'", help) from error
    try:
        token = DefaultAzureCredential().get_token("https://containerregistry.azure.net/.default").token
    except AzureError as error:
        help = "log in: az login"
        raise EngineError(f"Azure gives no login for ACR: {str(error).splitlines()[0]}", help) from error
    return Login("", token, "Azure credentials", identity=True)


_CLOUDS = {"ecr": _amazon, "gar": _google, "acr": _azure}

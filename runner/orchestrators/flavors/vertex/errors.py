"""What Google's API says when it refuses, in words that tell what to do next. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from runner.errors import EngineError
from runner.orchestrators.base import Silent
from runner.orchestrators.flavors.vertex.settings import VertexSettings

LOGIN = "log in: gcloud auth application-default login"
FILE = f"GOOGLE_APPLICATION_CREDENTIALS names that file: correct it; or unset it, and {LOGIN}"
AGAIN = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "UNKNOWN", "ABORTED")
"""What may go well the next time."""
_LONGEST = 400  # characters of Google's own words that are shown
_BROKEN_LOGIN = "Getting metadata from plugin failed"  # gRPC's word for credentials that could not be refreshed
_NO_SUCH_NAME = "DNS resolution failed|[Nn]ame resolution|errors resolving"


class Said(NamedTuple):
    """A refusal of the API: the name of its gRPC status, its message, and what ErrorInfo adds to that."""

    code: str
    message: str
    reason: str = ""
    metadata: Mapping[str, str] = {}

    @property
    def words(self) -> str:
        """Its message on one line."""
        line = " ".join(self.message.split())
        return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"


class Refused(EngineError):
    """Google answered, and not with what was asked for. `code` is the name of the gRPC status, as in NOT_FOUND."""

    def __init__(self, code: str, message: str, help: str | None = None) -> None:
        super().__init__(message, help)
        self.code = code


class Unresolved(Silent):
    """There is no address under the name that was asked for. Names that are right may be unknown for a moment, too."""


def login_help(words: str) -> str:
    """What to do about credentials of which Google's library says this."""
    return FILE if "was not found" in words or "is not a valid json" in words else LOGIN


def refusal(said: Said, settings: VertexSettings, address: str) -> EngineError:
    """The error to raise: Silent for what may go well the next time, Refused for all else. `address` was asked."""
    if said.code in AGAIN and _BROKEN_LOGIN not in said.message:
        if re.search(_NO_SUCH_NAME, said.message):
            return Unresolved(*_no_address(settings, address))
        return Silent(*_silence(said, address))
    code = "UNAUTHENTICATED" if _BROKEN_LOGIN in said.message else said.code
    return Refused(code, *_WORDS.get(code, _otherwise)(said, settings))


def _no_address(settings: VertexSettings, address: str) -> tuple[str, str]:
    region = f"is there a region '{settings.location}'? " if settings.endpoint_url is None else ""
    return f"the address '{address}' of Vertex AI is not known", f"{region}can names be looked up from here?"


def _silence(said: Said, address: str) -> tuple[str, str]:
    help = "can it be reached from here? what drops packets instead of refusing them is a firewall, a proxy or a VPN"
    return f"Vertex AI does not answer at '{address}' ({said.code}): {said.words}", help


def _login(said: Said, settings: VertexSettings) -> tuple[str, str]:
    return f"Google does not take the credentials that are here: {said.words}", LOGIN


def _permission(said: Said, settings: VertexSettings) -> tuple[str, str]:
    project = settings.project
    if said.reason == "SERVICE_DISABLED" or "has not been used in project" in said.message:
        return (
            f"the Vertex AI API is not enabled in the project '{project}'",
            f"enable it, which takes a minute or so: gcloud services enable aiplatform.googleapis.com "
            f"--project {project}",
        )
    if said.reason == "CONSUMER_INVALID" or "denied on resource project" in said.message:
        help = "project takes the id, not the name; gcloud projects list has those that this login sees"
        return f"there is no project '{project}', or this login may not use it: {said.words}", help
    found = re.search("[Pp]ermission '([A-Za-z.]+)'", said.message)
    permission = said.metadata.get("permission") or (found[1] if found else "")
    if permission == "iam.serviceAccounts.actAs":
        return f"this login may not let steps run as '{settings.service_account}': {said.words}", _act_as(settings)
    lacks = f"lacks the permission '{permission}'" if permission else "may not do this"
    help = (
        "the role roles/aiplatform.user has what is needed: "
        f"gcloud projects add-iam-policy-binding {project} --member user:WHO --role roles/aiplatform.user"
    )
    return f"in the project '{project}' this login {lacks}: {said.words}", help


def _quota(said: Said, settings: VertexSettings) -> tuple[str, str]:
    help = (
        "wait until other runs have ended, or ask for more: "
        f"https://console.cloud.google.com/iam-admin/quotas?project={settings.project}"
    )
    return f"a quota of the project '{settings.project}' in {settings.location} is used up: {said.words}", help


def _argument(said: Said, settings: VertexSettings) -> tuple[str, str]:
    if "act as service" in said.message:  # which Vertex does not call a matter of permissions
        return f"this login may not let steps run as that account: {said.words}", _act_as(settings)
    return f"Vertex AI does not take this: {said.words}", "what is sent to it: runner compile PIPELINE --stack STACK"


def _act_as(settings: VertexSettings) -> str:
    account = settings.service_account or "ACCOUNT"
    return (
        f"let it: gcloud iam service-accounts add-iam-policy-binding {account} --member user:WHO "
        "--role roles/iam.serviceAccountUser"
    )


def _missing(said: Said, settings: VertexSettings) -> tuple[str, str]:
    help = f"is '{settings.project}' the project's id, and '{settings.location}' a region that Vertex AI is in?"
    return f"Vertex AI does not know this: {said.words}", help


def _no_such_service(said: Said, settings: VertexSettings) -> tuple[str, str]:
    where = f"at '{settings.endpoint_url}'" if settings.endpoint_url else f"in the region '{settings.location}'"
    return f"there is no Vertex AI {where}: {said.words}", "correct location or endpoint_url in the stack"


def _otherwise(said: Said, settings: VertexSettings) -> tuple[str, str]:
    help = f"look at the project: https://console.cloud.google.com/vertex-ai/pipelines/runs?project={settings.project}"
    return f"Vertex AI refuses ({said.code}): {said.words}", help


_WORDS: Mapping[str, Callable[[Said, VertexSettings], tuple[str, str]]] = {
    "UNAUTHENTICATED": _login,
    "PERMISSION_DENIED": _permission,
    "RESOURCE_EXHAUSTED": _quota,
    "INVALID_ARGUMENT": _argument,
    "NOT_FOUND": _missing,
    "UNIMPLEMENTED": _no_such_service,
}

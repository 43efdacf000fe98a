"""What `runner doctor` tries of Vertex AI: the SDK, credentials, and one look into the project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from runner import integrations
from runner.checks import Check
from runner.errors import EngineError
from runner.orchestrators.flavors.vertex.errors import login_help
from runner.orchestrators.flavors.vertex.regions import REGIONS
from runner.orchestrators.flavors.vertex.service import Service, address_of, connect
from runner.orchestrators.flavors.vertex.settings import VertexSettings, is_open

PATIENCE = 6.0  # seconds in which a service that does not answer is asked again


def checks(settings: VertexSettings) -> Iterator[Check]:
    """Each thing once those before it are as they should be."""
    found = integrations.sdk("vertex")
    yield found
    if not found.ok:
        return
    if not is_open(settings.endpoint_url):
        login = _credentials(settings.project)
        yield login
        if not login.ok:
            return
    try:
        with closing(connect(settings, PATIENCE)) as service:
            yield from _of_service(service, settings)
    except EngineError as error:
        yield Check("Vertex AI", False, error.message, error.help)


def _of_service(service: Service, settings: VertexSettings) -> Iterator[Check]:
    service.answers()
    yield Check("Vertex AI", True, f"'{address_of(settings)}' shows the jobs of the project '{settings.project}'")
    if settings.location not in REGIONS:
        known = service.has_location()
        told = f"Google {'knows' if known else 'has no'} region '{settings.location}'"
        yield Check("region", known, told, None if known else f"known ones: {', '.join(REGIONS)}")


def _credentials(project: str) -> Check:
    import google.auth
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request

    try:
        credentials, own = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
        credentials.refresh(Request())  # type: ignore[no-untyped-call]
    except GoogleAuthError as error:
        told = str(error).splitlines()[0]
        return Check("credentials", False, told, login_help(told))
    who = getattr(credentials, "service_account_email", None) or "a user"
    also = "" if own in (None, project) else f"; their own project is '{own}'"
    return Check("credentials", True, f"of {who}, for the project '{project}'{also}")

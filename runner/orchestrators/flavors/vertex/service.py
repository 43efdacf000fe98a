"""Vertex AI's service of pipelines: a few calls by the client of Google's SDK, and refusals in our words."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from runner import integrations
from runner.errors import EngineError
from runner.orchestrators.base import Silent
from runner.orchestrators.flavors.vertex.errors import Refused, Said, Unresolved, login_help, refusal
from runner.orchestrators.flavors.vertex.job import MARK_LABEL
from runner.orchestrators.flavors.vertex.settings import VertexSettings, is_open

LEAST, SECONDS = 1.0, 20.0  # for one answer
PATIENCE = 60.0  # seconds in which a service that does not answer is asked again
NAMES = 5.0  # seconds in which a name is looked up again that there is no address for
FIRST, LONGEST = 0.5, 8.0  # seconds between two tries: the first, the most
_LISTED = "name,state,labels"

_Answer = TypeVar("_Answer")


class Listed(NamedTuple):
    """A job as a list tells of it: its full resource name, the name of its PipelineState, its labels."""

    name: str
    state: str
    labels: dict[str, str]


def address_of(settings: VertexSettings) -> str:
    """Host and port that are asked."""
    if settings.endpoint_url is None:
        return f"{settings.location}-aiplatform.googleapis.com"
    return urlsplit(settings.endpoint_url).netloc


def connect(settings: VertexSettings, patience: float = PATIENCE) -> Service:
    """The service in a region, with what this machine has of credentials; without any at an address of this machine.

    Raises EngineError when the SDK is not there, or no credentials are.
    """
    if not (found := integrations.sdk("vertex")).ok:
        raise EngineError(found.told, found.help)
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.aiplatform_v1 import PipelineServiceClient

    address = address_of(settings)
    if is_open(settings.endpoint_url):
        return Service(PipelineServiceClient(transport=_in_the_open(address)), settings, patience)
    try:
        return Service(PipelineServiceClient(client_options={"api_endpoint": address}), settings, patience)
    except GoogleAuthError as error:
        told = str(error).splitlines()[0]
        raise EngineError(f"there are no credentials for Google Cloud: {told}", login_help(told)) from error


def _in_the_open(address: str) -> Any:
    import grpc
    from google.cloud.aiplatform_v1 import PipelineServiceClient

    return PipelineServiceClient.get_transport_class("grpc")(channel=grpc.insecure_channel(address))


class Service:
    """The jobs of one project in one region. What does not answer is asked again for `patience` seconds.

    All methods raise Silent when it did not answer in that time, and Refused when it did otherwise.
    """

    def __init__(self, client: Any, settings: VertexSettings, patience: float = PATIENCE) -> None:
        self.client = client
        self.settings = settings
        self.patience = patience
        self.parent = f"projects/{settings.project}/locations/{settings.location}"

    def close(self) -> None:
        self.client.transport.close()

    def name_of(self, job_id: str) -> str:
        """The full resource name of a job."""
        return f"{self.parent}/pipelineJobs/{job_id}"

    def create(self, job: Mapping[str, Any], job_id: str) -> str | None:
        """Start a job, a PipelineJob as plain data; its name as Google says it, None where there is one of this id."""
        from google.cloud.aiplatform_v1 import PipelineJob
        from google.protobuf.json_format import ParseDict

        made = PipelineJob()
        ParseDict(dict(job), PipelineJob.pb(made))
        request = {"parent": self.parent, "pipeline_job": made, "pipeline_job_id": job_id}
        try:
            return str(self._asked(self.client.create_pipeline_job, request).name)
        except Refused as error:
            if error.code == "ALREADY_EXISTS":
                return None
            raise

    def get(self, name: str) -> Any:
        """A PipelineJob; None where there is none of this name."""
        try:
            return self._asked(self.client.get_pipeline_job, {"name": name})
        except Refused as error:
            if error.code == "NOT_FOUND":
                return None
            if error.code == "RESOURCE_EXHAUSTED":  # so many looks a minute
                raise Silent(error.message, error.help) from error
            raise

    def of_run(self, mark: str) -> list[Listed]:
        """The jobs of a run, which have its mark."""
        mask = {"paths": _LISTED.split(",")}
        request = {"parent": self.parent, "filter": f'labels.{MARK_LABEL}="{mark}"', "read_mask": mask}
        found = self._asked(lambda **asked: list(self.client.list_pipeline_jobs(**asked)), request)
        return [Listed(job.name, job.state.name, dict(job.labels)) for job in found]

    def cancel(self, name: str) -> None:
        """Ask for the end of a job; nothing is done about one that has ended, or that is not there."""
        try:
            self._asked(self.client.cancel_pipeline_job, {"name": name})
        except Refused as error:
            if error.code not in ("NOT_FOUND", "FAILED_PRECONDITION"):
                raise

    def answers(self) -> None:
        """Look at one job, whichever it is: whether the project, the API and the permission to look are there."""
        request = {"parent": self.parent, "page_size": 1, "read_mask": {"paths": ["name"]}}
        self._asked(lambda **asked: next(iter(self.client.list_pipeline_jobs(**asked)), None), request)

    def has_location(self) -> bool:
        """Whether Google knows the region."""
        try:
            self._asked(self.client.get_location, {"name": self.parent})
        except Refused as error:
            if error.code == "NOT_FOUND":
                return False
            raise
        return True

    def _asked(self, method: Callable[..., _Answer], request: Mapping[str, Any]) -> _Answer:
        """The answer; asked for again, after longer and longer waits, as long as none comes."""
        began, pause = time.monotonic(), FIRST
        while True:
            try:
                return self._once(method, request)
            except Silent as error:
                over = began + (min(NAMES, self.patience) if isinstance(error, Unresolved) else self.patience)
                if time.monotonic() + pause > over:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, LONGEST)

    def _once(self, method: Callable[..., _Answer], request: Mapping[str, Any]) -> _Answer:
        from google.api_core.exceptions import GoogleAPICallError
        from google.auth.exceptions import GoogleAuthError

        try:
            return method(request=request, retry=None, timeout=max(LEAST, min(SECONDS, self.patience)))
        except GoogleAPICallError as error:
            raise refusal(_said(error), self.settings, address_of(self.settings)) from error
        except GoogleAuthError as error:
            said = Said("UNAUTHENTICATED", str(error))
            raise refusal(said, self.settings, address_of(self.settings)) from error


def _said(error: Any) -> Said:
    code = error.grpc_status_code
    return Said(code.name if code else "UNKNOWN", error.message or "", error.reason or "", error.metadata or {})

"""A double of Vertex AI's service of pipelines: a gRPC server on loopback, made of Google's own types.

It keeps jobs, says of them what Vertex says, refuses what Vertex is documented to refuse, and fails on demand. Behind
it `vertex_walk` runs the containers. It is no proof of how Google's own service behaves where that is not documented.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any, NamedTuple

import grpc
from google.cloud.aiplatform_v1 import PipelineJob, PipelineState
from google.cloud.aiplatform_v1.types import (
    CancelPipelineJobRequest,
    CreatePipelineJobRequest,
    GetPipelineJobRequest,
    ListPipelineJobsRequest,
    ListPipelineJobsResponse,
)
from google.cloud.location import locations_pb2
from google.protobuf import empty_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from vertex_rules import refusals
from vertex_walk import Walk

SERVICE, LOCATIONS = "google.cloud.aiplatform.v1.PipelineService", "google.cloud.location.Locations"
NUMBER = "123456789012"  # of the project: Google answers with it where it was asked by the project's id
REGIONS = ("europe-west4", "us-central1", "europe-west10")
ENDED = ("PIPELINE_STATE_SUCCEEDED", "PIPELINE_STATE_FAILED", "PIPELINE_STATE_CANCELLED")


class Fault(NamedTuple):
    """What is answered in place of the next answer, by the name of a gRPC status; `done` when what was asked for is
    done all the same, and its answer is lost."""

    code: str
    words: str = "said so"
    reason: str = ""
    metadata: Mapping[str, str] = {}
    done: bool = False


class Refused(Exception):
    """Ends a call with a status."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault


class VertexServer:
    """The service. `faults` are used up one an answer, by the method's name; `asked` is every method that was called,
    `run_args` what every container is run with, `at_a_time` how many tasks of a job run beside each other."""

    def __init__(self, at_a_time: int = 2) -> None:
        self.at_a_time = at_a_time
        self.run_args: dict[str, Any] = {}
        self.runs_containers = True
        self.faults: dict[str, list[Fault]] = {}
        self.asked: list[str] = []
        self.jobs: dict[str, PipelineJob] = {}
        self.walks: dict[str, Walk] = {}
        self.lock = threading.RLock()
        self.server = grpc.server(futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers((self._pipelines(), self._locations()))
        self.port = self.server.add_insecure_port("127.0.0.1:0")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        """End it, and everything that runs for it."""
        for walk in self.walks.values():
            walk.cancel()
        for walk in self.walks.values():
            walk.thread.join(60)
        self.server.stop(0)

    def fail(self, method: str, *faults: Fault) -> None:
        """Let the next calls of a method fail, one after another."""
        self.faults.setdefault(method, []).extend(faults)

    # -- the methods ---------------------------------------------------------------------------------------------------

    def create_pipeline_job(self, request: CreatePipelineJobRequest) -> PipelineJob:
        parent, job = _by_number(request.parent), request.pipeline_job
        if not re.fullmatch("projects/[^/]+/locations/[a-z0-9-]+", request.parent):
            raise Refused(Fault("INVALID_ARGUMENT", f"Invalid resource name: {request.parent}"))
        for words in refusals(job, request.pipeline_job_id):
            raise Refused(Fault("INVALID_ARGUMENT", words))
        job.name = f"{parent}/pipelineJobs/{request.pipeline_job_id}"
        job.state = PipelineState.PIPELINE_STATE_PENDING
        with self.lock:
            if job.name in self.jobs:
                raise Refused(Fault("ALREADY_EXISTS", "Pipeline job with the specified ID already exists."))
            self.jobs[job.name] = job
            if self.runs_containers:
                self.walks[job.name] = Walk(job, self.lock, self.run_args, self.at_a_time)
                self.walks[job.name].start()
        return job

    def get_pipeline_job(self, request: GetPipelineJobRequest) -> PipelineJob:
        return self._job(request.name)

    def list_pipeline_jobs(self, request: ListPipelineJobsRequest) -> ListPipelineJobsResponse:
        wanted = dict(re.findall(r'labels\.([a-z0-9_-]+)="([^"]*)"', request.filter))
        if request.filter and not wanted:
            raise Refused(Fault("INVALID_ARGUMENT", f"Invalid filter: {request.filter}"))
        parent = _by_number(request.parent)
        with self.lock:
            found = [
                PipelineJob(name=job.name, state=job.state, labels=dict(job.labels))
                for job in self.jobs.values()
                if job.name.startswith(f"{parent}/") and wanted.items() <= dict(job.labels).items()
            ]
        return ListPipelineJobsResponse(pipeline_jobs=found[: request.page_size or None])

    def cancel_pipeline_job(self, request: CancelPipelineJobRequest) -> empty_pb2.Empty:
        with self.lock:
            job = self._job(request.name)
            if job.state.name in ENDED:
                raise Refused(Fault("FAILED_PRECONDITION", f"The job is in the state {job.state.name} already"))
            job.state = PipelineState.PIPELINE_STATE_CANCELLING
        if job.name in self.walks:
            self.walks[job.name].cancel()
        return empty_pb2.Empty()

    def get_location(self, request: locations_pb2.GetLocationRequest) -> locations_pb2.Location:
        region = request.name.rpartition("/")[2]
        if region not in REGIONS:
            raise Refused(Fault("NOT_FOUND", f"Location {region} is not found"))
        return locations_pb2.Location(name=request.name, location_id=region)

    def _job(self, name: str) -> PipelineJob:
        job = self.jobs.get(_by_number(name))
        if job is None:
            raise Refused(Fault("NOT_FOUND", f"The PipelineJob does not exist: {name}"))
        return job

    # -- gRPC ----------------------------------------------------------------------------------------------------------

    def _pipelines(self) -> grpc.GenericRpcHandler:
        methods = {
            "CreatePipelineJob": (self.create_pipeline_job, CreatePipelineJobRequest),
            "GetPipelineJob": (self.get_pipeline_job, GetPipelineJobRequest),
            "ListPipelineJobs": (self.list_pipeline_jobs, ListPipelineJobsRequest),
            "CancelPipelineJob": (self.cancel_pipeline_job, CancelPipelineJobRequest),
        }
        found = {name: self._handler(name, method, kind.deserialize) for name, (method, kind) in methods.items()}
        return grpc.method_handlers_generic_handler(SERVICE, found)

    def _locations(self) -> grpc.GenericRpcHandler:
        read = locations_pb2.GetLocationRequest.FromString
        return grpc.method_handlers_generic_handler(
            LOCATIONS, {"GetLocation": self._handler("GetLocation", self.get_location, read)}
        )

    def _handler(self, name: str, method: Callable[[Any], Any], read: Callable[[bytes], Any]) -> Any:
        def answer(request: Any, context: grpc.ServicerContext) -> bytes:
            self.asked.append(name)
            try:
                fault = self.faults[name].pop(0) if self.faults.get(name) else None
                if fault is not None and not fault.done:
                    raise Refused(fault)
                with self.lock:
                    found = method(request)
                    if fault is not None:
                        raise Refused(fault)
                    return bytes(type(found).serialize(found) if hasattr(type(found), "pb") else _bytes(found))
            except Refused as refused:
                context.abort_with_status(rpc_status.to_status(_status(refused.fault)))

        return grpc.unary_unary_rpc_method_handler(answer, read, lambda data: data)


def _bytes(message: Any) -> bytes:
    return bytes(message.SerializeToString())


def _by_number(name: str) -> str:
    return re.sub("^projects/[^/]+", f"projects/{NUMBER}", name)


def _status(fault: Fault) -> status_pb2.Status:
    made = status_pb2.Status(code=grpc.StatusCode[fault.code].value[0], message=fault.words)
    if fault.reason or fault.metadata:
        about = error_details_pb2.ErrorInfo(reason=fault.reason, domain="googleapis.com", metadata=dict(fault.metadata))
        made.details.add().Pack(about)
    return made

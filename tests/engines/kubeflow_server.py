"""A double of Kubeflow Pipelines' REST API: `python kubeflow_server.py [HOST] [SETTINGS]` starts one on a free port.

The first line on standard output is the port; SETTINGS are JSON, as for /_test/configure. It speaks v2beta1 in the
types of the vendor's own client, refuses what the real API server refuses, and has runs carried out by Kubeflow's own
local runner, in containers of the Docker Engine. It ends, with all it started, when its standard input closes. What
stands below /_test/ is not Kubeflow's: tests steer it by that.
"""

from __future__ import annotations

import json
import os
import random
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kfp_server_api as api
import kubeflow_nodes as argo
from kubeflow_engine import Engine
from kubeflow_lists import page_of
from kubeflow_logins import Answer, Logins
from kubeflow_refusals import CODES, Refused, check_arguments, internal, invalid, not_found, parsed, read

SETTINGS = {
    "root": "/tmp",  # the folder that all containers have, at the same path
    "docker": {},  # more arguments of `docker run`
    "pull": False,  # whether an image that is not there is pulled
    "hold": False,  # whether runs stay pending, as on a cluster that is full
    "multi_user": False,
    "grace": 1,  # seconds that a container has to end
    "terminated": "FAILED",  # how a terminated run ends: the real one says that it has failed, not CANCELED
    "task_errors": False,  # whether a task's `error` is filled in, which the real one never does
}
LETTERS = "bcdfghjklmnpqrstvwxz2456789"
UI = "<!doctype html><html><head><title>Kubeflow Pipelines</title></head><body></body></html>"


class Serialiser(api.ApiClient):  # type: ignore[misc]
    """The vendor's, with times as the API server writes them, and without what it leaves out: what is 0 or empty."""

    def sanitize_for_serialization(self, obj: Any) -> Any:
        if isinstance(obj, datetime):
            return obj.isoformat().replace("+00:00", "Z")
        found = super().sanitize_for_serialization(obj)
        if hasattr(obj, "openapi_types"):
            return {name: value for name, value in found.items() if value not in (0, "", [])}
        return found


class Service:
    """What the API server keeps, and what it does with it. One lock guards all of it."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.lock = threading.RLock()
        self.first = {**SETTINGS, **settings}
        self.runs: dict[str, argo.Run] = {}
        self.engine = Engine(self.lock)
        self.reset()

    def reset(self) -> None:
        """Forget everything, and end what runs."""
        self.engine.reset(list(self.runs.values()))
        with self.lock:
            self.runs.clear()
            self.settings = dict(self.first)
            self.logins = Logins()
            self.faults: list[dict[str, Any]] = []
            self.requests: list[str] = []
            self.experiments: dict[str, Any] = {}
            self.default = self.add_experiment("Default", "", "All runs created without specifying an experiment")

    # Experiments

    def create_experiment(self, body: Any, query: dict[str, str]) -> Any:
        asked = read("V2beta1Experiment", body)
        name, namespace = asked.display_name or "", (asked.namespace or "") if self.multi_user else ""
        if not name:
            tried = "Failed to convert API experiment to model experiment"
            raise internal(tried, invalid("Experiment must have a non-empty name")).within(
                "[ExperimentServer]: Failed to create a experiment due to conversion error"
            )
        self.check_namespace(
            namespace, "An experiment", "Failed to create a experiment: Failed to authorize the request"
        )
        with self.lock:
            if any((each.display_name, each.namespace) == (name, namespace) for each in self.experiments.values()):
                said = f"Failed to create a new experiment. The name {name} already exists. Please specify a new name"
                raise Refused(409, f"Failed to create a experiment: Already exist error: {said}", said)
            return self.add_experiment(name, namespace, asked.description)

    def add_experiment(self, name: str, namespace: str, description: str | None) -> Any:
        made = api.V2beta1Experiment(
            experiment_id=str(uuid.uuid4()),
            display_name=name,
            description=description,
            namespace=namespace,
            created_at=argo.now(),
            last_run_created_at=argo.NEVER,
            storage_state="AVAILABLE",
        )
        self.experiments[made.experiment_id] = made
        return made

    def get_experiment(self, name: str) -> Any:
        with self.lock:
            if name not in self.experiments:
                raise not_found("Experiment", name).within("Failed to fetch experiment")
            return self.experiments[name]

    def list_experiments(self, body: Any, query: dict[str, str]) -> Any:
        namespace = query.get("namespace", "") if self.multi_user else ""
        self.check_namespace(namespace, "An experiment", "List experiments failed: Failed to authorize with API")
        with self.lock:
            found = [each for each in self.experiments.values() if not self.multi_user or each.namespace == namespace]
        page = page_of([(_experiment_fields(each), each) for each in found], query)
        return api.V2beta1ListExperimentsResponse(
            experiments=page.things, total_size=page.total, next_page_token=page.token
        )

    # Runs

    def create_run(self, body: Any, query: dict[str, str]) -> Any:
        asked = read("V2beta1Run", body)
        try:
            run = self.new_run(asked)
        except Refused as refused:
            raise refused.within("Failed to create a new run") from refused
        made = argo.as_run(run)
        if not run.settings["hold"]:
            self.engine.start(run)
        return made

    def new_run(self, asked: Any) -> argo.Run:
        if asked.plugins_output is not None:
            raise Refused(409, "BadRequestError: plugins_output is server-owned")
        if not asked.display_name:
            tried = "Failed to convert a API run detail to its internal representation"
            raise internal(tried, invalid("Run name cannot be empty"))
        experiment = self.experiment_of(asked)
        if asked.pipeline_spec is None:
            said = "Failed to fetch a template with an empty pipeline spec manifest"
            if asked.pipeline_version_reference is not None:
                # The real one has pipelines, which are uploaded beforehand: here are none.
                version = asked.pipeline_version_reference.pipeline_version_id
                said = f"Failed to get a pipeline version with id {version}: ResourceNotFoundError"
            raise internal("Failed to create a run due to error fetching manifest", invalid(said))
        spec = parsed(asked.pipeline_spec)
        check_arguments(spec, (asked.runtime_config and asked.runtime_config.parameters) or {})
        with self.lock:
            # Its documentation calls the id an output; its code takes the one that it is given.
            run_id = asked.run_id or str(uuid.uuid4())
            if run_id in self.runs:
                raise internal(f"Failed to store run {asked.display_name} to table", invalid("duplicate entry"))
            tail = "".join(random.choices(LETTERS, k=5))
            name, created, settings = f"{spec.pipeline_info.name}-{tail}", argo.now(), dict(self.settings)
            run = argo.Run(asked, spec, run_id, experiment.experiment_id, experiment.namespace, name, created, settings)
            run.history.append((created, "PENDING"))
            self.runs[run_id] = run
            experiment.last_run_created_at = created
        return run

    def experiment_of(self, asked: Any) -> Any:
        tried = "Failed to create a run due to invalid experimentId and namespace combination"
        if not asked.experiment_id:
            if self.multi_user:
                raise invalid("Experiment id can not be empty in multi-user mode").within(tried)
            return self.default
        with self.lock:
            if asked.experiment_id not in self.experiments:
                lost = not_found("Experiment", asked.experiment_id)
                raise lost.within(tried, f"Failed to fetch namespace for experiment {asked.experiment_id}")
            return self.experiments[asked.experiment_id]

    def find(self, run_id: str, *tried: str) -> argo.Run:
        if run_id not in self.runs:
            raise not_found("Run", run_id).within(*tried, f"Failed to fetch run {run_id}")
        return self.runs[run_id]

    def get_run(self, run_id: str) -> Any:
        with self.lock:
            return argo.as_run(self.find(run_id, "Failed to get a run"))

    def get_v1(self, run_id: str) -> Any:
        """Of v1beta1 as far as it shows the workflow, whose nodes say why they have failed."""
        with self.lock:
            run = self.find(run_id, "Failed to get a v1beta1 run")
            about = {"id": run_id, "name": run.asked.display_name, "status": run.phase}
            return {"run": about, "pipeline_runtime": {"workflow_manifest": argo.as_workflow(run)}}

    def list_runs(self, body: Any, query: dict[str, str]) -> Any:
        experiment = query.get("experiment_id", "")
        namespace = query.get("namespace", "")
        if experiment and experiment not in self.experiments:
            lost = not_found("Experiment", experiment)
            raise lost.within(
                "Failed to list runs", "Failed to list runs due to error fetching namespace for experiment"
            )
        if not experiment:
            self.check_namespace(namespace, "A run", "Failed to list runs")
        with self.lock:
            found = [run for run in self.runs.values() if experiment in ("", run.experiment_id)]
            if self.multi_user and not experiment:
                found = [run for run in found if run.namespace == namespace]
            page = page_of([(_run_fields(run), argo.as_run(run)) for run in found], query)
        return api.V2beta1ListRunsResponse(runs=page.things, total_size=page.total, next_page_token=page.token)

    def terminate(self, run_id: str) -> dict[str, Any]:
        tried = ("Failed to terminate a run", f"Failed to terminate run {run_id}")
        with self.lock:
            run = self.find(run_id, *tried)
            if run.state not in ("PENDING", "RUNNING"):
                raise invalid(f"Failed to terminate a run {run_id}. Row not found").within(*tried)
            self.engine.terminate(run)
        return {}

    def archive(self, run_id: str) -> dict[str, Any]:
        with self.lock:
            tried = f"Failed to archive run {run_id} as it failed to be retrieved"
            self.find(run_id, "Failed to archive a run", tried).storage = "ARCHIVED"
        return {}

    def unarchive(self, run_id: str) -> dict[str, Any]:
        with self.lock:
            tried = f"Failed to unarchive run {run_id} as it does not exist"
            self.find(run_id, "Failed to unarchive a run", tried).storage = "AVAILABLE"
        return {}

    def delete(self, run_id: str) -> dict[str, Any]:
        with self.lock:
            run = self.find(run_id, "Failed to delete a run", f"Failed to delete run {run_id} as it does not exist")
        self.engine.stop(run, grace=0)
        with self.lock:
            self.runs.pop(run_id, None)
        return {}

    # Who may

    def healthz(self, body: Any, query: dict[str, str]) -> Any:
        """The API server writes this by hand, so that there is a `false` in it."""
        about = api.V2beta1GetHealthzResponse(multi_user=self.multi_user, pipeline_store="database")
        return about.to_dict()

    @property
    def multi_user(self) -> bool:
        return bool(self.settings["multi_user"])

    def check_namespace(self, namespace: str, what: str, tried: str) -> None:
        if self.multi_user and not namespace:
            raise invalid(f"{what} cannot have an empty namespace in multi-user mode").within(tried)

    # What tests steer

    def steer(self, what: str, told: Any) -> Any:
        verbs: dict[str, Callable[[], Any]] = {
            "configure": lambda: self.configure(told),
            "require": lambda: setattr(self, "logins", Logins(told)),
            "expire": self.logins.sessions.clear,
            "fail": lambda: self.faults.append(told),
            "reset": self.reset,
            "runs": lambda: [argo.as_run(run) for run in self.runs.values()],
            "requests": lambda: list(self.requests),
            "log": lambda: self.engine.logs.get(told["run_id"], ""),
        }
        return verbs[what]()

    def configure(self, told: dict[str, Any]) -> None:
        if strange := told.keys() - SETTINGS.keys():
            raise Refused(400, f"no such settings: {sorted(strange)}; there are {sorted(SETTINGS)}")
        with self.lock:
            self.settings.update(told)

    def fault(self, method: str, path: str) -> dict[str, Any] | None:
        """The fault that this request runs into, which has one time less then."""
        with self.lock:
            for each in self.faults:
                if each["times"] and each["method"] == method and path.startswith(each["path"]):
                    each["times"] -= 1
                    return each
        return None


def _experiment_fields(each: Any) -> dict[str, Any]:
    names = ("experiment_id", "display_name", "created_at", "last_run_created_at", "description", "namespace")
    found = {name: getattr(each, name) or "" for name in (*names, "storage_state")}
    return {**found, "id": found["experiment_id"], "name": found["display_name"]}


def _run_fields(run: argo.Run) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "id": run.run_id,
        "display_name": run.asked.display_name,
        "name": run.asked.display_name,
        "description": run.asked.description or "",
        "created_at": run.created,
        "scheduled_at": run.created,
        "finished_at": run.finished or argo.NEVER,
        "storage_state": run.storage,
        "state": run.state,
        "status": run.state.capitalize(),
        "namespace": run.namespace,
        "experiment_id": run.experiment_id,
    }


class Handler(BaseHTTPRequestHandler):
    """One request: steered, stopped by a fault, sent to log in, or done."""

    protocol_version = "HTTP/1.1"
    service: Service

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        try:
            if path.startswith("/_test/"):
                return self.say(200, self.service.steer(path.removeprefix("/_test/"), json.loads(body or "null")))
            self.service.requests.append(f"{self.command} {path}")
            fault = self.service.fault(self.command, path.removeprefix("/pipeline"))
            time.sleep(fault["delay"] if fault else 0)
            if fault and not fault["late"] and self.fail(fault):
                return None
            answer = self.answer(path, body)
            if not (fault and fault["late"] and self.fail(fault)):
                self.send(answer) if isinstance(answer, Answer) else self.say(200, answer)
        except Refused as refused:
            self.say(refused.status, refused.body())

    do_POST = do_DELETE = do_GET

    def answer(self, path: str, body: bytes) -> Any:
        """What was asked for, or a login. A distribution has the API below /pipeline, and its pages beside it."""
        if elsewhere := self.service.logins.answer(self.command, self.path, self.headers, body):
            return elsewhere
        path = path.removeprefix("/pipeline") or "/"
        if not path.startswith("/apis/"):
            return Answer(200, UI)
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        return self.api(path, _json(body), query)

    def api(self, path: str, body: Any, query: dict[str, str]) -> Any:
        service = self.service
        whole: dict[str, Callable[[Any, dict[str, str]], Any]] = {
            "GET /apis/v2beta1/healthz": service.healthz,
            "GET /apis/v2beta1/experiments": service.list_experiments,
            "POST /apis/v2beta1/experiments": service.create_experiment,
            "GET /apis/v2beta1/runs": service.list_runs,
            "POST /apis/v2beta1/runs": service.create_run,
        }
        of_one: dict[str, Callable[[str], Any]] = {
            "GET /apis/v2beta1/experiments/": service.get_experiment,
            "GET /apis/v2beta1/runs/": service.get_run,
            "DELETE /apis/v2beta1/runs/": service.delete,
            "POST /apis/v2beta1/runs/:terminate": service.terminate,
            "POST /apis/v2beta1/runs/:archive": service.archive,
            "POST /apis/v2beta1/runs/:unarchive": service.unarchive,
            "GET /apis/v1beta1/runs/": service.get_v1,
        }
        if handle := whole.get(f"{self.command} {path}"):
            return handle(body, query)
        folder, _, last = path.rpartition("/")
        name, colon, verb = last.partition(":")
        if handle_one := of_one.get(f"{self.command} {folder}/{colon}{verb}"):
            return handle_one(name)
        raise Refused(404, "Not Found")

    def fail(self, fault: dict[str, Any]) -> bool:
        """Whether an answer, or none, was given in place of the right one."""
        if fault["cut"]:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault["status"]:
            headers = tuple(fault["headers"].items())
            body = {"code": CODES.get(fault["status"], 2), "message": "injected fault", "details": []}
            kind = "application/json" if fault["text"] is None else "text/plain"
            self.send(Answer(fault["status"], fault["text"] or json.dumps(body), headers, kind))
        return bool(fault["cut"] or fault["status"])

    def say(self, status: int, body: Any) -> None:
        text = json.dumps(Serialiser().sanitize_for_serialization(body))
        self.send(Answer(status, text, kind="application/json"))

    def send(self, answer: Answer) -> None:
        body = answer.text.encode()
        self.send_response(answer.status)
        for name, value in (("Content-Type", answer.kind), ("Content-Length", str(len(body))), *answer.headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *given: object) -> None:
        return


def _json(body: bytes) -> Any:
    try:
        return json.loads(body or "{}")
    except json.JSONDecodeError as error:
        raise Refused(400, f"proto: syntax error: {error}") from error


def main(host: str = "127.0.0.1", settings: str = "{}") -> None:
    """Serve until standard input closes."""
    service = Service(json.loads(settings))
    handler = type("TheHandler", (Handler,), {"service": service})
    server = ThreadingHTTPServer((host, 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    service.reset()
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The engine behind Vertex' double: a job's document walked task by task, each in a container of the Docker Engine.

It does what the documentation says that Vertex does: the placeholders, `retryPolicy`, both failure policies, and the
states in between. There are no CustomJobs, no Cloud Storage, and no machines of the size that was asked for.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import docker
from docker.errors import APIError, DockerException
from google.cloud.aiplatform_v1 import PipelineFailurePolicy, PipelineJob, PipelineState, PipelineTaskDetail
from google.protobuf import json_format, timestamp_pb2
from google.rpc import code_pb2, status_pb2
from vertex_rules import document_of

JOB_LABEL = "runner/test-vertex-job"
GRACE = 10  # seconds between SIGTERM and SIGKILL
State = PipelineTaskDetail.State


class Walk:
    """One job on its way; `job` is the message that the service tells of it, changed under `lock` alone."""

    def __init__(self, job: PipelineJob, lock: threading.RLock, run_args: Mapping[str, Any], at_a_time: int) -> None:
        self.job, self.lock = job, lock
        self.run_args, self.at_a_time = dict(run_args), at_a_time
        self.document = document_of(job)
        self.tasks: dict[str, Any] = self.document["root"]["dag"]["tasks"]
        self.details: dict[str, PipelineTaskDetail] = {}
        self.uuid = time.time_ns()
        self.cancelled = threading.Event()
        self.engine = docker.from_env(timeout=300)
        self.containers: dict[str, Any] = {}
        self.thread = threading.Thread(target=self._run, name=job.name, daemon=True)

    def start(self) -> None:
        self.thread.start()

    def cancel(self) -> None:
        """Ask for the end: no further task begins, and what runs is stopped."""
        self.cancelled.set()
        with self.lock:
            running = list(self.containers.values())
        for container in running:
            threading.Thread(target=_stopped, args=(container,), daemon=True).start()

    def _run(self) -> None:
        self._entry(self.document["pipelineInfo"]["name"], root=True)
        self._job_is(PipelineState.PIPELINE_STATE_RUNNING)
        try:
            self._walk()
        except Exception as error:  # a mistake in here shall be seen as one
            self._job_is(PipelineState.PIPELINE_STATE_FAILED, f"the double broke: {type(error).__name__}: {error}")
        finally:
            self.engine.close()

    def _walk(self) -> None:
        waiting, running = dict(self.tasks), dict[Future[bool], str]()
        ended: dict[str, bool] = {}
        slow = self.job.runtime_config.failure_policy != PipelineFailurePolicy.PIPELINE_FAILURE_POLICY_FAIL_FAST
        with ThreadPoolExecutor(self.at_a_time) as pool:
            while True:
                going_on = not self.cancelled.is_set() and (slow or all(ended.values()))
                for name in [name for name, task in waiting.items() if going_on and _is_ready(task, ended)]:
                    self._entry(name)
                    running[pool.submit(self._task, name, waiting.pop(name))] = name
                for name in [name for name, task in waiting.items() if going_on and _is_hopeless(task, ended)]:
                    del waiting[name]
                    ended[name] = False
                    self._entry(name)
                    self._task_is(name, State.NOT_TRIGGERED)
                if not running:
                    if going_on and waiting:
                        continue
                    break
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    ended[running.pop(done)] = done.result()
        self._ended([name for name, well in ended.items() if not well])

    def _ended(self, failed: list[str]) -> None:
        root = next(iter(self.details))
        if self.cancelled.is_set():
            self._task_is(root, State.CANCELLED)
            self._job_is(PipelineState.PIPELINE_STATE_CANCELLED)
        elif failed:
            words = f"The DAG failed because some tasks failed. The failed tasks are: [{', '.join(failed)}]."
            self._task_is(root, State.FAILED, words)
            more = f"{words}; Job (project_id = p, job_id = {self.uuid}) is failed due to the above error."
            self._job_is(PipelineState.PIPELINE_STATE_FAILED, more)
        else:
            self._task_is(root, State.SUCCEEDED)
            self._job_is(PipelineState.PIPELINE_STATE_SUCCEEDED)

    # -- one task ------------------------------------------------------------------------------------------------------

    def _task(self, name: str, task: Mapping[str, Any]) -> bool:
        """Run a task until it has succeeded, or is tried no more."""
        policy = task.get("retryPolicy", {})
        pause, factor = _seconds(policy.get("backoffDuration", "0s")), float(policy.get("backoffFactor", 2.0))
        words = ""
        for attempt in range(int(policy.get("maxRetryCount", 0)) + 1):
            if attempt and self.cancelled.wait(pause * factor ** (attempt - 1)):
                break
            if self.cancelled.is_set():
                break
            words = self._attempt(name, task)
            if not words:
                self._task_is(name, State.SUCCEEDED)
                return True
        if self.cancelled.is_set():
            self._task_is(name, State.CANCELLED)
        else:
            self._task_is(name, State.FAILED, words)
        return False

    def _attempt(self, name: str, task: Mapping[str, Any]) -> str:
        """Run a task's container to its end; empty when it succeeded, else what Vertex would say."""
        executor = self.document["components"][task["componentRef"]["name"]]["executorLabel"]
        container = self.document["deploymentSpec"]["executors"][executor]["container"]
        fill = self._filler(name, task)
        command = [fill(text) for text in (*container.get("command", ()), *container.get("args", ()))]
        environment = {each["name"]: fill(each["value"]) for each in container.get("env", ())}
        environment |= self.run_args.get("environment", {})  # what the machine itself would know, as a login
        made = {"labels": {"runner/test": "1", JOB_LABEL: str(self.uuid)}, **self.run_args, "environment": environment}
        try:
            running = self.engine.containers.create(container["image"], command, **made)
        except DockerException as error:
            return f"CustomJob failed: cannot pull or start the container image {container['image']}: {error}"
        with self.lock:
            self.containers[name] = running
        try:
            running.start()
            self._task_is(name, State.RUNNING)
            if self.cancelled.is_set():
                _stopped(running)
            code = int(running.wait()["StatusCode"])
        except DockerException as error:
            return f"CustomJob failed: {error}"
        finally:
            with self.lock:
                del self.containers[name]
            running.remove(force=True)
        return f"The replica workerpool0-0 exited with a non-zero status of {code}." if code else ""

    def _filler(self, name: str, task: Mapping[str, Any]) -> Callable[[str], str]:
        """Vertex' placeholders in a text of the container, with what they stand for in this task."""
        known = {
            "{{$.pipeline_job_uuid}}": str(self.uuid),
            "{{$.pipeline_job_name}}": self.job.name.rpartition("/")[2],
            "{{$.pipeline_job_resource_name}}": self.job.name,
            "{{$.pipeline_task_uuid}}": str(self.details[name].task_id),
            "{{$.pipeline_task_name}}": name,
        }
        root = self._root_inputs()
        values = {}
        for each, source in task.get("inputs", {}).get("parameters", {}).items():
            if "componentInputParameter" in source:
                values[each] = root[source["componentInputParameter"]]
            else:
                constant = source["runtimeValue"]["constant"]
                values[each] = known.get(constant, constant) if isinstance(constant, str) else constant
        known["{{$}}"] = json.dumps({"inputs": {"parameterValues": values}})
        return lambda text: re.sub(r"\{\{\$[^{}]*\}\}", lambda found: known[found[0]], text)

    def _root_inputs(self) -> dict[str, Any]:
        given = json_format.MessageToDict(PipelineJob.pb(self.job).runtime_config).get("parameterValues", {})
        declared = self.document["root"].get("inputDefinitions", {}).get("parameters", {})
        return {name: given.get(name, about.get("defaultValue")) for name, about in declared.items()}

    # -- what is told --------------------------------------------------------------------------------------------------

    def _entry(self, name: str, *, root: bool = False) -> None:
        """A new entry among the details of tasks; the first one is the whole pipeline, under its name."""
        with self.lock:
            key = f"({name})" if root else name
            parent = next(iter(self.details.values()), None)
            number = self.uuid + len(self.details) + 1
            detail = {"task_id": number, "task_name": name, "create_time": _now(), "state": State.PENDING}
            if parent is not None:
                detail["parent_task_id"] = parent.task_id
            self.job.job_detail.task_details.append(PipelineTaskDetail(detail))
            self.details[key] = self.job.job_detail.task_details[-1]
            if root:
                self.details[key].state = State.RUNNING

    def _task_is(self, name: str, state: PipelineTaskDetail.State, words: str = "") -> None:
        with self.lock:
            detail = self.details[name]
            detail.state = state
            if words:
                detail.error = status_pb2.Status(code=code_pb2.FAILED_PRECONDITION, message=words)

    def _job_is(self, state: PipelineState, words: str = "") -> None:
        with self.lock:
            ended = state not in (PipelineState.PIPELINE_STATE_RUNNING, PipelineState.PIPELINE_STATE_PENDING)
            if not ended and self.cancelled.is_set():
                return
            self.job.state = state
            if words:
                self.job.error = status_pb2.Status(code=code_pb2.FAILED_PRECONDITION, message=words)


def _is_ready(task: Mapping[str, Any], ended: Mapping[str, bool]) -> bool:
    return all(ended.get(other) for other in task.get("dependentTasks", ()))


def _is_hopeless(task: Mapping[str, Any], ended: Mapping[str, bool]) -> bool:
    return any(ended.get(other) is False for other in task.get("dependentTasks", ()))


def _seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def _now() -> timestamp_pb2.Timestamp:
    found = timestamp_pb2.Timestamp()
    found.FromNanoseconds(time.time_ns())
    return found


def _stopped(container: Any) -> None:
    with contextlib.suppress(APIError):  # it is gone
        container.stop(timeout=GRACE)

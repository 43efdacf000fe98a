"""A run of the Kubeflow double as Argo's nodes, and what Kubeflow's API makes of them.

Kubeflow Pipelines 2.17 compiles a document to an Argo workflow, and a run's `task_details` are the nodes of that: for
each task its driver, itself, and an `executor`; above them `root`, `root-driver` and the workflow. They stand there in
the order of their random ids. The API tells no node's message, so neither why a task has failed nor what it waits for:
only the workflow has that, which v1beta1 shows.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import kfp_server_api as api

NEVER = datetime.fromtimestamp(0, UTC)
"""When a run ends that has not ended: what the API server makes of a 0."""
NEVER_NODE = datetime(1, 1, 1, tzinfo=UTC)
"""The same of a node: what Go's time package makes of no time at all."""
OVER = ("Succeeded", "Failed", "Omitted", "Skipped")
STATES = {"Omitted": None, **{each: each.upper() for each in ("Pending", "Running", "Succeeded", "Failed", "Skipped")}}
"""A node's phase → a task's state. Of an omitted one nothing is said: its state is the enumeration's first value."""


@dataclass
class Attempt:
    """A container of a task, from when its pod was made."""

    started: datetime
    phase: str = "Pending"
    message: str = ""
    finished: datetime | None = None


@dataclass
class Course:
    """What has become of a task that was started."""

    started: datetime
    attempts: list[Attempt] = field(default_factory=list)
    phase: str = "Running"
    finished: datetime | None = None


@dataclass
class Run:
    """What is known of a run. `message` of its workflow, `settings` those of the server when it was made."""

    asked: Any
    spec: Any
    run_id: str
    experiment_id: str
    namespace: str
    workflow: str
    created: datetime
    settings: dict[str, Any]
    state: str = "PENDING"
    history: list[tuple[datetime, str]] = field(default_factory=list)
    storage: str = "AVAILABLE"
    finished: datetime | None = None
    began: datetime | None = None
    courses: dict[str, Course] = field(default_factory=dict)

    @property
    def phase(self) -> str:
        return {"SUCCEEDED": "Succeeded", "FAILED": "Failed", "CANCELED": "Failed"}.get(self.state, "Running")


class Node(NamedTuple):
    """One of the workflow's."""

    name: str
    display: str
    kind: str
    template: str
    phase: str
    started: datetime
    finished: datetime | None
    children: list[str]
    message: str = ""
    failed: tuple[str, ...] = ()


def now() -> datetime:
    """To the second, as both of them keep it."""
    return datetime.now(UTC).replace(microsecond=0)


def nodes(run: Run) -> Iterator[Node]:
    """Those that there are so far. A task whose turn has not come has none."""
    if run.began is None:
        return
    first = [f"{_of(name)}-driver" for name, task in run.spec.root.dag.tasks.items() if not task.dependent_tasks]
    end = run.finished
    yield Node("", run.workflow, "DAG", "entrypoint", run.phase, run.began, end, [".root-driver"])
    yield Node(".root-driver", "root-driver", "Pod", "system-dag-driver", "Succeeded", run.began, run.began, [".root"])
    yield Node(".root", "root", "DAG", "root", run.phase, run.began, end, first)
    for name in run.spec.root.dag.tasks:
        yield from _task(run, name)


def _task(run: Run, name: str) -> Iterator[Node]:
    path, course = _of(name), run.courses.get(name)
    started = course.started if course else _ready(run, name) or run.finished or now()
    phase = _phase(run, name)
    if phase is None:
        return
    driver = "Succeeded" if course else phase
    done = started if driver in OVER else None
    yield Node(f"{path}-driver", f"{name}-driver", "Pod", "system-container-driver", driver, started, done, [path])
    if course is None:
        if phase != "Pending":
            yield Node(path, name, "Skipped", "system-container-executor", phase, started, done, [])
        return
    executors = list(_executors(run, name, course))
    yield Node(
        path,
        name,
        "DAG",
        "system-container-executor",
        phase,
        started,
        course.finished,
        [f"{path}.executor"],
        executors[0].message if run.settings["task_errors"] and executors else "",
    )
    yield from executors


def _phase(run: Run, name: str) -> str | None:
    """None for a task whose turn has not come, or never will."""
    if course := run.courses.get(name):
        return course.phase
    before = [_phase(run, other) for other in run.spec.root.dag.tasks[name].dependent_tasks]
    if any(phase in ("Failed", "Omitted") for phase in before):
        return "Omitted"
    if run.finished is None:
        return "Pending" if all(phase == "Succeeded" for phase in before) else None
    return "Skipped" if run.phase == "Succeeded" else None


def _ready(run: Run, name: str) -> datetime | None:
    ends = [
        run.courses[other].finished for other in run.spec.root.dag.tasks[name].dependent_tasks if other in run.courses
    ]
    return max(filter(None, ends), default=run.began)


def _executors(run: Run, name: str, course: Course) -> Iterator[Node]:
    """The pod; for a task that may be tried again a node of their own for all attempts, and a pod for each."""
    task, path = run.spec.root.dag.tasks[name], f"{_of(name)}.executor"
    after = [
        f"{_of(other)}-driver" for other, about in run.spec.root.dag.tasks.items() if name in about.dependent_tasks
    ]
    retried = task.HasField("retry_policy")
    template = "retry-system-container-impl" if retried else "system-container-impl"
    pods = [
        Node(
            f"{path}({index})" if retried else path,
            f"executor({index})" if retried else "executor",
            "Pod",
            template,
            each.phase,
            each.started,
            each.finished,
            after,
            each.message,
        )
        for index, each in enumerate(course.attempts)
    ]
    if retried and pods:
        lost = tuple(pod_name(run, each) for each in pods if each.phase == "Failed")
        children, last = [each.name for each in pods], pods[-1]
        phase = course.phase if course.phase in OVER else "Running"
        yield Node(
            path, "executor", "Retry", template, phase, course.started, course.finished, children, last.message, lost
        )
    yield from pods


def _of(task: str) -> str:
    return f".root.{task}"


def node_id(run: Run, name: str) -> str:
    return f"{run.workflow}-{_hash(run, name)}" if name else run.workflow


def pod_name(run: Run, node: Node) -> str:
    return f"{run.workflow}-{node.template}-{_hash(run, node.name)}"


def _hash(run: Run, name: str) -> int:
    """FNV-1a in 32 bits, which Argo takes."""
    value = 0x811C9DC5
    for byte in f"{run.workflow}{name}".encode():
        value = (value ^ byte) * 0x01000193 % 2**32
    return value


def details(run: Run) -> list[Any]:
    """The run's `task_details`."""
    return sorted((_detail(run, node) for node in nodes(run)), key=lambda each: each.task_id)


def _detail(run: Run, node: Node) -> Any:
    pods = [api.PipelineTaskDetailChildTask(pod_name=node_id(run, child)) for child in node.children]
    error = api.GoogleRpcStatus(code=2, message=node.message) if run.settings["task_errors"] and node.message else None
    lost = api.V2beta1PipelineTaskExecutorDetail(failed_main_jobs=list(node.failed)) if node.failed else None
    return api.V2beta1PipelineTaskDetail(
        run_id=run.run_id,
        task_id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{run.run_id}{node.name}")),
        display_name=node.display,
        create_time=run.created,
        start_time=node.started,
        end_time=node.finished or NEVER_NODE,
        state=STATES[node.phase],
        state_history=_history(node),
        child_tasks=pods or None,
        executor_detail=lost,
        error=error,
    )


def _history(node: Node) -> list[Any]:
    begun = {"Pod": "PENDING"}.get(node.kind, "RUNNING")
    passed = [(node.started, begun)] if node.phase in OVER and node.kind != "Skipped" else []
    return [
        api.V2beta1RuntimeStatus(update_time=when, state=state)
        for when, state in [*passed, (node.finished or node.started, STATES[node.phase])]
    ]


def as_run(run: Run) -> Any:
    """What the API says of it: nothing of why it has failed."""
    found = details(run)
    history = [api.V2beta1RuntimeStatus(update_time=when, state=state) for when, state in run.history]
    return api.V2beta1Run(
        experiment_id=run.experiment_id,
        run_id=run.run_id,
        display_name=run.asked.display_name,
        description=run.asked.description,
        storage_state=run.storage,
        pipeline_spec=run.asked.pipeline_spec,
        runtime_config=run.asked.runtime_config,
        service_account=run.asked.service_account or "pipeline-runner",
        created_at=run.created,
        scheduled_at=run.created,
        finished_at=run.finished or NEVER,
        state=run.state,
        state_history=history,
        run_details=api.V2beta1RunDetails(task_details=found) if found else None,
    )


def as_workflow(run: Run) -> str:
    """The Argo workflow as JSON, as far as its status goes."""
    found = {
        node_id(run, node.name): {
            "id": node_id(run, node.name),
            "name": f"{run.workflow}{node.name}",
            "displayName": node.display,
            "type": node.kind,
            "templateName": node.template,
            "phase": node.phase,
            "message": node.message,
            "startedAt": _text(node.started),
            "finishedAt": _text(node.finished),
            "children": [node_id(run, child) for child in node.children],
        }
        for node in nodes(run)
    }
    status = {"phase": run.phase if run.began else "", "nodes": found}
    return json.dumps({"metadata": {"name": run.workflow, "namespace": run.namespace}, "status": status})


def _text(when: datetime | None) -> str | None:
    return when.isoformat().replace("+00:00", "Z") if when else None

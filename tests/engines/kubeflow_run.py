"""One run of the Kubeflow double, by Kubeflow's own local runner: told on standard input, telling on standard output.

The first line of input is JSON: {"run_id", "spec": the pipeline document, "arguments", "root": folder, "docker":
arguments of `docker run`, "pull": whether images may be pulled, "labels"}. What happens is written as one line of JSON
each. When its input closes it ends, with its containers: so also when the server was killed.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker

RUN = "runner/test-run"
"""The label that a run's containers have: its id."""


def main() -> None:
    """Carry the run out. Everything that the SDK prints goes to standard error."""
    with os.fdopen(os.dup(1), "w") as events:
        os.dup2(2, 1)
        told = json.loads(sys.stdin.readline())
        threading.Thread(target=end_with_input, args=(told["run_id"],), daemon=True).start()
        succeeded = Course(told, events).carry_out()
        os.write(events.fileno(), line({"event": "ended", "succeeded": succeeded}))


def end_with_input(run_id: str) -> None:
    sys.stdin.read()
    remove_containers(f"{RUN}={run_id}", grace=0)
    os._exit(1)


def remove_containers(label: str, grace: int) -> None:
    """All that have it; each may take as many seconds to end as `grace` says."""
    with client() as engine:
        for container in engine.containers.list(all=True, filters={"label": label}, ignore_removed=True):
            try:
                if grace:
                    container.stop(timeout=grace)
                container.remove(force=True)
            except docker.errors.APIError:
                continue  # somebody else has removed it


@contextmanager
def client() -> Iterator[Any]:
    engine = docker.from_env()
    try:
        yield engine
    finally:
        engine.close()


def line(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode() + b"\n"


class Course:
    """Tells what the SDK's local runner, which has no word for a single task, does with each of them."""

    def __init__(self, told: dict[str, Any], events: Any) -> None:
        self.told, self.events = told, events
        self.current = threading.local()

    def carry_out(self) -> bool:
        from kfp import components, local
        from kfp.local import docker_task_handler
        from kfp.local.orchestrator import task_executor

        self.execute = task_executor.execute_single_task
        task_executor.execute_single_task = self.task
        docker_task_handler.run_docker_container = self.container
        self.tell(event="began")
        with tempfile.TemporaryDirectory() as folder:
            document = Path(folder) / "pipeline.yaml"  # JSON is YAML
            document.write_text(json.dumps(self.told["spec"]))
            runner = local.DockerRunner(**self.told["docker"])
            local.init(runner=runner, pipeline_root=self.told["root"], workspace_root=folder)
            try:
                components.load_component_from_file(str(document))(**self.told["arguments"])
            except Exception as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
                return False
        return True

    def tell(self, **event: Any) -> None:
        os.write(self.events.fileno(), line(event))

    def task(self, **given: Any) -> Any:
        """In place of the SDK's own: what `{{$.pipeline_job_uuid}}` stands for is the run's id, not some number."""
        name = self.current.name = given["task_name"]
        container = given["components"][given["task_spec"].component_ref.name].executor_label
        self.current.limits = limits(given["executors"][container].container.resources)
        self.tell(event="task", task=name)
        outputs, status = self.execute(**{**given, "unique_pipeline_id": self.told["run_id"]})
        self.tell(event="done", task=name, succeeded=status.name == "SUCCESS")
        return outputs, status

    def container(self, client: Any, image: str, command: list[str], volumes: Any, **more: Any) -> int:
        """In place of the SDK's own, which takes a container that is gone already for one that has succeeded."""
        name = self.current.name
        self.tell(event="pending", task=name)
        self.have_image(client, image)
        labels = {**self.told["labels"], RUN: self.told["run_id"]}
        options = {**self.current.limits, **more, "labels": labels}
        container = client.containers.run(image, command, detach=True, volumes=volumes, **options)
        self.tell(event="running", task=name)
        try:
            code: int = container.wait()["StatusCode"]
            print(container.logs().decode(errors="replace"), end="", file=sys.stderr, flush=True)
            container.reload()
            self.tell(event="left", task=name, exit_code=code, oom=container.attrs["State"]["OOMKilled"])
            return code
        finally:
            container.remove(force=True)

    def have_image(self, client: Any, image: str) -> None:
        """A pod whose image cannot be had waits for it until somebody ends the run."""
        try:
            client.images.get(image)
        except docker.errors.ImageNotFound:
            try:
                if not self.told["pull"]:
                    raise
                client.images.pull(image)
            except docker.errors.APIError:
                message = f'ImagePullBackOff: Back-off pulling image "{image}"'
                self.tell(event="waiting", task=self.current.name, message=message)
                threading.Event().wait()


def limits(resources: Any) -> dict[str, Any]:
    """A container's memory is limited as the document says, without swap, as Kubernetes has none; nothing else is."""
    size = int(resources.memory_limit * 10**9)
    if text := resources.resource_memory_limit:
        from kubernetes.utils.quantity import parse_quantity

        size = int(parse_quantity(text))
    return {"mem_limit": size, "memswap_limit": size} if size else {}


if __name__ == "__main__":
    main()

"""Run by the Python that has Kubeflow's SDK: carry a document out by Kubeflow's own local runner on the Docker Engine.

Standard input is JSON: {"document": file, "root": folder, "arguments": …, "docker": arguments of `docker run`}. It ends
with 0 when Kubeflow says that the run has succeeded. CPU, memory and accelerators are not looked at by that runner.
"""

from __future__ import annotations

import json
import sys
import tempfile
from typing import Any

from kfp import components, local
from kfp.local import docker_task_handler


def run_and_wait(client: Any, image: str, command: list[str], volumes: Any, **more: Any) -> int:
    """In place of the SDK's own, which takes a container that is gone already for one that has succeeded."""
    container = client.containers.run(image, command, detach=True, volumes=volumes, labels={"runner/test": "1"}, **more)
    try:
        code: int = container.wait()["StatusCode"]
        print(container.logs().decode(), end="")
        return code
    finally:
        container.remove(force=True)


told = json.load(sys.stdin)
docker_task_handler.run_docker_container = run_and_wait
with tempfile.TemporaryDirectory(prefix="kfp-workspace-") as workspace:
    local.init(runner=local.DockerRunner(**told["docker"]), pipeline_root=told["root"], workspace_root=workspace)
    components.load_component_from_file(told["document"])(**told["arguments"])

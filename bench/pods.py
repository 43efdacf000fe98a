"""A place to time pods in: a namespace of a real cluster, an S3 that its pods reach, a kubeconfig that leads there."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from measure import Contestant, Failed, once
from ruamel.yaml import YAML

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "engines"))

BARE = str(Path(__file__).resolve().parent / "bare_pods.py")
LOGIN = {"S3_ID": "bench-id", "S3_KEY": "bench-key"}


class Place(NamedTuple):
    """`environment` leads the client there; `stack` are the fields of a stack's file."""

    environment: Mapping[str, str]
    stack: Mapping[str, object]

    def run(self, project: Path, max_parallel: int) -> Contestant:
        """`runner run` of this project there, to its end."""
        path = project / f"stack-pods-{max_parallel}.yaml"
        orchestrator = {**self.stack["orchestrator"], "max_parallel": max_parallel}  # type: ignore[dict-item]
        path.write_text(json.dumps({**self.stack, "orchestrator": orchestrator}))
        runner = str(Path(sys.executable).parent / "runner")
        command = [runner, "run", "pipeline.yaml", "--stack", str(path), "--no-cache"]
        return Contestant(command, project, environment=self.environment)

    def bare(self, image: str, count: int, how: str, folder: Path) -> Contestant:
        """As many pods of this image that do nothing."""
        return Contestant([sys.executable, BARE, image, str(count), how], folder, environment=self.environment)


@contextlib.contextmanager
def place(folder: Path) -> Iterator[Place]:
    """Made, and taken away. Raises Failed when no cluster answers."""
    import kube
    from object_stores import serve

    if not kube.answers():
        raise Failed("no cluster answers: make engines")
    cluster, name = kube.the_cluster(), f"runner-bench-{uuid.uuid4().hex[:8]}"
    objects = cluster.connect(name)
    objects.create("namespaces", {"metadata": {"name": name}})
    try:
        kube.until(lambda: objects.get("serviceaccounts", "default"))
        objects.create("secrets", {"metadata": {"name": "bench"}, "stringData": LOGIN})
        for port in serve("s3", cluster.host):
            endpoint = f"http://{cluster.host}:{port}"
            with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/bucket", method="PUT")):
                environment = {"KUBECONFIG": str(_kubeconfig(cluster.kubeconfig, name, folder))}
                environment |= {f"RUNNER_SECRET_{key}": value for key, value in LOGIN.items()}
            yield Place({**os.environ, **environment}, _stack(cluster.context, name, endpoint))
    finally:
        objects.delete("namespaces", name)
        objects.close()


def _stack(context: str, namespace: str, endpoint: str) -> dict[str, object]:
    store = {"flavor": "s3", "path": "s3://bucket/bench", "endpoint_url": endpoint, "region": "us-east-1"}
    login = {"access_key_id": "${secrets.S3_ID}", "secret_access_key": "${secrets.S3_KEY}"}
    where = {"kubernetes_context": context, "kubernetes_namespace": namespace}
    return {
        "kind": "stack",
        "name": "pods",
        "orchestrator": {"flavor": "kubernetes", **where},
        "artifact_store": {**store, **login},
        "secret_store": {"flavor": "kubernetes", "secret": "bench"},
    }


def _kubeconfig(given: str, namespace: str, folder: Path) -> Path:
    """The same one, whose current context is in this namespace."""
    yaml = YAML()
    config = yaml.load(Path(given))
    for each in config["contexts"]:
        each["context"]["namespace"] = namespace
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "kubeconfig"
    with path.open("w") as file:
        yaml.dump(config, file)
    path.chmod(0o600)
    return path


def image_of(run: Contestant) -> str:
    """The image of the first step of a project that is run by kubernetes; it has been made."""
    told = once(
        Contestant(
            [run.command[0], "build", *run.command[2:-1], "--format", "json"], run.folder, environment=run.environment
        )
    )
    return next(each["image"] for each in json.loads(told.output) if "s0" in each["steps"])

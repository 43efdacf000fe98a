"""What `compile` gives, as golden files, and what the Docker SDK makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from docker.models.containers import _create_container_args
from docker.types import DeviceRequest

from runner.orchestrators.flavors.local_docker.orchestrator import LocalDockerOrchestrator
from runner.orchestrators.flavors.local_docker.settings import LocalDockerSettings
from runner.orchestrators.flavors.local_docker.translate import mounted, out_of_reach
from runner.plan.deployment import DeployedStep, Deployment

GOLDEN = Path(__file__).parents[3] / "golden" / "local_docker"
S3 = {"flavor": "s3", "path": "s3://b/p", "endpoint_url": "http://localhost:9000"}
STEPS = {
    "plain": ({}, {}),
    "all": (
        {
            "resources": {"cpu_count": 1.5, "memory": 2 * 1024**3, "gpu_count": 1, "shm": 64 * 1024**2},
            "environment": {"MODE": "dry", "TOKEN": "${secrets.TOKEN}"},
            "parameters": {"key": "${secrets.API_KEY}"},
            "settings": {"run_args": {"cap_add": ["SYS_PTRACE"], "labels": {"team": "ml"}, "environment": ["A=b"]}},
        },
        {"network": "ml", "run_args": {"read_only": True, "volumes": {"/data": {"bind": "/data", "mode": "ro"}}}},
    ),
    "bucket": ({}, {"network": "host", "run_args": {"privileged": True}}),
}


def compiled(name: str) -> dict[str, Any]:
    fields, settings = STEPS[name]
    step = DeployedStep("fit", "m:f", container={"image": "runner-step:1234", "code": None}, **fields)
    store = S3 if name == "bucket" else {"flavor": "local", "path": "/home/me/project/.runner/artifacts"}
    deployment = Deployment("20270131-094500-3f9a1c", "train", "s", "local_docker", {"fit": step}, store, "/home/me")
    orchestrator = LocalDockerOrchestrator(LocalDockerSettings(**settings))
    return dict(orchestrator.compile(deployment).documents["containers.json"])


@pytest.mark.parametrize("name", STEPS)
def test_golden(name: str, request: pytest.FixtureRequest) -> None:
    text = json.dumps(compiled(name), indent=2) + "\n"
    path = GOLDEN / f"{name}.json"
    if request.config.getoption("--golden"):
        path.write_text(text)
    assert text == path.read_text()


@pytest.mark.parametrize("name", STEPS)
def test_the_sdk_takes_it(name: str) -> None:
    given = compiled(name)["fit"]
    given["device_requests"] = [DeviceRequest(**each) for each in given.pop("device_requests", [])]
    taken = _create_container_args({**given, "version": "1.41"})
    limits = {key: taken["host_config"].get(key) for key in ("NanoCpus", "Memory", "MemorySwap", "ShmSize")}
    if name == "all":
        assert limits == {"NanoCpus": 1_500_000_000, "Memory": 2**31, "MemorySwap": 2**31, "ShmSize": 2**26}
        assert taken["host_config"]["DeviceRequests"][0]["Capabilities"] == [["gpu"]]


def deployment(**fields: Any) -> Deployment:
    return Deployment("r", "p", "s", "local_docker", {}, fields.pop("artifact_store"), "/home/me", **fields)


def test_a_store_in_a_bucket_needs_no_folder() -> None:
    assert mounted(deployment(artifact_store=S3)) == {}


def test_a_file_of_secrets_is_mounted_to_be_read() -> None:
    found = deployment(artifact_store=S3, secret_store={"flavor": "file", "path": "secrets.env"})
    assert mounted(found) == {"/home/me/secrets.env": "ro"}


@pytest.mark.parametrize(
    ("network", "run_args", "refused"),
    [(None, {}, 1), ("ml", {}, 1), ("host", {}, 0), (None, {"network_mode": "host"}, 0)],
)
def test_a_loopback_address_is_reached_over_the_hosts_network_only(network: Any, run_args: Any, refused: int) -> None:
    found = [refusal.path for refusal in out_of_reach({"artifact_store": S3}, network, run_args)]
    assert found == [("artifact_store", "endpoint_url")] * refused

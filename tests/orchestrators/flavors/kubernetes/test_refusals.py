"""What cannot be told to a cluster, and what is told twice."""

from __future__ import annotations

from typing import Any

import pytest

from runner.orchestrators.flavors.kubernetes.refusals import of_secrets, of_steps
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings
from runner.plan.deployment import DeployedStep

SETTINGS = KubernetesSettings(kubernetes_context="c")
CONTAINER: dict[str, Any] = {"resources": {"limits": {"cpu": 1}, "requests": {"memory": "1Gi"}}}


@pytest.mark.parametrize(
    ("step", "path", "code"),
    [
        ({"resources": {"memory": 2**63}}, ("resources", "memory"), "cannot-honour"),
        ({"resources": {"memory": 2**63 - 1, "shm": 1}}, ("resources", "memory"), "cannot-honour"),
        ({"resources": {"gpu_count": 1, "gpu_type": "A 100"}}, ("resources", "gpu_type"), "bad-label"),
        ({"timeout": 2.0**31}, ("timeout",), "cannot-honour"),
        (
            {"resources": {"cpu_count": 1}, "settings": {"pod": {"containers": [CONTAINER]}}},
            ("resources", "cpu_count"),
            "said-twice",
        ),
        (
            {"resources": {"shm": 1}, "settings": {"pod": {"volumes": [{"name": "runner-shm"}]}}},
            ("resources", "shm"),
            "said-twice",
        ),
        (
            {"environment": {"A": "1"}, "settings": {"pod": {"containers": [{"env": [{"name": "A"}]}]}}},
            ("environment", "A"),
            "said-twice",
        ),
        (
            {
                "resources": {"gpu_count": 1, "gpu_type": "T4"},
                "settings": {"node_selectors": {"nvidia.com/gpu.product": "A100"}},
            },
            ("resources", "gpu_type"),
            "said-twice",
        ),
    ],
)
def test_it_is_refused_at_its_place(step: dict[str, Any], path: tuple[str, ...], code: str) -> None:
    (refusal,) = of_steps([DeployedStep("a", "m:f", **step)], SETTINGS)
    assert (refusal.path, refusal.code) == (("steps", "a", *path), code)
    assert refusal.help


def test_what_can_be_told_is_not_refused() -> None:
    resources = {"cpu_count": 0.1, "memory": 1, "gpu_count": 1, "gpu_type": "T4", "disk": 1, "shm": 1}
    step = DeployedStep("a", "m:f", resources=resources, timeout=86400.0, environment={"A": "1"})
    assert list(of_steps([step], SETTINGS)) == []


@pytest.mark.parametrize(("flavor", "word"), [(None, "'env'"), ("env", "'env'"), ("file", "'file'")])
def test_secrets_of_this_machine_reach_no_pod(flavor: str | None, word: str) -> None:
    step = DeployedStep("a", "m:f", parameters={"x": ["${secrets.A}"]}, environment={"B": "1"})
    components = {"secret_store": {"flavor": flavor} if flavor else {}}
    (refusal,) = of_secrets([step], components, "ml")
    assert refusal.path == ("steps", "a", "parameters", "x") and word in refusal.message
    assert "secret_store: {flavor: kubernetes, secret: NAME}" in (refusal.help or "")


def test_without_secrets_any_store_will_do() -> None:
    assert list(of_secrets([DeployedStep("a", "m:f")], {"secret_store": {"flavor": "file"}}, "ml")) == []


def test_a_login_of_the_artifact_store_is_a_secret_of_each_pod() -> None:
    store = {"flavor": "s3", "secret_access_key": "${secrets.KEY}"}
    (refusal,) = of_secrets([], {"artifact_store": store}, "ml")
    assert refusal.path == ("artifact_store", "secret_access_key")


def test_a_secret_is_in_the_pods_own_namespace() -> None:
    store = {"flavor": "kubernetes", "secret": "s", "namespace": "other"}
    (refusal,) = of_secrets([], {"secret_store": store}, "ml")
    assert refusal.path == ("secret_store", "namespace")
    assert list(of_secrets([], {"secret_store": {**store, "namespace": "ml"}}, "ml")) == []

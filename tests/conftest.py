"""What all tests share: the option that writes expected texts anew, quiet hypothesis, object stores, real engines."""

from __future__ import annotations

import signal

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = [
    "object_stores",
    "kube",
    "real_engines",
    "token_registry",
    "worker_image",
    "docker_bench",
    "pod_bench",
    "podman_service",
    "kubeflow_service",
    "vertex_service",
]  # from tests/engines

settings.register_profile("runner", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("runner")


# A command that was started in the background, or by nohup, hands on that these are ignored; tests send them.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--golden", action="store_true", help="write the expected texts anew instead of comparing with them"
    )

"""What is told of a cluster before its SDK is there; the rest needs a real cluster."""

from __future__ import annotations

import importlib.metadata

import pytest

from runner.orchestrators.cluster import cluster_checks


def test_without_its_sdk_nothing_more_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    (check,) = cluster_checks("kubeflow", "a-context", "ml")
    assert not check.ok and check.help == "install it: runner integrations install kubeflow"

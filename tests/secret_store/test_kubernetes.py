"""Secrets of a pod, as the variables that the kubernetes flavor sets."""

from __future__ import annotations

import pytest

from runner.secret_store.base import SecretMissing, SecretStoreError
from runner.secret_store.kubernetes import KubernetesSecretStore

STORE = KubernetesSecretStore({"secret": "ml"})


def test_a_secret_is_the_variable_of_the_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNNER_SECRET_TOKEN", "hush")
    assert STORE.get("TOKEN") == "hush"


def test_outside_a_pod_it_says_where_it_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(SecretStoreError, match="whose secrets reach pods only") as caught:
        STORE.get("TOKEN")
    assert "on an orchestrator of flavor 'kubernetes'" in (caught.value.help or "")


def test_in_a_pod_a_missing_one_names_secret_and_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(
        SecretMissing, match="no variable RUNNER_SECRET_TOKEN, which comes from the Secret 'ml'"
    ) as caught:
        STORE.get("TOKEN")
    assert caught.value.help == "give the Secret 'ml' a key 'TOKEN'"

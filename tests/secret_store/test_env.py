"""Secrets as environment variables."""

from __future__ import annotations

import pytest

from runner.secret_store.base import SecretMissing
from runner.secret_store.env import EnvSecretStore


def test_a_secret_is_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hush hush")
    assert EnvSecretStore({}).get("TOKEN") == "hush hush"


def test_a_prefix_stands_before_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ML_TOKEN", "hush")
    assert EnvSecretStore({"prefix": "ML_"}).get("TOKEN") == "hush"


def test_a_missing_one_names_the_variable_to_set() -> None:
    with pytest.raises(SecretMissing) as caught:
        EnvSecretStore({"prefix": "ML_"}).get("NO_SUCH")
    assert caught.value.message == (
        "secret 'NO_SUCH' is not set: the secret store is the environment, which has no variable ML_NO_SUCH"
    )
    assert caught.value.help == "set it before the command: ML_NO_SUCH=…"

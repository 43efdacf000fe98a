"""The way to a cluster from inside of it, by files as a pod has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.errors import EngineError
from runner.orchestrators import in_cluster
from runner.orchestrators.in_cluster import InCluster

INSIDE = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def account(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "ca.crt").write_text("")
    return tmp_path


def test_the_address_and_the_login_of_a_pod(account: Path) -> None:
    found = InCluster(INSIDE, account)
    assert found.configuration.host == "https://10.96.0.1:443"
    assert found.auth_settings()["BearerToken"] == {"key": "authorization", "value": "Bearer first"}
    assert InCluster({"KUBERNETES_SERVICE_HOST": "fd00::1"}, account).host == "https://[fd00::1]:443"


def test_a_token_that_was_replaced_is_read_again(account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = InCluster(INSIDE, account)
    found.auth_settings()
    (account / "token").write_text("second\n")
    assert found.auth_settings()["BearerToken"]["value"] == "Bearer first"
    monkeypatch.setattr(in_cluster, "AGAIN", -1.0)
    assert found.auth_settings()["BearerToken"]["value"] == "Bearer second"


def test_outside_of_a_cluster(account: Path, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="KUBERNETES_SERVICE_HOST is not set"):
        InCluster({}, account)
    with pytest.raises(EngineError, match="there is no token"):
        InCluster(INSIDE, tmp_path / "none")

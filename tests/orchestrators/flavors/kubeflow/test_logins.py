"""Logging in by name and password, as Kubeflow's distributions ask for it: on a double of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kubeflow_service import KubeflowService

from runner.errors import EngineError
from runner.orchestrators.base import Silent
from runner.orchestrators.flavors.kubeflow.logins import log_in
from runner.orchestrators.flavors.kubeflow.service import Service

ADA = {"user": "ada@example.com", "password": "correct horse"}
OURS = {"username": "ada@example.com", "password": "${secrets.PASSWORD}"}
FORMS = ("authservice", "oauth2-proxy")


@pytest.mark.parametrize("form", FORMS)
def test_the_form_is_filled_in(kubeflow_service: KubeflowService, to: Callable[..., Service], form: str) -> None:
    kubeflow_service.require(**ADA, form=form)
    assert to(**OURS).runs("x") == []


@pytest.mark.parametrize("form", FORMS)
def test_a_wrong_password_is_said_to_be(
    kubeflow_service: KubeflowService, to: Callable[..., Service], form: str
) -> None:
    kubeflow_service.require(**ADA, form=form)
    with pytest.raises(EngineError, match=r"does not take the password of 'ada@example\.com'") as caught:
        to(username="ada@example.com", password="${secrets.WRONG}")
    assert "battery" not in caught.value.message


def test_http_asks_for_a_password_itself(kubeflow_service: KubeflowService, to: Callable[..., Service]) -> None:
    kubeflow_service.require(**ADA)
    assert to(**OURS).runs("x") == []
    with pytest.raises(EngineError, match="does not take the password"):
        to(username="ada@example.com", password="${secrets.WRONG}")


def test_where_nobody_asks_nothing_is_sent(kubeflow_service: KubeflowService) -> None:
    assert log_in(kubeflow_service.url, "ada@example.com", "correct horse") == {}


def test_a_way_that_is_not_known_is_said_to_be(kubeflow_service: KubeflowService) -> None:
    page = {"status": 200, "text": "<html>Log in with your badge</html>"}
    kubeflow_service.fail_next("GET", "/oauth2/start", **page)
    kubeflow_service.fail_next("GET", "/apis/v2beta1/healthz", status=403)
    with pytest.raises(EngineError, match="asks for no name and password") as caught:
        log_in(kubeflow_service.url, "ada@example.com", "correct horse")
    assert "set `token`" in (caught.value.help or "")


def test_nobody_at_an_address_is_silence() -> None:
    with pytest.raises(Silent, match=r"127\.0\.0\.1:1/apis/v2beta1/healthz cannot be reached: Connection refused"):
        log_in("http://127.0.0.1:1", "ada@example.com", "correct horse")

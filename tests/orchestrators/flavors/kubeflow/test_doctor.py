"""What `runner doctor` says of Kubeflow, on a double of it."""

from __future__ import annotations

from kubeflow_service import KubeflowService

from runner.checks import Check
from runner.orchestrators.flavors.kubeflow.doctor import checks
from runner.orchestrators.flavors.kubeflow.settings import KubeflowSettings

TOKEN = {"token": "${secrets.TOKEN}"}


def tried(url: str, **settings: str) -> list[Check]:
    return list(checks(KubeflowSettings(kubeflow_hostname=url, **settings), {"TOKEN": "a-token"}.__getitem__))


def test_what_answers_is_told_with_what_it_is(kubeflow_service: KubeflowService) -> None:
    kubeflow_service.configure(multi_user=True)
    sdk, kubeflow, runs = tried(kubeflow_service.url, user_namespace="ml-team")
    assert sdk.ok and kubeflow.ok and kubeflow.told == f"{kubeflow_service.url} answers for several users"
    assert runs == Check("runs", True, "runs in the namespace 'ml-team' can be looked at")


def test_a_login_that_is_missing(kubeflow_service: KubeflowService) -> None:
    kubeflow_service.require(token="a-token")
    assert all(check.ok for check in tried(kubeflow_service.url, **TOKEN))
    _, bad = tried(kubeflow_service.url)
    assert not bad.ok and "does not know who asks (401)" in bad.told and "`token`" in (bad.help or "")


def test_runs_that_may_not_be_looked_at(kubeflow_service: KubeflowService) -> None:
    kubeflow_service.fail_next("GET", "/apis/v2beta1/runs", status=403)
    *_, kubeflow, runs = tried(kubeflow_service.url)
    assert kubeflow.ok and not runs.ok and "(403)" in runs.told


def test_nobody_at_the_address() -> None:
    _, bad = tried("http://127.0.0.1:1")
    assert not bad.ok and bad.told.endswith("cannot be reached: Connection refused")

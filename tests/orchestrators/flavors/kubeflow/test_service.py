"""Kubeflow's API asked, on a double of it: what it answers, and what it says instead of an answer."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kubeflow_service import KubeflowService

from runner.errors import EngineError
from runner.orchestrators.base import Silent
from runner.orchestrators.flavors.kubeflow.service import Refused, Service, connect
from runner.orchestrators.flavors.kubeflow.settings import KubeflowSettings

RUNS, EXPERIMENTS = "/apis/v2beta1/runs", "/apis/v2beta1/experiments"


def refused(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        call()
    return caught.value.message, caught.value.help or ""


def test_an_experiment_is_made_when_it_is_missing_and_then_found(service: Service) -> None:
    made = service.experiment("digits")
    assert service.experiment("digits") == made != service.experiment("letters")


def test_an_experiment_that_somebody_has_just_made_is_taken(
    service: Service, kubeflow_service: KubeflowService
) -> None:
    kubeflow_service.fail_next("POST", EXPERIMENTS, status=409, late=True)
    assert service.experiment("digits") == service.experiment("digits")


def test_what_is_not_there_is_none(service: Service) -> None:
    assert service.run("no-such-run") is None


def test_one_namespace_of_several_is_the_users(kubeflow_service: KubeflowService, to: Callable[..., Service]) -> None:
    kubeflow_service.configure(multi_user=True)
    ours, theirs = to(user_namespace="ml-team"), to(user_namespace="others")
    assert ours.experiment("digits") != theirs.experiment("digits")
    message, help = refused(lambda: to().experiment("digits"))
    assert "namespace" in message.lower() and "user_namespace" in help


@pytest.mark.parametrize("status", [503, 429, 502])
def test_what_passes_is_asked_again(service: Service, kubeflow_service: KubeflowService, status: int) -> None:
    kubeflow_service.fail_next("GET", RUNS, status=status, times=2)
    assert service.runs("x") == []


def test_a_connection_that_is_cut_is_made_again(service: Service, kubeflow_service: KubeflowService) -> None:
    kubeflow_service.fail_next("GET", RUNS, cut=True)
    assert service.runs("x") == []


def test_who_stays_silent_is_said_to(service: Service, kubeflow_service: KubeflowService) -> None:
    kubeflow_service.fail_next("GET", RUNS, status=503, times=9)
    with pytest.raises(Silent, match="Kubeflow answers 503") as caught:
        service.runs("x")
    assert "can it be reached from here" in (caught.value.help or "")


def test_nobody_at_an_address_is_silence() -> None:
    nobody = connect(KubeflowSettings(kubeflow_hostname="http://127.0.0.1:1"), str)
    with pytest.raises(Silent, match=r"http://127\.0\.0\.1:1 cannot be reached: Connection refused"):
        nobody.health()


def test_a_token_that_is_not_known(kubeflow_service: KubeflowService, to: Callable[..., Service]) -> None:
    kubeflow_service.require(token="a-token")
    assert to(token="${secrets.TOKEN}").runs("x") == []
    message, help = refused(lambda: to(token="${secrets.WRONG}").runs("x"))
    assert "does not know who asks (401)" in message and "may have run out" in help


def test_what_is_not_allowed_names_the_namespace(kubeflow_service: KubeflowService, to: Callable[..., Service]) -> None:
    kubeflow_service.fail_next("GET", RUNS, status=403)
    message, help = refused(lambda: to(user_namespace="ml-team").run("r"))
    assert "does not allow that in the namespace 'ml-team' (403)" in message and "rights" in help


def test_an_address_without_such_an_api(kubeflow_service: KubeflowService) -> None:
    beside = connect(KubeflowSettings(kubeflow_hostname=f"{kubeflow_service.url}/elsewhere"), str)
    message, help = refused(beside.health)
    assert "/elsewhere" in message and "before /apis/v2beta1" in help


def test_a_page_in_place_of_an_answer(service: Service, kubeflow_service: KubeflowService) -> None:
    page = {"text": "<html>Log in</html>", "headers": {"Content-Type": "text/html"}}
    kubeflow_service.fail_next("GET", RUNS, status=200, **page)
    message, _ = refused(lambda: service.runs("x"))
    assert "not as Kubeflow Pipelines' API does" in message


def test_a_refusal_is_in_kubeflows_own_words(service: Service) -> None:
    spec = {"pipelineInfo": {"name": "Not A Name"}, "schemaVersion": "2.1.0"}
    message, _ = refused(lambda: service.create({"display_name": "x", "pipeline_spec": spec}))
    assert message.startswith("Kubeflow refuses it (500): ") and message.endswith("pipeline spec is invalid")


def test_a_certificate_that_is_not_there_is_named() -> None:
    settings = KubeflowSettings(kubeflow_hostname="https://kubeflow.example.com", ca_certificate="certs/none.pem")
    with pytest.raises(EngineError, match=r"ca_certificate 'certs/none\.pem' is no file, seen from '"):
        connect(settings, str)


def test_an_address_that_speaks_no_tls_says_so(kubeflow_service: KubeflowService) -> None:
    settings = KubeflowSettings(kubeflow_hostname=kubeflow_service.url.replace("http:", "https:"))
    with pytest.raises(Silent, match="speaks no TLS there"):
        connect(settings, str).health()


def test_a_context_that_the_kubeconfig_does_not_have(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none")
    with pytest.raises(EngineError, match="no way to the cluster of context 'nowhere'") as caught:
        connect(KubeflowSettings(kubernetes_context="nowhere"), str)
    assert "kubectl config get-contexts" in (caught.value.help or "")

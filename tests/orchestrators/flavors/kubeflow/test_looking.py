"""Looks at a run in a double of Kubeflow: what each costs, and what is found out by it."""

from __future__ import annotations

from typing import Any

import pytest
from kubeflow_service import KubeflowService

from runner.orchestrators.flavors.kubeflow.looking import Look
from runner.orchestrators.flavors.kubeflow.service import Service
from runner.orchestrators.flavors.kubeflow.settings import KubeflowSettings
from runner.orchestrators.flavors.kubeflow.submitting import body
from runner.plan.deployment import Deployment

SETTINGS = KubeflowSettings(kubeflow_hostname="https://kubeflow.example.com")


@pytest.fixture
def look(service: Service, deployment: Deployment, documents: dict[str, Any]) -> Look:
    """At a run that has just been given to it."""
    run = service.create(body(deployment, documents, SETTINGS, 1))
    return Look(service, run["run_id"])


def asked(kubeflow_service: KubeflowService) -> list[str]:
    """What was asked for at the last look, without ids."""
    return [each.rpartition("/")[0] for each in kubeflow_service.requests() if each.startswith("GET")]


def test_a_look_at_a_run_that_goes_well_is_one_request(
    kubeflow_service: KubeflowService, service: Service, deployment: Deployment, documents: dict[str, Any]
) -> None:
    kubeflow_service.configure(hold=True)
    look = Look(service, service.create(body(deployment, documents, SETTINGS, 1))["run_id"])
    for _ in range(3):
        assert look().status == "running"
    assert asked(kubeflow_service) == ["GET /apis/v2beta1/runs"] * 3


@pytest.mark.engine("docker")
def test_an_image_that_is_nowhere_is_waited_for_in_kubernetes_own_words(
    look: Look, kubeflow_service: KubeflowService
) -> None:
    kubeflow_service.wait(look.kubeflows_id, lambda run: "executor" in str(run.get("run_details")))
    found = look()
    assert (found.status, found.steps["a"].status) == ("running", "running")
    assert "ImagePullBackOff" in found.steps["a"].message
    assert (look(), asked(kubeflow_service).count("GET /apis/v1beta1/runs")) == (found, 1)


@pytest.mark.engine("docker")
def test_without_the_older_api_it_is_told_without_words(look: Look, kubeflow_service: KubeflowService) -> None:
    kubeflow_service.fail_next("GET", "/apis/v1beta1/runs", status=404)
    kubeflow_service.wait(look.kubeflows_id, lambda run: "executor" in str(run.get("run_details")))
    assert look().steps["a"].message == ""


def test_a_run_that_was_deleted_has_failed(service: Service) -> None:
    assert "deleted there" in Look(service, "no-such-run")().message

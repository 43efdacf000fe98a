"""A run that is given to Kubeflow is there once, on a double of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kubeflow_service import KubeflowService

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.stores import open_store
from runner.errors import EngineError
from runner.orchestrators.flavors.kubeflow import submitting as module
from runner.orchestrators.flavors.kubeflow.service import Service
from runner.orchestrators.flavors.kubeflow.settings import KubeflowSettings
from runner.orchestrators.flavors.kubeflow.submitting import body, last_of, submit
from runner.plan.deployment import Deployment

SETTINGS = KubeflowSettings(kubeflow_hostname="https://kubeflow.example.com")
RUNS = "/apis/v2beta1/runs"


@pytest.fixture(autouse=True)
def held(kubeflow_service: KubeflowService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs stay pending, and nobody waits for long."""
    kubeflow_service.configure(hold=True)
    for name in ("WAIT", "LOOK", "WINDS_DOWN"):
        monkeypatch.setattr(module, name, 0.01)


class Given:
    """What is submitted, and to whom."""

    def __init__(self, service: Service, deployment: Deployment, documents: dict[str, Any], folder: Path) -> None:
        self.service, self.deployment, self.documents = service, deployment, documents
        self.ledger = Ledger(open_store({"flavor": "local", "path": str(folder)}))

    def submit(self, *, again: bool = False, **settings: Any) -> str:
        set_so = SETTINGS.model_copy(update=settings)
        return submit(self.service, self.ledger, self.deployment, self.documents, set_so, again=again)


@pytest.fixture
def given(service: Service, deployment: Deployment, documents: dict[str, Any], tmp_path: Path) -> Given:
    return Given(service, deployment, documents, tmp_path / "here")


def test_a_run_has_its_name_its_parameters_and_its_experiment(given: Given, kubeflow_service: KubeflowService) -> None:
    kubeflows_id = given.submit(service_account_name="trainer")
    (run,) = kubeflow_service.runs()
    assert (run["run_id"], run["display_name"]) == (kubeflows_id, "train 20270131-094500-3f9a1c")
    assert run["runtime_config"]["parameters"] == {"run_id": "20270131-094500-3f9a1c"}
    assert run["service_account"] == "trainer" and run["experiment_id"] == given.service.experiment("train")


def test_a_run_belongs_to_the_experiment_that_the_stack_names(given: Given, kubeflow_service: KubeflowService) -> None:
    given.submit(experiment="digits")
    (run,) = kubeflow_service.runs()
    assert run["experiment_id"] == given.service.experiment("digits")


def test_submitted_twice_it_is_one_run(given: Given, kubeflow_service: KubeflowService) -> None:
    assert given.submit() == given.submit()
    assert len(kubeflow_service.runs()) == 1


def test_a_run_of_the_same_id_in_another_store_is_another_run(given: Given, tmp_path: Path) -> None:
    first = given.submit()
    given.deployment = given.deployment._replace(artifact_store={"flavor": "s3", "path": "s3://bucket/other"})
    given.ledger = Ledger(open_store({"flavor": "local", "path": str(tmp_path / "other")}))
    assert given.submit() != first


@pytest.mark.parametrize("fault", [{"status": 503}, {"cut": True}])
@pytest.mark.parametrize("late", [True, False])
def test_an_answer_that_was_lost_makes_no_second_run(
    given: Given, kubeflow_service: KubeflowService, fault: dict[str, Any], late: bool
) -> None:
    kubeflow_service.fail_next("POST", RUNS, **fault, late=late)
    kubeflows_id = given.submit()
    assert [run["run_id"] for run in kubeflow_service.runs()] == [kubeflows_id]


def test_of_two_that_ask_at_one_moment_one_is_the_run(
    given: Given, kubeflow_service: KubeflowService, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = given.submit()
    monkeypatch.setattr(given.ledger, "claims", lambda run_id: [])  # when the other one looked, there was none
    monkeypatch.setattr(given.service, "runs", lambda part_of_name: [])
    assert given.submit() == first
    states = {run["run_id"]: run["state"] for run in kubeflow_service.runs()}
    assert len(states) == 2 and [each for each in states if states[each] == "PENDING"] == [first]


def test_a_run_whose_starter_came_no_further_is_taken_over(given: Given, kubeflow_service: KubeflowService) -> None:
    first = given.submit()
    given.ledger.delete_run(given.deployment.run_id)
    assert given.submit() == first == given.ledger.claims(given.deployment.run_id)[0]["run"]


def test_a_run_that_is_gone_on_with_is_another_one_of_kubeflows(
    given: Given, kubeflow_service: KubeflowService
) -> None:
    first = given.submit()
    given.service.terminate(first)
    second = given.submit(again=True)
    assert [each["run"] for each in given.ledger.claims(given.deployment.run_id)] == [first, second]
    names = {run["run_id"]: run["display_name"] for run in kubeflow_service.runs()}
    assert names[second] == "train 20270131-094500-3f9a1c (2)" and first != second


def test_a_run_that_is_still_going_is_not_gone_on_with(given: Given) -> None:
    given.submit()
    with pytest.raises(EngineError, match="still going in Kubeflow, as 'train 20270131-094500-3f9a1c'") as caught:
        given.submit(again=True)
    assert caught.value.help == "stop it first: runner runs cancel 20270131-094500-3f9a1c"


def test_what_carries_a_run_is_known_without_a_handle(given: Given) -> None:
    assert last_of(given.service, given.ledger, given.deployment) == ""
    first = given.submit()
    assert last_of(given.service, given.ledger, given.deployment) == first
    given.ledger.delete_run(given.deployment.run_id)
    assert last_of(given.service, given.ledger, given.deployment) == first


def test_what_kubeflow_does_not_take_is_an_error_with_its_own_words(given: Given) -> None:
    given.documents["pipeline.yaml"][0]["schemaVersion"] = "9.9"
    given.documents["pipeline.yaml"][0]["root"]["no_such_field"] = 1
    with pytest.raises(EngineError, match="no_such_field"):
        given.submit()


def test_what_kubernetes_alone_understands_goes_along(deployment: Deployment, documents: dict[str, Any]) -> None:
    made = body(deployment, documents, SETTINGS, 1)
    assert set(made["pipeline_spec"]) == {"pipeline_spec", "platform_spec"}
    assert made["pipeline_spec"]["pipeline_spec"]["schemaVersion"] == "2.1.0"
    alone = body(deployment, {"pipeline.yaml": {"root": {}}}, SETTINGS, 2)
    assert (alone["pipeline_spec"], alone["display_name"][-4:]) == ({"root": {}}, " (2)")

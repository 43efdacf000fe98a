"""The airflow flavor's declarations: what it can do depends on its operator."""

from __future__ import annotations

import pytest

from runner.orchestrators.base import Support
from runner.orchestrators.flavors.airflow import AirflowOrchestrator, AirflowSettings
from runner.plan.deployment import DeployedStep

NODES = {"node_selectors": {"pool": "gpu"}, "tolerations": []}


def refused(operator: str, step: DeployedStep) -> list[tuple[str, ...]]:
    settings = AirflowSettings(dag_output_dir="/dags", operator=operator)  # type: ignore[arg-type]
    return [refusal.path[2:] for refusal in AirflowOrchestrator(settings).refusals([step], "/")]


@pytest.mark.parametrize(
    ("operator", "cpu", "memory", "disk"),
    [
        ("docker", "native", "native", "no"),
        ("kubernetes_pod", "native", "native", "native"),
        ("bash", "no", "worker", "no"),
    ],
)
def test_capabilities_depend_on_the_operator(operator: str, cpu: str, memory: str, disk: str) -> None:
    can = AirflowOrchestrator.capabilities_of(AirflowSettings(dag_output_dir="/", operator=operator))  # type: ignore[arg-type]
    assert (can.cpu, can.memory, can.disk) == (Support(cpu), Support(memory), Support(disk))


def test_a_process_of_the_worker_has_no_image() -> None:
    step = DeployedStep("a", "s:f", image={"apt": ["git"], "requirements_digest": "x"})
    assert refused("bash", step) == [("settings", "image", "apt")]
    assert refused("docker", step) == []


def test_nodes_are_chosen_for_pods_only() -> None:
    step = DeployedStep("a", "s:f", settings=NODES)
    assert refused("docker", step) == [("settings", "airflow", "node_selectors")]
    assert refused("kubernetes_pod", step) == []


def test_accelerators_by_type_are_for_pods() -> None:
    step = DeployedStep("a", "s:f", resources={"gpu_type": "t4"})
    assert refused("docker", step) == [("resources", "gpu_type")]
    assert refused("kubernetes_pod", step) == []


def test_a_field_of_another_operator_is_refused_at_its_line(told) -> None:
    found = told(AirflowSettings, "dag_output_dir: /dags\noperator: bash\ndocker_network: ml")
    help = "remove it, or take operator: docker"
    assert found == [(3, "of-another-operator", "'docker_network' says nothing to operator 'bash'", help)]


def test_a_user_needs_a_password(told) -> None:
    assert told(AirflowSettings, "dag_output_dir: /dags\nusername: u")[0][:2] == (2, "missing-key")


def test_the_folder_of_dags_is_needed(told) -> None:
    ((_, code, message, help),) = told(AirflowSettings, "operator: bash")
    assert (code, message) == ("missing-key", "the document has no 'dag_output_dir'")
    assert help == "add 'dag_output_dir': the folder that DAG files are written to: one that Airflow reads."

"""The kubeflow flavor's declarations."""

from __future__ import annotations

from runner.orchestrators.flavors.kubeflow import KubeflowOrchestrator, KubeflowSettings
from runner.plan.deployment import DeployedStep


def test_an_address_or_a_context_is_needed(told) -> None:
    ((line, code, message, _),) = told(KubeflowSettings, "experiment: e")
    assert (line, code) == (1, "missing-key")
    assert "neither 'kubeflow_hostname' nor 'kubernetes_context'" in message
    assert told(KubeflowSettings, "kubernetes_context: c") == []
    assert told(KubeflowSettings, "kubeflow_hostname: https://k.example.com") == []


def test_a_password_belongs_to_a_user(told) -> None:
    found = told(KubeflowSettings, 'kubernetes_context: c\npassword: "${secrets.P}"')
    assert found == [(2, "missing-key", "'password' is of no use without 'username'", "add 'username'")]


def test_a_password_is_a_reference_and_is_not_repeated(told) -> None:
    ((line, code, message, help),) = told(KubeflowSettings, "kubernetes_context: c\ntoken: hunter2")
    assert (line, code) == (2, "literal-secret")
    assert "hunter2" not in message + help


SETTINGS = KubeflowSettings(kubernetes_context="c", user_namespace="ml")


def refused(step: DeployedStep) -> list[tuple[str, str]]:
    found = KubeflowOrchestrator(SETTINGS).refusals([step], "/")
    return [(".".join(refusal.path[2:]), refusal.code) for refusal in found]


def test_an_accelerators_type_is_a_label() -> None:
    assert refused(DeployedStep("a", "s:f", resources={"gpu_type": "Tesla T4"})) == [
        ("resources.gpu_type", "bad-label")
    ]
    twice = DeployedStep(
        "a", "s:f", resources={"gpu_type": "T4"}, settings={"node_selectors": {"nvidia.com/gpu.product": "L4"}}
    )
    assert refused(twice) == [("resources.gpu_type", "said-twice")]


def test_memory_beside_a_full_shm_fits_into_a_quantity() -> None:
    step = DeployedStep("a", "s:f", resources={"memory": 2**63 - 1, "shm": 1})
    assert refused(step) == [("resources.memory", "cannot-honour")]


def test_what_is_known_only_when_it_runs_is_no_annotation() -> None:
    step = DeployedStep("a", "s:f", settings={"annotations": {"run": "${run.id}", "plain": "$${run.id"}})
    assert refused(step) == [("settings.kubeflow.annotations.run", "cannot-honour")]


def test_secrets_are_those_of_the_pods_own_namespace() -> None:
    def beside(**store: str) -> list[str]:
        step = DeployedStep("a", "s:f", parameters={"k": "${secrets.K}"})
        return [".".join(each.path) for each in KubeflowOrchestrator(SETTINGS).beside([step], {"secret_store": store})]

    assert beside(flavor="kubernetes", secret="s") == beside(flavor="kubernetes", secret="s", namespace="ml") == []
    assert beside(flavor="kubernetes", secret="s", namespace="other") == ["secret_store.namespace"]
    assert beside(flavor="env") == beside(flavor="file") == ["steps.a.parameters.k"]
    assert beside(flavor="aws") == []

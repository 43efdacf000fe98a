"""The kubeflow flavor's declarations, and where its runs are."""

from __future__ import annotations

from runner.orchestrators.base import Submission
from runner.orchestrators.flavors.kubeflow.orchestrator import KubeflowOrchestrator
from runner.orchestrators.flavors.kubeflow.settings import KubeflowSettings
from runner.plan.deployment import DeployedStep

SETTINGS = KubeflowSettings(kubernetes_context="c", user_namespace="ml")


def test_secrets_are_those_of_the_pods_own_namespace() -> None:
    def beside(**store: str) -> list[str]:
        step = DeployedStep("a", "s:f", parameters={"k": "${secrets.K}"})
        return [".".join(each.path) for each in KubeflowOrchestrator(SETTINGS).beside([step], {"secret_store": store})]

    assert beside(flavor="kubernetes", secret="s") == beside(flavor="kubernetes", secret="s", namespace="ml") == []
    assert beside(flavor="kubernetes", secret="s", namespace="other") == ["secret_store.namespace"]
    assert beside(flavor="env") == beside(flavor="file") == ["steps.a.parameters.k"]
    assert beside(flavor="aws") == []


def test_a_run_has_a_page_where_kubeflow_has_an_address() -> None:
    submission = Submission("r1", "kubeflow", {"run": "abc"})
    there = KubeflowSettings(kubeflow_hostname="https://k.example.com/pipeline/")
    assert KubeflowOrchestrator(there).url(submission) == "https://k.example.com/pipeline/#/runs/details/abc"
    assert KubeflowOrchestrator(SETTINGS).url(submission) is None

"""The kubeflow flavor's declarations, and where its runs are."""

from __future__ import annotations

from pathlib import Path

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.stores import open_store
from runner.engine.stack import OpenStack
from runner.orchestrators.base import Submission
from runner.orchestrators.flavors.kubeflow.orchestrator import KubeflowOrchestrator
from runner.orchestrators.flavors.kubeflow.settings import KubeflowSettings
from runner.plan.deployment import DeployedStep, Deployment
from runner.records import Event

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


def test_where_nothing_is_left_to_do_nothing_is_started(tmp_path: Path) -> None:
    made = Deployment("r1", "p", "s", "kubeflow", {"a": DeployedStep("a", "s:f")}, {"flavor": "local"}, "/p")
    stack = OpenStack(Ledger(open_store({"flavor": "local", "path": str(tmp_path)})), tmp_path, {"a": {}})
    stack.ledger.write_deployment(made)
    orchestrator = KubeflowOrchestrator(KubeflowSettings(kubeflow_hostname="http://127.0.0.1:1"))
    submission = orchestrator.submit(orchestrator.compile(made), stack)
    told = [item.event for item in orchestrator.watch(submission, stack) if isinstance(item, Event)]
    assert told == ["run_started", "run_succeeded"] and orchestrator.url(submission) is None

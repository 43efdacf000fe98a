"""The kubernetes flavor's declarations."""

from __future__ import annotations

from runner.orchestrators.flavors.kubernetes import KubernetesSettings, KubernetesStepSettings


def test_the_cluster_must_be_said(told) -> None:
    ((line, code, message, help),) = told(KubernetesSettings, "max_parallel: 2")
    assert (line, code) == (1, "missing-key")
    assert "neither 'kubernetes_context' nor 'incluster: true'" in message
    assert "kubectl config get-contexts" in help


def test_the_cluster_may_be_the_one_around() -> None:
    assert KubernetesSettings(incluster=True).kubernetes_context is None


def test_two_clusters_are_one_too_many(told) -> None:
    ((line, code, _, _),) = told(KubernetesSettings, "kubernetes_context: c\nincluster: true")
    assert (line, code) == (2, "two-of-one")


def test_names_are_those_of_kubernetes(told) -> None:
    found = told(KubernetesSettings, "kubernetes_context: c\nkubernetes_namespace: ML_Team\nlabels: {-a: b, a: b c}")
    assert [(line, code) for line, code, *_ in found] == [(2, "bad-value"), (3, "bad-label"), (3, "bad-label")]


def test_tolerations_of_a_step_are_checked_each() -> None:
    found = KubernetesStepSettings.model_validate({"tolerations": [{"key": "gpu", "effect": "NoSchedule"}]})
    assert found.tolerations[0].operator == "Equal"

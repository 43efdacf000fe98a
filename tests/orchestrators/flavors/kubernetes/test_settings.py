"""What a stack and a step may write about the kubernetes flavor, and what they are told."""

from __future__ import annotations

from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings, KubernetesStepSettings


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


def test_what_begins_with_runner_is_set_by_runner(told) -> None:
    ((line, code, _, help),) = told(KubernetesSettings, "kubernetes_context: c\nlabels:\n  runner/step: a")
    assert (line, code) == (3, "set-by-runner") and "another prefix" in help


def test_a_time_that_kubernetes_cannot_count(told) -> None:
    ((line, code, _, help),) = told(KubernetesSettings, "kubernetes_context: c\nttl_after_finished: 100000d")
    assert (line, code, help) == (2, "out-of-range", "it can be 24855d at most")


def test_a_priority_class_is_said_once(told) -> None:
    ((line, code, *_),) = told(KubernetesStepSettings, "priority_class_name: a\npod: {priorityClassName: b}")
    assert (line, code) == (1, "said-twice")


def test_a_mistake_in_a_pod_is_told_at_its_line(told) -> None:
    found = told(KubernetesStepSettings, "pod:\n  volumes:\n    - name: a\n      empyDir: {}\n  priority: high")
    assert [(line, code) for line, code, *_ in found] == [(4, "unknown-key"), (5, "wrong-type")]
    assert found[0][3] == "did you mean 'emptyDir'?"

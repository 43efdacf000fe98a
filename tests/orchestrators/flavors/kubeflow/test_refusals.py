"""What of a step Kubeflow cannot honour."""

from __future__ import annotations

from runner.orchestrators.flavors.kubeflow.refusals import of_steps
from runner.plan.deployment import DeployedStep


def refused(step: DeployedStep) -> list[tuple[str, str]]:
    found = of_steps([step], "nvidia.com/gpu.product")
    return [(".".join(refusal.path[2:]), refusal.code) for refusal in found]


def test_an_accelerators_type_is_a_label() -> None:
    assert refused(DeployedStep("a", "s:f", resources={"gpu_type": "Tesla T4", "gpu_count": 1})) == [
        ("resources.gpu_type", "bad-label")
    ]
    twice = DeployedStep(
        "a",
        "s:f",
        resources={"gpu_type": "T4", "gpu_count": 1},
        settings={"node_selectors": {"nvidia.com/gpu.product": "L4"}},
    )
    assert refused(twice) == [("resources.gpu_type", "said-twice")]


def test_memory_beside_a_full_shm_fits_into_a_quantity() -> None:
    step = DeployedStep("a", "s:f", resources={"memory": 2**63 - 1, "shm": 1})
    assert refused(step) == [("resources.memory", "cannot-honour")]


def test_what_is_known_only_when_it_runs_is_no_annotation() -> None:
    step = DeployedStep("a", "s:f", settings={"annotations": {"run": "${run.id}", "plain": "$${run.id"}})
    assert refused(step) == [("settings.kubeflow.annotations.run", "cannot-honour")]


def test_at_one_place_is_one_volume() -> None:
    def at(*paths: str, **resources: int) -> list[tuple[str, str]]:
        volumes = [{"mount_path": path, "empty_dir": 1} for path in paths]
        return refused(DeployedStep("a", "s:f", resources=resources, settings={"volumes": volumes}))

    assert at("/a", "/b", "/dev/shm") == []
    assert at("/a", "/b", "/a/") == at("/dev/shm", shm=1) == [("settings.kubeflow.volumes", "said-twice")]


def test_a_type_of_accelerators_without_any_is_refused() -> None:
    assert refused(DeployedStep("a", "s:f", resources={"gpu_type": "T4"})) == [
        ("resources.gpu_type", "missing-gpu-count")
    ]


def test_what_runner_labels_pods_with_is_its_own() -> None:
    own = {"runner/step": "other"}
    assert refused(DeployedStep("a", "s:f", settings={"labels": own, "annotations": own})) == [
        ("settings.kubeflow.labels.runner/step", "set-by-runner"),
        ("settings.kubeflow.annotations.runner/step", "set-by-runner"),
    ]

"""What a flavor cannot honour is refused where it is asked for, with the flavors that can."""

from __future__ import annotations

from typing import Any

import pytest

from runner.errors import EngineError
from runner.orchestrators import registry
from runner.orchestrators.base import BaseOrchestrator, Capabilities, Refusal, Support
from runner.orchestrators.portability import (
    CAPABILITY,
    as_it_comes,
    cannot_honour,
    refusals,
    report,
    require_available,
    unreachable_store,
)
from runner.plan.deployment import DeployedStep

FLAVORS = {name: registry.flavor(name) for name in registry.BUILTINS}
VALUES: dict[str, Any] = {"cpu_count": 2, "memory": 10**9, "gpu_count": 1, "gpu_type": "t4", "disk": 1, "shm": 1}
RETRY = {"max_retries": 1, "delay": 1.0, "backoff": 1.0, "max_delay": 1.0}
ASKING = DeployedStep("a", "s:f", resources=VALUES, retry=RETRY, timeout=1.0)
MISSING = [
    (name, path)
    for name, flavor in FLAVORS.items()
    for path, capability in CAPABILITY.items()
    if getattr(flavor.capabilities, capability) is Support.NO
]


class Bare(BaseOrchestrator):
    flavor = "bare"


class Able(BaseOrchestrator):
    flavor = "able"
    capabilities = Capabilities(
        retry=Support.NATIVE, timeout=Support.WORKER, cpu=Support.NATIVE, memory=Support.CONTROLLER, gpu=Support.NATIVE
    )


class Picky(BaseOrchestrator):
    flavor = "picky"

    def refusals(self, steps: Any, project: str) -> Any:
        yield Refusal(("steps", "a", "settings", "picky", "x"), "odd", "x is odd", "make it even")
        yield Refusal((), "odd", "all of it is odd")


def asking(path: tuple[str, ...]) -> DeployedStep:
    """A step that asks for this and nothing else."""
    if path[0] == "resources":
        return DeployedStep("a", "s:f", resources={path[1]: VALUES[path[1]]})
    return DeployedStep(
        "a", "s:f", retry=RETRY if path == ("retry",) else None, timeout=1.0 if path[0] != "retry" else None
    )


def test_what_no_capability_covers_is_refused_each_at_its_path() -> None:
    found = list(refusals(Bare(), [ASKING]))
    assert [refusal.path[2:] for refusal in found] == list(CAPABILITY)
    assert found[0].message == "step 'a' sets cpu_count, which flavor 'bare' cannot honour"
    assert all(refusal.help for refusal in found)


def test_what_a_capability_covers_is_not_refused_whoever_carries_it_out() -> None:
    assert [refusal.path[-1] for refusal in refusals(Able(), [ASKING])] == ["disk", "shm"]


def test_what_a_step_does_not_ask_for_is_not_refused() -> None:
    assert list(refusals(Bare(), [DeployedStep("a", "s:f", resources={"gpu_count": 0})])) == []


@pytest.mark.parametrize(
    ("name", "path"), MISSING, ids=lambda value: ".".join(value) if isinstance(value, tuple) else str(value)
)
def test_each_missing_capability_is_refused_with_the_flavors_that_have_it(name: str, path: tuple[str, ...]) -> None:
    (refusal,) = [
        r for r in cannot_honour(as_it_comes(FLAVORS[name]), [asking(path)], "/") if r.code == "cannot-honour"
    ]
    assert refusal.path == ("steps", "a", *path)
    able = (refusal.help or "").partition("flavors that can: ")[2].split(", ")
    assert able and name not in able
    for other in able:
        assert getattr(FLAVORS[other].capabilities, CAPABILITY[path]) is not Support.NO


def test_an_accelerators_type_names_those_that_choose_by_it() -> None:
    (refusal,) = cannot_honour(as_it_comes(FLAVORS["local"]), [asking(("resources", "gpu_type"))], "/")
    assert refusal.help == "leave it out; flavors that can: kubernetes, sagemaker, azureml"


def test_a_flavor_says_what_to_write_instead() -> None:
    (refusal,) = cannot_honour(as_it_comes(FLAVORS["databricks"]), [asking(("resources", "memory"))], "/")
    assert (refusal.help or "").startswith("leave it out and choose the machine: settings: {databricks: {node_type_id")


def test_a_setting_of_its_own_names_no_other_flavor() -> None:
    found = list(cannot_honour(Picky(), [DeployedStep("a", "s:f")], "/"))
    assert [refusal.help for refusal in found] == ["make it even", None]


@pytest.mark.parametrize(("name", "flavor"), FLAVORS.items())
def test_remote_flavors_cannot_reach_a_folder_of_this_machine(name: str, flavor: type[BaseOrchestrator]) -> None:
    for store in (None, {}, {"flavor": "local", "path": "/kept"}):
        refusal = unreachable_store(flavor, name, store)
        assert (refusal is not None) == (name not in ("local", "local_docker"))
    assert unreachable_store(flavor, name, {"flavor": "s3", "path": "s3://b/p"}) is None


def test_an_unreachable_store_is_refused_in_these_words() -> None:
    refusal = unreachable_store(FLAVORS["vertex"], "vertex", None)
    assert refusal is not None and refusal.path == ("artifact_store",)
    assert refusal.message.startswith("steps of flavor 'vertex' do not run on this machine and cannot reach a folder")
    assert "s3, gcs or azure" in (refusal.help or "")


def test_what_cannot_run_yet_names_what_can() -> None:
    require_available(as_it_comes(FLAVORS["local"]))
    with pytest.raises(EngineError, match="cannot run anything on flavor 'airflow' yet") as caught:
        require_available(as_it_comes(FLAVORS["airflow"]))
    assert (caught.value.help or "").partition("flavors that can run now: ")[2].startswith("local, local_docker")


def test_a_report_has_a_row_for_each_setting_and_a_cell_for_each_flavor() -> None:
    steps = [asking(("resources", "memory")), asking(("resources", "disk"))._replace(name="b")]
    found = report(steps, lambda name, flavor: {}, {"a": {"able": {"x": 1}}}, {"able": Able, "bare": Bare}, "/")
    assert [(row.steps, row.setting, row.cells) for row in found.rows] == [
        (("a",), ("resources", "memory"), ("runner", "no")),
        (("a",), ("settings", "able", "x"), ("yes", "-")),
        (("b",), ("resources", "disk"), ("no", "no")),
    ]
    assert [name for name, _ in found.refusals] == ["able", "bare", "bare"]


def test_equal_settings_of_several_steps_are_one_row() -> None:
    steps = [ASKING, ASKING._replace(name="b")]
    rows = report(steps, lambda name, flavor: {}, {}, {"able": Able}, "/").rows
    assert {row.steps for row in rows} == {("a", "b")}

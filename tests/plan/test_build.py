"""What a plan decides for each step, and why."""

from __future__ import annotations

from typing import Any

import pytest

from runner.plan.build import build, deploy
from runner.plan.deployment import deployment_from, deployment_to_json
from runner.plan.fingerprint import cache_key
from runner.plan.plan import CACHED, REUSED, RUN, UNKNOWN, Obstacle, Plan, PreviousStep, Selection
from runner.records import Artifact, StepResult
from runner.spec.pipeline import PipelineSpec

CHAIN: dict[str, Any] = {
    "load": {"entrypoint": "steps:load"},
    "split": {"entrypoint": "steps:split", "inputs": {"data": "load"}, "outputs": ["train", "test"]},
    "fit": {"entrypoint": "steps:fit", "inputs": {"train": "split.train"}},
    "report": {"entrypoint": "steps:report", "after": ["fit"]},
}


class World:
    """What earlier runs left: results by key, and each step's last success."""

    def __init__(self) -> None:
        self.results: dict[str, StepResult] = {}
        self.previous: dict[str, PreviousStep] = {}
        self.expired: set[str] = set()
        self.code = ""

    def cached(self, key: str, expires_after: float | None) -> StepResult | None:
        return None if expires_after and key in self.expired else self.results.get(key)

    def plan(self, steps: dict[str, Any] = CHAIN, *, use_cache: bool = True, **selection: tuple[str, ...]) -> Plan:
        return build(
            PipelineSpec.model_validate({"kind": "pipeline", "name": "p", "steps": steps}),
            parameters={"x": 1},
            stack="default",
            flavor="local",
            settings={},
            images={},
            resources={},
            code=lambda entrypoint: entrypoint + self.code,
            cached=self.cached,
            previous=self.previous,
            selection=Selection(**selection),
            use_cache=use_cache,
            file="p.yaml",
        )

    def run(self, steps: dict[str, Any] = CHAIN, run_id: str = "r1") -> World:
        """As if the pipeline had run to its end."""
        outputs: dict[str, dict[str, Artifact]] = {}
        for planned in self.plan(steps).steps:
            step = planned.step
            inputs = {argument: outputs[name][output].digest for argument, (name, output) in step.inputs.items()}
            made = {name: Artifact("u", "json", 1, f"{step.name}.{name}{self.code}") for name in step.output_names}
            outputs[step.name] = made
            if step.cache:
                key = cache_key(step.fingerprint, inputs)
                self.results[key] = StepResult(run_id, step.name, 1, "succeeded", 0, 1, outputs=made, cache_key=key)
            self.previous[step.name] = PreviousStep(step.fingerprint, inputs, run_id, made)
        return self


@pytest.fixture
def world() -> World:
    return World()


def actions(plan: Plan) -> dict[str, str]:
    return {planned.step.name: planned.action for planned in plan.steps}


def reasons(plan: Plan) -> dict[str, str]:
    return {planned.step.name: planned.reason for planned in plan.steps}


def changed(**steps: Any) -> dict[str, Any]:
    return {name: step | steps.get(name, {}) for name, step in CHAIN.items()}


def test_nothing_ran_yet(world):
    plan = world.plan()
    assert actions(plan) == {"load": RUN, "split": UNKNOWN, "fit": UNKNOWN, "report": RUN}
    assert reasons(plan) == {
        "load": "never ran",
        "split": "after 'load' has run",
        "fit": "may be cached, depends on 'split'",
        "report": "never ran",
    }


def test_waves(world):
    assert [(planned.step.name, planned.wave) for planned in world.plan().steps] == [
        ("load", 1),
        ("split", 2),
        ("fit", 3),
        ("report", 4),
    ]


def test_everything_is_cached(world):
    plan = world.run().plan()
    assert set(actions(plan).values()) == {CACHED}
    assert reasons(plan)["fit"] == "as in run r1"
    assert not plan.would_run
    assert plan.steps[1].outputs["train"].digest == "split.train"


def test_cached_by_an_equal_step_of_another_name(world):
    world.run({"other": CHAIN["load"]})
    assert reasons(world.plan({"load": CHAIN["load"]})) == {"load": "as in 'other' of run r1"}


def test_changed_parameters(world):
    plan = world.run().plan(changed(split={"parameters": {"size": 2}}))
    assert actions(plan) == {"load": CACHED, "split": RUN, "fit": UNKNOWN, "report": CACHED}
    assert reasons(plan)["split"] == "parameters changed"
    assert plan.steps[1].changed == ("parameters",)


def test_changed_code(world):
    world.run().code = "!"
    plan = world.plan()
    assert reasons(plan)["load"] == "code changed"
    assert reasons(plan)["split"] == "after 'load' has run; code changed"


def test_several_changes(world):
    plan = world.run().plan(changed(load={"parameters": {"x": 1}, "environment": {"A": "1"}, "entrypoint": "steps:g"}))
    assert reasons(plan)["load"] == "code, parameters and environment changed"


def test_changed_input(world):
    world.run()
    world.previous["split"] = world.previous["split"]._replace(inputs={"data": "older"})
    world.results = {key: result for key, result in world.results.items() if result.step != "split"}
    plan = world.plan()
    assert reasons(plan)["split"] == "input 'data' changed"
    assert plan.steps[1].changed == ("inputs.data",)


def test_new_and_dropped_arguments_are_changes(world):
    steps = changed(fit={"inputs": {"data": "split.train"}})
    assert world.run().plan(steps).steps[2].changed == ("inputs.data", "inputs.train")


def test_no_longer_in_the_cache(world):
    world.run().results.clear()
    assert reasons(world.plan())["load"] == "no longer in the cache"


def test_expired(world):
    steps = changed(load={"cache": {"expires_after": "1h"}})
    world.run(steps)
    world.expired = set(world.results)
    assert reasons(world.plan(steps))["load"] == "result expired"


def test_cache_is_off_for_a_step(world):
    plan = world.run().plan(changed(load={"cache": False}))
    assert (plan.steps[0].action, plan.steps[0].reason, plan.steps[0].key) == (RUN, "cache is off", None)


def test_run_id_is_never_cached(world):
    plan = world.run().plan(changed(load={"parameters": {"x": "${run.id}"}}))
    assert reasons(plan)["load"] == "cache is off: ${run.id} differs with every run"


def test_cache_is_off_for_the_run(world):
    plan = world.run().plan(use_cache=False)
    assert set(reasons(plan).values()) == {"cache is off for this run"}
    assert plan.use_cache is False


def test_only(world):
    plan = world.run().plan(only=("fit",))
    assert actions(plan) == {"split": REUSED, "fit": CACHED}
    assert reasons(plan)["split"] == "not selected, as in run r1"
    assert plan.left_out == ("load", "report")


def test_from_and_to(world):
    world.run()
    assert actions(world.plan(from_=("fit",))) == {"split": REUSED, "fit": CACHED, "report": CACHED}
    assert list(actions(world.plan(to=("split",)))) == ["load", "split"]
    assert list(actions(world.plan(from_=("split",), to=("fit",)))) == ["load", "split", "fit"]


def test_reused_from_the_last_run_when_the_cache_has_it_no_more(world):
    world.run().results.clear()
    plan = world.plan(only=("fit",))
    assert reasons(plan) == {"split": "not selected, from run r1", "fit": "no longer in the cache"}
    assert plan.steps[0].outputs["train"].digest == "split.train"


def test_reused_although_it_changed(world):
    world.run().code = "!"
    plan = world.plan(only=("fit",))
    assert reasons(plan)["split"] == "not selected, from run r1, although code changed since"
    assert plan.steps[0].changed == ("code",)


def test_reused_by_what_the_selected_steps_before_it_give(world):
    plan = world.run().plan(only=("load", "fit"))
    assert actions(plan) == {"split": REUSED, "load": CACHED, "fit": CACHED}


def test_nothing_to_reuse(world):
    plan = world.plan(only=("fit",))
    assert plan.obstacles == (
        Obstacle(
            ("steps", "fit", "inputs", "train"),
            "nothing-to-reuse",
            "step 'split' is not selected, and its output 'train' is in no earlier run or cache",
            "select 'split' too, or run the pipeline up to it first: --to split",
        ),
    )


def test_output_that_the_last_run_did_not_have(world):
    world.run()
    steps = changed(split={"outputs": ["learn", "test"]}, fit={"inputs": {"train": "split.learn"}})
    assert [obstacle.code for obstacle in world.plan(steps, only=("fit",)).obstacles] == ["nothing-to-reuse"]


def test_unknown_step(world):
    plan = world.plan(only=("fitt",), to=("zzz",))
    assert plan.obstacles == (
        Obstacle((), "unknown-step", "unknown step 'fitt' in --only", "did you mean 'fit'?"),
        Obstacle(
            (), "unknown-step", "unknown step 'zzz' in --to", "the steps are: 'load', 'split', 'fit' and 'report'"
        ),
    )


def test_nothing_selected(world):
    (obstacle,) = world.plan(from_=("fit",), to=("load",)).obstacles
    assert (obstacle.code, obstacle.path) == ("nothing-selected", ())
    assert obstacle.help == "no step of the pipeline fits all of: --from fit --to load"


def test_many_names_are_cut_short(world):
    steps = {f"s{number}": {"entrypoint": "a:f"} for number in range(9)}
    steps["end"] = {"entrypoint": "a:g", "inputs": {name: name for name in steps}}
    assert reasons(world.plan(steps))["end"] == "after 's0', 's1', 's2' and 6 more have run"


def deployed(plan: Plan) -> Any:
    return deploy(
        plan, run_id="r2", artifact_store={"flavor": "local"}, project="/p", created=1.0, orchestrator={"a": 1}
    )


def test_deploy(world):
    deployment = deployed(world.plan())
    assert (deployment.run_id, deployment.pipeline, deployment.stack, deployment.file) == (
        "r2",
        "p",
        "default",
        "p.yaml",
    )
    assert list(deployment.steps) == ["load", "split", "fit", "report"]
    assert deployment_from(deployment_to_json(deployment)) == deployment


def test_deploy_provides_what_is_reused(world):
    deployment = deployed(world.run().plan(only=("fit",), use_cache=False))
    assert list(deployment.steps) == ["fit"]
    assert deployment.provided["split"]["train"].digest == "split.train"
    assert not deployment.use_cache


def test_nobody_waits_for_a_step_that_does_not_run(world):
    assert deployed(world.run().plan(only=("report",))).steps["report"].after == ()


def test_a_long_chain(world):
    steps = {f"s{n}": {"entrypoint": "a:f", "inputs": {"x": f"s{n - 1}"} if n else {}} for n in range(3000)}
    assert world.plan(steps).counts == {RUN: 1, CACHED: 0, UNKNOWN: 2999, REUSED: 0}

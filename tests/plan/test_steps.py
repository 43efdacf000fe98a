"""Declared steps made whole."""

from __future__ import annotations

from typing import Any

import pytest

from runner.plan.deployment import DeployedStep
from runner.plan.steps import complete, names_run
from runner.spec.pipeline import PipelineSpec
from runner.spec.resources import Resources


def whole(
    step: dict[str, Any], named: dict[str, Resources] | None = None, image: Any = None, **top: Any
) -> DeployedStep:
    steps = {
        "s": {"entrypoint": "a:f"} | step,
        "one": {"entrypoint": "a:f", "outputs": ["x"]},
        "up": {"entrypoint": "a:f"},
    }
    spec = PipelineSpec.model_validate({"kind": "pipeline", "name": "p", "steps": steps} | top)
    settings = {"s": {"isolation": "none"}}
    return complete(
        spec,
        ["s"],
        settings=settings,
        images={"s": image or {}},
        resources=named or {},
        code=lambda name: f"code of {name}",
    )["s"]


def test_nothing_said():
    step = whole({})
    assert (step.resources, step.retry, step.timeout, step.cache, step.expires_after) == ({}, None, None, True, None)
    assert step.settings == {"isolation": "none"}


def test_inputs_name_step_and_output():
    step = whole({"inputs": {"a": "up", "b": "one.x", "c": "one"}})
    assert step.inputs == {"a": ("up", "output"), "b": ("one", "x"), "c": ("one", "x")}


def test_retry_is_filled_with_its_defaults():
    assert whole({"retry": {"delay": "10s"}}).retry == {"max_retries": 3, "delay": 10, "backoff": 2, "max_delay": 300}


def test_retry_merges_field_by_field():
    step = whole({"retry": {"delay": "10s"}}, defaults={"retry": {"max_retries": 7, "delay": "1m"}})
    assert step.retry == {"max_retries": 7, "delay": 10, "backoff": 2, "max_delay": 300}


def test_resources_merge_field_by_field():
    step = whole({"resources": {"memory": "2GB"}}, defaults={"resources": {"cpu_count": 2, "memory": "1GB"}})
    assert step.resources == {"cpu_count": 2, "memory": 2_000_000_000}


def test_named_resources_are_their_fields():
    named = {"large": Resources(cpu_count=8, gpu_count=1)}
    assert whole({"resources": {"cpu_count": 2}}, named, defaults={"resources": "large"}).resources == {
        "cpu_count": 2,
        "gpu_count": 1,
    }
    assert whole({"resources": "large"}, named, defaults={"resources": {"shm": "1GB"}}).resources["shm"] == 10**9


def test_null_takes_a_default_back():
    defaults = {"retry": {}, "timeout": "1m", "resources": {"cpu_count": 2, "memory": "1GB"}}
    step = whole({"retry": None, "timeout": None, "resources": {"memory": None}}, defaults=defaults)
    assert (step.retry, step.timeout, step.resources) == (None, None, {"cpu_count": 2})
    assert whole({"resources": None}, defaults=defaults).resources == {}


def test_timeout_and_cache_of_the_defaults():
    step = whole({}, defaults={"timeout": "1m", "cache": {"expires_after": "1h"}})
    assert (step.timeout, step.cache, step.expires_after) == (60, True, 3600)
    assert whole({"cache": True}, defaults={"cache": False}).cache
    assert not whole({"cache": False}).cache


def test_environment_of_the_step_wins():
    step = whole({"environment": {"A": "2", "B": "3"}}, environment={"A": "1", "C": "4"})
    assert step.environment == {"A": "2", "C": "4", "B": "3"}


@pytest.mark.parametrize(
    ("part", "change"),
    [
        ("code", {"entrypoint": "a:g"}),
        ("parameters", {"parameters": {"x": 1}}),
        ("outputs", {"outputs": ["a", "b"]}),
        ("environment", {"environment": {"A": "1"}}),
    ],
)
def test_each_part_of_the_fingerprint(part, change):
    one, two = whole({}).fingerprint, whole(change).fingerprint
    assert [name for name in one if one[name] != two[name]] == [part]


def test_image_is_a_part():
    assert whole({}).fingerprint["image"] != whole({}, image={"requirements": ["a"]}).fingerprint["image"]


def test_what_does_not_change_a_result_is_no_part():
    change = {"resources": {"cpu_count": 2}, "retry": {}, "timeout": "1m", "after": ["up"]}
    assert whole(change).fingerprint == whole({}).fingerprint


@pytest.mark.parametrize("where", [{"parameters": {"x": ["${run.id}"]}}, {"environment": {"X": "a-${run.id}"}}])
def test_run_id_turns_the_cache_off(where):
    assert not whole(where).cache


def test_names_run():
    assert names_run({"a": [{"${run.id}": 1}]})
    assert names_run("$${run.id} and ${run.id}")
    assert not names_run(["$${run.id}", "run.id", "${secrets.run}", 1, None])


def test_secrets_stay_text():
    assert whole({"parameters": {"x": "${secrets.KEY}"}}).parameters == {"x": "${secrets.KEY}"}

"""Pipelines as declared: defaults, choices that may be written in several ways, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from runner.spec.pipeline import CachePolicy, ImageSettings, Parameter, PipelineSpec, Retry, StepSpec
from runner.spec.resources import Resources

STEP = {"entrypoint": "a.b:f"}


def pipeline(**fields: Any) -> PipelineSpec:
    return PipelineSpec.model_validate({"kind": "pipeline", "name": "p", "steps": {"s": STEP}} | fields)


def step(**fields: Any) -> StepSpec:
    return StepSpec.model_validate(STEP | fields)


def kinds(error: ValidationError) -> list[str]:
    return [details["type"] for details in error.errors()]


def test_the_least_pipeline() -> None:
    spec = pipeline()
    assert (spec.on_failure, spec.parameters, spec.stack, spec.defaults.cache) == ("fail_fast", {}, None, None)
    assert spec.steps["s"] == step()


def test_the_least_step_says_nothing_about_how_it_is_run() -> None:
    least = step()
    assert (least.outputs, least.resources, least.retry, least.timeout, least.cache) == (None,) * 5
    assert least.model_fields_set == {"entrypoint"}


def test_retries_have_defaults() -> None:
    assert Retry() == Retry(max_retries=3, delay="1s", backoff=2.0, max_delay="5m")  # type: ignore[arg-type]


@pytest.mark.parametrize(("written", "read"), [("large", "large"), ({"memory": "1GB"}, Resources(memory="1GB"))])
def test_resources_are_a_name_or_fields(written: Any, read: Any) -> None:
    assert step(resources=written).resources == read


@pytest.mark.parametrize(
    ("written", "read"),
    [(True, True), (False, False), ({"expires_after": "7d"}, CachePolicy(expires_after="7d"))],  # type: ignore[arg-type]
)
def test_the_cache_is_a_switch_or_a_policy(written: Any, read: Any) -> None:
    assert step(cache=written).cache == read


@pytest.mark.parametrize(("written", "read"), [("reqs.txt", "reqs.txt"), (["a", "b>=1"], ("a", "b>=1"))])
def test_requirements_are_a_file_or_a_list(written: Any, read: Any) -> None:
    assert ImageSettings.model_validate({"requirements": written}).requirements == read


@pytest.mark.parametrize(
    ("key", "value"), [("resources", ["1GB"]), ("cache", "yes"), ("cache", [1]), ("resources", True)]
)
def test_a_choice_written_as_something_else_has_one_problem(key: str, value: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        step(**{key: value})
    assert len(caught.value.errors()) == 1


def test_environment_values_are_text() -> None:
    assert step(environment={"A": "1"}).environment == {"A": "1"}
    with pytest.raises(ValidationError):
        step(environment={"A": 1})


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"steps": {}}, "too_short"),
        ({"on_failure": "go_on"}, "literal_error"),
        ({"colour": "green"}, "extra_forbidden"),
        ({"name": "2p"}, "string_pattern_mismatch"),
        ({"steps": {"s": {}}}, "missing"),
        ({"steps": {"s": STEP | {"outputs": []}}}, "too_short"),
        ({"steps": {"s": STEP | {"retry": {"backoff": 0.5}}}}, "greater_than_equal"),
        ({"steps": {"s": STEP | {"timeout": 10}}}, "duration"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], kind: str) -> None:
    with pytest.raises(ValidationError) as caught:
        pipeline(**fields)
    assert kinds(caught.value) == [kind]


def test_a_parameter_with_a_default_may_be_left_out_null_included() -> None:
    assert Parameter(default=None).optional
    assert not Parameter(type="string").optional


def test_parameters_describe_collections_in_depth() -> None:
    found = Parameter.model_validate(
        {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer"}}}, "required": ["a"]}
    )
    assert found.properties and found.properties["a"].items == Parameter(type="integer")
    assert found.required == ("a",)

"""What the settings of several flavors share."""

from __future__ import annotations

import jsonschema
import pytest
from pydantic import TypeAdapter, ValidationError

from runner.orchestrators.fields import (
    LabelKey,
    LabelValue,
    Namespace,
    Toleration,
    Url,
    at_least_one,
    given,
    parts_of_a_machine,
    said_twice,
    together,
)
from runner.plan.deployment import DeployedStep

RIGHT = [
    (LabelKey, "pool"),
    (LabelKey, "cloud.google.com/gke-accelerator"),
    (LabelValue, ""),
    (LabelValue, "a_B.c-1"),
    (Namespace, "ml-1"),
    (Url, "https://a.example.com/b"),
]
WRONG = [
    (LabelKey, "-pool"),
    (LabelKey, "A/b/c"),
    (LabelValue, "x" * 64),
    (LabelValue, "a b"),
    (Namespace, "ML"),
    (Namespace, "a.b"),
    (Url, "a.example.com"),
]


@pytest.mark.parametrize(("kind", "value"), RIGHT)
def test_words_that_are_right(kind: object, value: str) -> None:
    assert TypeAdapter(kind).validate_python(value) == value


@pytest.mark.parametrize(("kind", "value"), WRONG)
def test_words_that_are_wrong(kind: object, value: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


def test_a_toleration_has_the_fields_of_kubernetes() -> None:
    assert Toleration.model_validate({"operator": "Exists", "tolerationSeconds": 5}).key is None


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        (given("a", "b"), {"a": 1, "b": 1}, {"a": 1, "b": None}),
        (at_least_one("a", "b"), {"b": 1}, {"a": None}),
        ({"allOf": together("a", "b")}, {"c": 1}, {"b": 1}),
    ],
)
def test_rules_about_two_fields_as_a_schema(schema: object, right: object, wrong: object) -> None:
    validator = jsonschema.Draft202012Validator(schema)
    assert (validator.is_valid(right), validator.is_valid(wrong)) == (True, False)


def test_part_of_a_processor_is_refused_where_machines_come_whole() -> None:
    (refusal,) = parts_of_a_machine(DeployedStep("a", "s:f", resources={"cpu_count": 1.5}), "vm")
    assert (refusal.path, refusal.help) == (("steps", "a", "resources", "cpu_count"), "ask for 2")
    assert list(parts_of_a_machine(DeployedStep("a", "s:f", resources={"cpu_count": 2.0}), "vm")) == []


def test_resources_beside_a_named_machine_say_it_twice() -> None:
    step = DeployedStep("a", "s:f", resources={"memory": 1, "disk": 1}, settings={"size": "xl"})
    (refusal,) = said_twice(step, "vm", "size")
    assert refusal.message == "step 'a' sets memory beside settings.vm.size 'xl', which fixes it"
    assert list(said_twice(step._replace(settings={"size": None}), "vm", "size")) == []

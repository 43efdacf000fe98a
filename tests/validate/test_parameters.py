"""Values of parameters: read by their type, checked, defaults filled in."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runner.spec.pipeline import Parameter
from runner.validate.parameters import RawText, check, parameter_values


def values(schema: dict[str, Any], *given: Any) -> Any:
    found, wrong = parameter_values({"x": Parameter(**schema)}, {"x": given[0]} if given else {})
    return found.get("x"), wrong.get("x")


def told(schema: dict[str, Any], *given: Any) -> str | None:
    _, said = values(schema, *given)
    return said and said[0]


@pytest.mark.parametrize(
    ("schema", "written", "value"),
    [
        ({"type": "string"}, "12", "12"),
        ({"type": "string"}, "", ""),
        ({"type": "integer"}, "12", 12),
        ({"type": "integer"}, "2.0", 2),
        ({"type": "integer"}, "0x10", 16),
        ({"type": "number"}, "1e-3", 0.001),
        ({"type": "number"}, "3", 3),
        ({"type": "boolean"}, "true", True),
        ({"type": "null"}, "null", None),
        ({"type": "array"}, '["a", 1]', ["a", 1]),
        ({"type": "object"}, '{"a": [true]}', {"a": [True]}),
        ({}, "12", 12),
        ({}, "on", "on"),
        ({}, "[1, 2]", [1, 2]),
        ({"enum": ["1", "2"]}, "1", "1"),
        ({"const": "true"}, "true", "true"),
    ],
)
def test_text_from_a_command_line_is_read_by_the_declared_type(
    schema: dict[str, Any], written: str, value: object
) -> None:
    assert values(schema, RawText(written)) == (value, None)


def test_typed_values_are_taken_as_they_are() -> None:
    assert values({"type": "string"}, "12") == ("12", None)
    assert values({"type": "number"}, 12) == (12, None)


def test_a_default_is_filled_in_null_included() -> None:
    assert parameter_values({"x": Parameter(default=None), "y": Parameter(default=3)}, {}) == ({"x": None, "y": 3}, {})


def test_a_parameter_without_default_is_missing() -> None:
    _, said = values({"type": "number", "description": "Share of the test set."})
    assert said == (
        "missing-parameter",
        "the parameter 'x' has no value",
        "give it with `-p x=…`: Share of the test set.",
    )


def test_a_parameter_that_is_not_declared() -> None:
    _, wrong = parameter_values({"epochs": Parameter(default=1)}, {"epoch": 2})
    assert wrong["epoch"] == (
        "unknown-parameter",
        "no parameter is named 'epoch'",
        "did you mean 'epochs'? declared: epochs",
    )
    assert parameter_values({}, {"a": 1})[1]["a"][2] == "the pipeline declares none"


def test_a_default_that_does_not_fit() -> None:
    assert values({"type": "integer", "default": "3"}) == (
        None,
        ("wrong-type", "the parameter 'x' is the text '3', not an integer", None),
    )


@pytest.mark.parametrize(
    ("schema", "value", "code"),
    [
        ({"type": "string"}, 1, "wrong-type"),
        ({"type": "integer"}, 1.5, "wrong-type"),
        ({"type": "integer"}, True, "wrong-type"),
        ({"type": "integer"}, RawText("abc"), "wrong-type"),
        ({"type": "integer"}, RawText("9" * 5000), "wrong-type"),
        ({"type": "number"}, float("nan"), "wrong-type"),
        ({"type": "number"}, float("inf"), "wrong-type"),
        ({"type": "number"}, 10**400, "wrong-type"),
        ({"type": "boolean"}, RawText("yes"), "wrong-type"),
        ({"type": "array"}, RawText("a,b"), "wrong-type"),
        ({"type": "object"}, RawText("[1]"), "wrong-type"),
        ({"type": "null"}, 0, "wrong-type"),
        ({"enum": ["a", "b"]}, "c", "not-allowed"),
        ({"enum": [1]}, True, "not-allowed"),
        ({"const": None}, 0, "not-allowed"),
        ({"minimum": 1}, 0, "out-of-range"),
        ({"maximum": 1}, 2, "out-of-range"),
        ({"exclusiveMinimum": 0}, 0, "out-of-range"),
        ({"exclusiveMaximum": 1}, 1, "out-of-range"),
        ({"multipleOf": 0.1}, 0.35, "out-of-range"),
        ({"minLength": 2}, "a", "out-of-range"),
        ({"maxLength": 2}, "abc", "out-of-range"),
        ({"pattern": "^a"}, "b", "not-allowed"),
        ({"pattern": "["}, "b", "bad-pattern"),
        ({"items": {"type": "integer"}}, [1, "a"], "wrong-value"),
        ({"minItems": 1}, [], "wrong-value"),
        ({"properties": {"a": {"type": "integer"}}}, {"a": "b"}, "wrong-value"),
        ({"required": ("a",)}, {}, "wrong-value"),
    ],
)
def test_what_is_refused(schema: dict[str, Any], value: object, code: str) -> None:
    schema = {key: _parameter(key, part) for key, part in schema.items()}
    assert told(schema, value) == code


def _parameter(key: str, part: Any) -> Any:
    if key == "items":
        return Parameter(**part)
    return {name: Parameter(**schema) for name, schema in part.items()} if key == "properties" else part


def test_collections_are_equal_as_json() -> None:
    assert told({"enum": [{"a": [1, True]}]}, {"a": [1.0, True]}) is None
    assert told({"enum": [{"a": [1, True]}]}, {"a": [1, 1]}) == "not-allowed"


def test_a_pattern_that_is_found() -> None:
    assert told({"pattern": "^a"}, "ab") is None


def test_decimal_multiples_are_counted_in_decimal() -> None:
    assert told({"multipleOf": 0.1}, 0.3) is None


def test_the_place_inside_a_collection_is_named() -> None:
    _, said = values({"items": Parameter(type="integer")}, [1, "a"])
    assert said == ("wrong-value", "x[1] is not right: 'a' is not of type 'integer'", None)


def test_jsonschema_is_imported_only_when_a_collection_is_described() -> None:
    code = (
        "import sys; from runner.spec.pipeline import Parameter; from runner.validate.parameters import check\n"
        "check(1, 'x', Parameter(type='integer', minimum=0)); sys.exit('jsonschema' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


NUMBERS = st.integers(-20, 20) | st.floats(-20, 20).map(lambda number: round(number, 2))
JSON = st.recursive(st.none() | st.booleans() | NUMBERS | st.text("ab1", max_size=4), st.lists, max_leaves=4)
SCHEMAS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "number", "integer", "boolean", "array", "null"]),
        "enum": st.lists(JSON, min_size=1, max_size=3),
        "const": JSON,
        "minimum": NUMBERS,
        "maximum": NUMBERS,
        "exclusiveMinimum": NUMBERS,
        "exclusiveMaximum": NUMBERS,
        "multipleOf": st.integers(1, 5),
        "minLength": st.integers(0, 3),
        "maxLength": st.integers(0, 3),
        "pattern": st.sampled_from(["a", "^a", "1$", "^[ab]*$"]),
        "minItems": st.integers(0, 2),
        "uniqueItems": st.booleans(),
    },
)


@given(SCHEMAS, JSON)
def test_the_check_agrees_with_jsonschema(schema: dict[str, Any], value: Any) -> None:
    assert (check(value, "x", Parameter(**schema)) is None) == Draft202012Validator(schema).is_valid(value)

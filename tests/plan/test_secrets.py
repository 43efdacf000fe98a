"""References to secrets in plain values."""

from __future__ import annotations

from runner.plan.secrets import secret_names, secret_variable


def test_the_names_in_a_value_each_once() -> None:
    value = {"a": "${secrets.B} and ${secrets.A}", "c": ["${run.id}", ("${secrets.B}", 1, None)]}
    assert secret_names(value) == ["B", "A"]


def test_what_is_written_as_text_is_no_reference() -> None:
    assert secret_names(["$${secrets.A}", "${secrets.}", "${env.A}", "secrets.A"]) == []


def test_the_variable_that_a_pod_is_given() -> None:
    assert secret_variable("TOKEN") == "RUNNER_SECRET_TOKEN"

"""The words for values that are refused, and the help that goes with them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field, ValidationError, field_validator

from runner.document.read import read_text
from runner.spec.common import Spec
from runner.spec.pipeline import PipelineSpec
from runner.spec.stack import component_model
from runner.validate.bind import bind

STEP = "kind: pipeline\nname: p\nsteps:\n  a:\n    entrypoint: m:f\n    "


def said(text: str, model: type[Spec] = PipelineSpec) -> tuple[str, str | None]:
    (problem,) = bind(read_text(text, "f.yaml")[0][0], model)[1]
    return problem.message, problem.help


@pytest.mark.parametrize(
    ("written", "message", "help"),
    [
        ("environment: {A: 3.10}", "'3.10' is a number, not text", 'put it in quotes: "3.10"'),
        ("environment: {A: True}", "'True' is a boolean, not text", 'put it in quotes: "True"'),
        ("environment: {A: 1}", "'1' is a whole number, not text", 'put it in quotes: "1"'),
        ("environment: {A: [1]}", "'A' is a list, not text", "write text"),
        ("environment: {A: {b: c}}", "'A' is a mapping, not text", "write text"),
        ("environment: {A: }", "'A' is empty; it must be text", 'write "" for empty text, or remove the key'),
        ("retry: {max_retries: '3'}", "'3' is text, not a whole number", "leave out the quotes: 3"),
        ("retry: {max_retries: many}", "'many' is text, not a whole number", "write a whole number"),
        ("retry: 3", "'3' is a whole number, not a mapping", "its keys: max_retries, delay, backoff, max_delay"),
        ("cache: off", "'off' is text, not true or false or a mapping", "write false"),
        ("cache: maybe", "'maybe' is text, not true or false or a mapping", "write true or false or a mapping"),
        ("outputs: train", "'train' is text, not a list", "write a list: [train]"),
        ("inputs: {a: split/train}", "'split/train' names no step's output", "did you mean 'split.train'?"),
        ("parameters: 'm:f'", "'m:f' is text, not a mapping", "write 'key: value' pairs"),
        ("inputs: {a: a.b.c}", "'a.b.c' names no step's output", "write 'step' or 'step.output'"),
    ],
)
def test_messages_name_the_value_and_help_mends_it(written: str, message: str, help: str) -> None:
    assert said(STEP + written) == (message, help)


def test_a_step_written_as_its_entrypoint() -> None:
    assert said("kind: pipeline\nname: p\nsteps:\n  a: m:f")[1] == 'write a: {entrypoint: "m:f"}'


def test_steps_written_as_a_list() -> None:
    help = "write each step under its name, as in `load: {entrypoint: …}`"
    assert said("kind: pipeline\nname: p\nsteps: [{name: a}]") == ("'steps' is a list, not a mapping", help)


def test_a_flavor_of_a_wrong_form() -> None:
    message, help = said("kind: orchestrator\nname: o\nflavor: a/b.py", component_model("orchestrator", Spec))
    assert (message, help) == ("'a/b.py' cannot be a flavor", "write a flavor's name, or 'package.module:ClassName'")


@pytest.mark.parametrize(
    ("written", "guess"),
    [
        ("600", "600s"),
        ('"10"', "10s"),
        ("10 minutes", "10m"),
        ("1h 30m", "1h30m"),
        ("30m1h", "1h30m"),
        ("2 Hours, 5 sec", "2h5s"),
        ("1.5 days", "1.5d"),
        ("a week", None),
        ("-5s", None),
        ("1w", None),
        ("5s 5s", None),
        ("", None),
    ],
)
def test_a_duration_is_guessed(written: str, guess: str | None) -> None:
    help = said(STEP + f"timeout: {written or chr(34) * 2}")[1] or ""
    assert help.startswith(f"did you mean '{guess}'?" if guess else "write a number and its unit")


@pytest.mark.parametrize(
    ("written", "guess"),
    [
        ("8G", "8GB"),
        ("8 gb", "8GB"),
        ("64mib", "64MiB"),
        ("1.5Gi", "1.5GiB"),
        ("100", "100MiB"),
        ("2 terabytes", None),
        ("lots", None),
        ("8XB", None),
    ],
)
def test_a_size_of_memory_is_guessed(written: str, guess: str | None) -> None:
    help = said(STEP + f"resources: {{memory: {written}}}")[1] or ""
    assert help.startswith(f"did you mean '{guess}'?" if guess else "write a number and its unit")


@pytest.mark.parametrize(
    ("written", "help"),
    [
        ("steps/digits.py:load", "did you mean 'steps.digits:load'?"),
        ("./steps/digits.py:load()", "did you mean 'steps.digits:load'?"),
        ("steps.digits.load", "did you mean 'steps.digits:load'?"),
        ("load", "write 'package.module:function'"),
        ("a:b:c", "write 'package.module:function'"),
    ],
)
def test_an_entrypoint_is_guessed(written: str, help: str) -> None:
    text = f"kind: pipeline\nname: p\nsteps:\n  a:\n    entrypoint: {written}\n"
    assert said(text) == (f"'{written}' does not lead to a function", help)


@pytest.mark.parametrize(
    ("name", "example"),
    [("my pipe!", "my_pipe"), ("zwölf", "zwolf"), ("1st", None), ("数字", None), ("x" * 80, "x" * 63)],
)
def test_a_name_is_guessed(name: str, example: str | None) -> None:
    help = said(f"kind: pipeline\nname: {name}\nsteps: {{a: {{entrypoint: 'm:f'}}}}")[1] or ""
    assert help.endswith(f"; for example '{example}'" if example else "at most 63")


@pytest.mark.parametrize(
    ("written", "thing"),
    [("inputs: {a-b: x}", "an argument"), ("outputs: [a-b]", "an output"), ("environment: {A-B: x}", "a variable")],
)
def test_an_identifier_is_told_what_it_names(written: str, thing: str) -> None:
    assert said(STEP + written)[0].endswith(f"cannot be the name of {thing}")


@pytest.mark.parametrize(
    ("written", "meant"), [("int", "integer"), ("float", "number"), ("strin", "string"), ("dict", "object")]
)
def test_types_of_other_languages_are_understood(written: str, meant: str) -> None:
    text = f"kind: pipeline\nname: p\nparameters: {{x: {{type: {written}}}}}\nsteps: {{a: {{entrypoint: 'm:f'}}}}"
    assert (said(text)[1] or "").startswith(f"did you mean '{meant}'? allowed: string, number")


class Odd(Spec):
    kind: str
    code: str = Field("ab", pattern="^[a-z]+$", min_length=1, max_length=3)
    even: int = 0

    @field_validator("even")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("it is odd")
        return value


@pytest.mark.parametrize(
    ("written", "message", "help"),
    [
        ("code: A", "'A' has not the right form", "it must match ^[a-z]+$"),
        ("code: abcd", "'abcd' is out of range: it must be no longer than 3", None),
        ("code: ''", "'code' is empty", "write a value, or remove the key"),
        ("even: 3", "'3' is not right here: it is odd", None),
        (f"even: {'x' * 100}", f"'{'x' * 57}…' is text, not a whole number", "write a whole number"),
        ('code: "a\\nb"', "'a\\nb' has not the right form", "it must match ^[a-z]+$"),
    ],
)
def test_settings_of_a_flavor_speak_the_same_words(written: str, message: str, help: str | None) -> None:
    assert said(f"kind: stack\n{written}", Odd) == (message, help)


def test_every_error_has_words() -> None:
    with pytest.raises(ValidationError) as caught:
        Odd.model_validate({"kind": 1, "code": 2, "even": "x"})
    details: list[Any] = caught.value.errors()
    assert len(details) == 3

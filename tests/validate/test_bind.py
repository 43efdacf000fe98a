"""Documents become specs, or problems: one for each mistake, at its place."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BeforeValidator, model_validator

from runner.document.interpolate import interpolate
from runner.document.node import UNKNOWN, Document
from runner.document.read import read_text
from runner.errors import Problem
from runner.spec.common import Spec, rule
from runner.spec.pipeline import ImageSettings, PipelineSpec
from runner.spec.resources import ResourcesDocument
from runner.spec.stack import component_model
from runner.validate.bind import bind, not_yet

HEAD = "kind: pipeline\nname: p\n"
STEP = HEAD + "steps:\n  a:\n    entrypoint: m:f\n    "


def document(text: str, file: str = "f.yaml") -> Document:
    documents, problems = read_text(text, file)
    assert problems == []
    return documents[0]


def told(text: str, model: type[Spec] = PipelineSpec) -> list[tuple[str, int, int]]:
    return [(p.code, p.position.line, p.position.column) for p in bind(document(text), model)[1]]


def one(text: str, model: type[Spec] = PipelineSpec) -> Problem:
    (problem,) = bind(document(text), model)[1]
    return problem


def test_a_right_document_is_its_spec() -> None:
    spec, problems = bind(document(STEP + "timeout: 10m"), PipelineSpec)
    assert problems == []
    assert isinstance(spec, PipelineSpec)
    assert spec.steps["a"].timeout == 600


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (HEAD + "stepps: {}\nsteps: {a: {entrypoint: 'm:f'}}", ("unknown-key", 3, 1)),
        (STEP + "colour: green", ("unknown-key", 6, 5)),
        (STEP + "retry: {delai: 1s}", ("unknown-key", 6, 13)),
        (STEP + "resources: {cpus: 1}", ("unknown-key", 6, 17)),
        (STEP + "resources: {fields: 1}", ("unknown-key", 6, 17)),
        (STEP + "cache: {switch: 1, expires_after: 1d}", ("unknown-key", 6, 13)),
        ("kind: pipeline\nsteps: {a: {entrypoint: 'm:f'}}", ("missing-key", 1, 1)),
        (HEAD + "steps: {a: {}}", ("missing-key", 3, 9)),
        (HEAD + "defaults: {cache: {}}\nsteps: {a: {entrypoint: 'm:f'}}", ("missing-key", 3, 12)),
        (HEAD + "steps: {a: {entrypoint: f}}", ("bad-entrypoint", 3, 25)),
        (HEAD + "steps: {a b: {entrypoint: 'm:f'}}", ("bad-name", 3, 9)),
        (STEP + "inputs: {a-b: load}", ("bad-name", 6, 14)),
        (STEP + "inputs: {a: load.x.y}", ("bad-reference", 6, 17)),
        (STEP + "outputs: [a, 'b c']", ("bad-name", 6, 18)),
        (STEP + "outputs: []", ("empty", 6, 14)),
        (STEP + "after: load", ("wrong-type", 6, 12)),
        (STEP + "after: [1]", ("wrong-type", 6, 13)),
        (STEP + "timeout: 600", ("bad-duration", 6, 14)),
        (STEP + "resources: {memory: 8}", ("bad-memory", 6, 25)),
        (STEP + "resources: {memory: [8]}", ("bad-memory", 6, 25)),
        (STEP + "resources: {cpu_count: 0}", ("out-of-range", 6, 28)),
        (STEP + "resources: {cpu_count: .inf}", ("out-of-range", 6, 28)),
        (STEP + "resources: [1]", ("wrong-type", 6, 16)),
        (STEP + "resources: two words", ("bad-name", 6, 16)),
        (STEP + "cache: yes", ("wrong-type", 6, 12)),
        (STEP + "environment: {A: 1}", ("wrong-type", 6, 22)),
        (STEP + "environment:\n      A:", ("wrong-type", 7, 7)),
        (HEAD + "on_failure: stop\nsteps: {a: {entrypoint: 'm:f'}}", ("not-allowed", 3, 13)),
        (HEAD + "parameters: {x: {type: int}}\nsteps: {a: {entrypoint: 'm:f'}}", ("not-allowed", 3, 24)),
        (HEAD + "parameters: {x: {items: {type: int}}}\nsteps: {a: {entrypoint: 'm:f'}}", ("not-allowed", 3, 32)),
        (HEAD + "steps: {}", ("empty", 3, 8)),
        (HEAD + "steps: []", ("wrong-type", 3, 8)),
    ],
)
def test_one_problem_for_each_mistake(text: str, expected: tuple[str, int, int]) -> None:
    assert told(text) == [expected]


def test_all_problems_come_in_one_pass() -> None:
    text = HEAD + "a: 1\nsteps:\n  a: {timeout: 1}\n  b: {entrypoint: 2, retry: {delay: x}}\n"
    assert sorted(told(text)) == [
        ("bad-duration", 5, 16),
        ("bad-duration", 6, 37),
        ("missing-key", 5, 3),
        ("unknown-key", 3, 1),
        ("wrong-type", 6, 19),
    ]


def test_a_flood_of_problems_is_cut() -> None:
    text = STEP + "environment:\n" + "".join(f"      A{n}: {n}\n" for n in range(10_050))
    spec, problems = bind(document(text), PipelineSpec)
    assert (spec, len(problems), problems[-1].message) == (None, 10_001, "50 further problems are not shown")


def test_a_misspelt_key_is_not_told_as_missing_too() -> None:
    problem = one(HEAD + "steps: {a: {entrypont: 'm:f'}}")
    assert (problem.code, problem.help) == ("unknown-key", "did you mean 'entrypoint'?")


@pytest.mark.parametrize(
    ("key", "near"), [("cpu", "cpu_count"), ("cpus", "cpu_count"), ("mem", "memory"), ("gpu", None)]
)
def test_a_key_is_also_known_by_its_beginning(key: str, near: str | None) -> None:
    problem = one(f"kind: resources\nname: r\n{key}: 1", ResourcesDocument)
    known = "known keys: cpu_count, memory, gpu_count, gpu_type, disk, shm, kind, name"
    assert problem.help == (f"did you mean '{near}'?" if near else known)


def test_toml_has_the_same_problems_at_its_own_places() -> None:
    text = 'kind = "pipeline"\nname = "p"\n[steps.a]\nentrypoint = "m:f"\nretry.delay = 5\ncolour = 1\n'
    _, problems = bind(document(text, "f.toml"), PipelineSpec)
    assert sorted((p.code, p.position.line, p.position.column, p.position.width) for p in problems) == [
        ("bad-duration", 5, 15, 1),
        ("unknown-key", 6, 1, 6),
    ]


def test_a_part_of_a_document_can_be_bound() -> None:
    text = STEP + "settings: {image: {image: python, apt: git}}"
    _, problems = bind(document(text), ImageSettings, ("steps", "a", "settings", "image"))
    assert [(p.code, p.position.line, p.position.column) for p in problems] == [("wrong-type", 6, 44)]


def test_a_part_that_is_no_mapping() -> None:
    _, problems = bind(document(STEP + "settings: {image: python}"), ImageSettings, ("steps", "a", "settings", "image"))
    assert problems[0].message == "'python' is text, not a mapping"


class Settings(Spec):
    path: str
    count: int = 1


def test_a_component_written_in_place() -> None:
    text = "kind: stack\nname: s\norchestrator: {flavor: local, count: x}\n"
    model = component_model("orchestrator", Settings, in_place=True)
    _, problems = bind(document(text), model, ("orchestrator",))
    assert [(p.code, p.position.column) for p in problems] == [("missing-key", 1), ("wrong-type", 38)]


def test_a_document_with_small_mistakes_still_gives_a_spec() -> None:
    text = HEAD + "steps:\n  a: {timeout: x, colour: 1}\n  b: {entrypoint: 'm:f', inputs: {x: a}, after: [1]}\n"
    spec, problems = bind(document(text), PipelineSpec)
    assert isinstance(spec, PipelineSpec)
    assert (len(problems), spec.steps["a"].timeout, spec.steps["b"].inputs) == (4, None, {"x": "a"})


@pytest.mark.parametrize("mistake", ["outputs: [1]", "outputz: [a]", "outputs: {a: b}"])
def test_what_would_mislead_later_checks_gives_no_spec(mistake: str) -> None:
    spec, problems = bind(document(STEP + mistake), PipelineSpec)
    assert spec is None
    assert len(problems) == 1


def unknown(text: str) -> tuple[Any, list[Problem]]:
    found, problems = interpolate(document(text), {}, ["x"], {})
    assert problems == []
    return bind(found, PipelineSpec)


def test_unknown_is_taken_for_any_type() -> None:
    text = STEP + 'timeout: "${parameters.x}"\n    parameters: {v: ["${parameters.x}"]}\n    retry: "${parameters.x}"'
    spec, problems = unknown(text)
    assert problems == []
    assert (spec.steps["a"].parameters["v"][0], spec.steps["a"].timeout) == (UNKNOWN, None)


def test_unknown_in_place_of_something_required_gives_neither_spec_nor_problem() -> None:
    assert unknown(HEAD + 'steps: {a: {entrypoint: "${parameters.x}"}}') == (None, [])


def test_unknown_beside_a_mistake_hides_it_not() -> None:
    spec, problems = unknown(STEP + 'timeout: "${parameters.x}"\n    cache: 5')
    assert [p.code for p in problems] == ["wrong-type"]
    assert spec is not None


def test_a_reference_to_a_parameter_among_inputs() -> None:
    found, _ = interpolate(document(STEP + 'inputs: {x: "${parameters.x}"}'), {"x": 1}, ["x"], {})
    _, problems = bind(found, PipelineSpec)
    assert problems[0].message == "'${parameters.x}' is a value, not a step's output"


def test_words_that_are_not_supported_yet_are_told_once() -> None:
    found = document(HEAD + "schedule: {}\nsteps: {a: {entrypoint: 'm:f', foreach: {}, when: x}}")
    assert bind(found, PipelineSpec)[1] == []
    assert [(p.code, p.position.line, p.position.column) for p in not_yet(found)] == [
        ("not-supported-yet", 3, 1),
        ("not-supported-yet", 4, 32),
        ("not-supported-yet", 4, 45),
    ]


def test_words_elsewhere_are_not_refused() -> None:
    assert not_yet(document(STEP + "parameters: {when: 1, schedule: 2}")) == []


@pytest.mark.parametrize("steps", ["[]", "x", "{a: 1}", ""])
def test_not_yet_takes_any_document(steps: str) -> None:
    assert not_yet(document(f"{HEAD}steps: {steps}")) == []


# -- rules of a model's own --------------------------------------------------------------------------------------------


def _no_shouting(value: Any) -> Any:
    if str(value).isupper():
        raise rule("loud", f"'{value}' is loud", "write it in lower case")
    return value


class Pair(Spec):
    """Two fields that do not go together, and one that is judged by itself."""

    left: int | None = None
    right: int | None = None
    word: Annotated[str, BeforeValidator(_no_shouting)] = ""

    @model_validator(mode="after")
    def _one_of_two(self) -> Any:
        if self.left is None and self.right is None:
            raise rule("missing-key", "there is neither 'left' nor 'right'", "add one of them")
        if self.left is not None and self.right is not None:
            raise rule("two-of-one", "'left' and 'right' are one too many", "leave one out", "right")
        return self


@pytest.mark.parametrize(
    ("fields", "column", "code"),
    [("word: a", 1, "missing-key"), ("left: 1, right: 2", 17, "two-of-one"), ("left: 1, word: LOUD", 23, "loud")],
)
def test_a_rule_is_told_in_its_own_words_at_its_place(fields: str, column: int, code: str) -> None:
    (problem,) = bind(document(f"kind: pipeline\npair: {{{fields}}}\n"), Pair, ("pair",))[1]
    assert (problem.code, problem.position.line, problem.position.column) == (code, 2, column)
    assert problem.help and "is not right here" not in problem.message

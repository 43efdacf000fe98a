"""References in strings: filled in with their type, left for the worker, or refused where they stand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.document.interpolate import DEFERRED, interpolate
from runner.document.node import UNKNOWN
from runner.document.read import read_text

PARAMETERS = {"size": 0.25, "flag": True, "none": None, "names": ["a", "b"], "word": "forest", "trap": "${secrets.X}"}
ENV = {"HOME": "/home/ada", "TRAP": "$${run.id}"}


def filled(value: str) -> Any:
    documents, _ = read_text(f"kind: pipeline\na: {value}\n", "f.yaml")
    document, problems = interpolate(documents[0], PARAMETERS, [*PARAMETERS, "open"], ENV)
    assert problems == []
    return document.node.plain()["a"]


def told(text: str) -> list[tuple[str, int, int, int]]:
    documents, _ = read_text(text, "f.yaml")
    _, problems = interpolate(documents[0], PARAMETERS, [*PARAMETERS, "open"], ENV)
    return [(p.code, p.position.line, p.position.column, p.position.width) for p in problems]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${parameters.size}", 0.25),
        ("${ parameters.size }", 0.25),
        ("${parameters.flag}", True),
        ("${parameters.none}", None),
        ("${parameters.names}", ["a", "b"]),
        ("x ${parameters.size} y", "x 0.25 y"),
        ("${parameters.flag}-${parameters.none}", "true-null"),
        ("<${parameters.names}>", '<["a", "b"]>'),
        ("${env.HOME}/data", "/home/ada/data"),
        ("${env.HOME}", "/home/ada"),
        ("plain $HOME and $ and {}", "plain $HOME and $ and {}"),
    ],
)
def test_values_keep_their_type_when_they_are_the_whole_string(written: str, value: object) -> None:
    assert filled(f'"{written}"' if '"' not in written else written) == value


@pytest.mark.parametrize("written", ["${secrets.TOKEN}", "Bearer ${secrets.MY_TOKEN}", "runs/${run.id}/x"])
def test_what_the_worker_resolves_is_left(written: str) -> None:
    assert filled(written) == written


def test_blanks_inside_a_reference_do_not_matter() -> None:
    assert filled('"${ secrets.X } ${ run.id } ${ env.HOME }"') == "${secrets.X} ${run.id} /home/ada"


@pytest.mark.parametrize(
    ("written", "help"),
    [
        ("${size}", "did you mean '${parameters.size}'?"),
        ("${HOME}", "did you mean '${env.HOME}'?"),
        ("${parameter.size}", "did you mean '${parameters.size}'? known:"),
        ("${a-b}", "known: ${parameters.NAME}"),
        ("${parameters.siez}", "did you mean 'size'?"),
        ("${parameters.other}", "declared: size, flag"),
        ("${env.HOEM}", "did you mean 'HOME'? or set it before the command: HOEM=…"),
        ("${env.X_Y_Z}", "set it: X_Y_Z=…"),
    ],
)
def test_what_was_probably_meant(written: str, help: str) -> None:
    documents, _ = read_text(f"kind: pipeline\na: {written}\n", "f.yaml")
    (problem,) = interpolate(documents[0], PARAMETERS, PARAMETERS, ENV)[1]
    assert (problem.help or "").startswith(help)


@pytest.mark.parametrize(
    ("kind", "help"), [("pipeline", "declare it under `parameters:`"), ("stack", "only a pipeline has parameters")]
)
def test_where_no_parameter_is_declared(kind: str, help: str) -> None:
    documents, _ = read_text(f'kind: {kind}\na: "${{parameters.x}}"\n', "f.yaml")
    assert interpolate(documents[0], {}, (), {})[1][0].help == help


def test_references_inside_a_collection_that_comes_in_are_escaped_too() -> None:
    documents, _ = read_text('kind: pipeline\na: "${parameters.x}"\n', "f.yaml")
    document, _ = interpolate(documents[0], {"x": {"k": ["${run.id}", 1]}}, ["x"], {})
    assert document.node.plain()["a"] == {"k": ["$${run.id}", 1]}


def test_the_escape_is_taken_off() -> None:
    assert filled("$${x} costs $${parameters.size}") == "${x} costs ${parameters.size}"
    assert filled("$$${x}") == "$${x}"


def test_the_escape_stays_before_what_the_worker_resolves() -> None:
    assert filled("$${secrets.X} and $${run.id}") == "$${secrets.X} and $${run.id}"


def test_a_value_that_looks_like_a_reference_is_escaped_for_the_worker() -> None:
    assert filled("${parameters.trap}") == "$${secrets.X}"
    assert filled("${env.TRAP}") == "$$${run.id}"


def test_what_comes_in_with_a_value_is_not_filled_in_again() -> None:
    documents, _ = read_text('kind: pipeline\na: "${parameters.x}"\n', "f.yaml")
    document, problems = interpolate(documents[0], {"x": "${parameters.y}"}, ["x"], {})
    assert (problems, document.node.plain()["a"]) == ([], "${parameters.y}")


@pytest.mark.parametrize("written", ["${parameters.open}", "a ${parameters.open} ${parameters.size}"])
def test_a_declared_parameter_without_value_makes_the_whole_string_unknown(written: str) -> None:
    assert filled(f'"{written}"') is UNKNOWN


def test_the_declarations_of_parameters_are_left_alone() -> None:
    text = 'kind: pipeline\nparameters: {x: {default: "${env.NOWHERE}"}}\na: "${parameters.size}"'
    assert told(text) == []


def test_a_filled_in_value_stands_where_its_reference_stood() -> None:
    documents, _ = read_text('kind: pipeline\na: ["${parameters.names}"]', "f.yaml")
    document, _ = interpolate(documents[0], PARAMETERS, PARAMETERS, {})
    assert document.position(("a", 0, 1)) == ("f.yaml", 2, 5, 21)


def test_what_holds_no_reference_is_the_same_node() -> None:
    documents, _ = read_text('kind: pipeline\na: {b: [1, "$"]}\nc: "${run.id}"', "f.yaml")
    document, _ = interpolate(documents[0], {}, (), {})
    assert document.node.at(("a",)) is documents[0].node.at(("a",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('a: "${parameters.sise}"', ("unknown-parameter", 2, 5, 18)),
        ("a: b ${parameters.x} ${parameters.size}", ("unknown-parameter", 2, 6, 15)),
        ("a: ${env.NOWHERE}", ("unknown-variable", 2, 4, 14)),
        ("a: ${size}", ("bad-interpolation", 2, 4, 7)),
        ("a: ${}", ("bad-interpolation", 2, 4, 3)),
        ("a: ${run.name}", ("bad-interpolation", 2, 4, 11)),
        ("a: ${parameters.a.b}", ("bad-interpolation", 2, 4, 17)),
        ("a: x ${parameters.size", ("bad-interpolation", 2, 6, 17)),
        ("a: |\n  first\n  then ${size}", ("bad-interpolation", 4, 8, 7)),
        ('a: "\\x24{size}"', ("bad-interpolation", 2, 4, 12)),
    ],
)
def test_what_is_refused_and_where(text: str, expected: tuple[str, int, int, int]) -> None:
    assert told(f"kind: pipeline\n{text}\n") == [expected]


def test_the_same_mistake_twice_in_one_string_is_told_twice() -> None:
    assert [place[2] for place in told("kind: pipeline\na: ${x} and ${x}\n")] == [4, 13]


def resolved(text: str) -> str:
    """What a worker does."""
    return DEFERRED.sub(lambda found: found[0][1:] if len(found["dollars"]) > 1 else "SECRET", text)


@given(st.text("${}secrts.unid X"))
def test_a_parameters_value_reaches_the_step_as_it_is(value: str) -> None:
    documents, _ = read_text('kind: pipeline\na: "${parameters.x}"\n', "f.yaml")
    document, _ = interpolate(documents[0], {"x": value}, ["x"], {})
    assert resolved(document.node.plain()["a"]) == value


@given(st.lists(st.sampled_from(["$", "${", "}", "parameters.size", "secrets.A", "run.id", " ", "x", "env."])))
def test_any_string_is_filled_in_or_told_of(pieces: list[str]) -> None:
    documents, _ = read_text(f"kind: pipeline\na: '{''.join(pieces)}'\n", "f.yaml")
    _, problems = interpolate(documents[0], PARAMETERS, PARAMETERS, {})
    assert all(p.position.line == 2 for p in problems)

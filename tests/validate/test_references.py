"""What one pipeline says about itself."""

from __future__ import annotations

import pytest

from runner.document.interpolate import interpolate
from runner.document.read import read_text
from runner.errors import Problem
from runner.spec.pipeline import PipelineSpec
from runner.validate.bind import bind
from runner.validate.references import references


def problems_of(body: str, resources: tuple[str, ...] = ()) -> list[Problem]:
    """The problems of a pipeline whose header takes the first two lines."""
    (document,), wrong = read_text(f"kind: pipeline\nname: p\n{body}", "p.yaml")
    assert not wrong
    declared = document.node.child("parameters")
    document, wrong = interpolate(document, {}, list(declared.plain()) if declared else [], {})
    spec, more = bind(document, PipelineSpec)
    assert isinstance(spec, PipelineSpec), more
    assert not wrong + more
    return references(spec, document, resources)


def told(body: str, resources: tuple[str, ...] = ()) -> list[tuple[str, str, str]]:
    """Line and column, code, and the text under the caret."""
    lines = f"kind: pipeline\nname: p\n{body}".split("\n")
    found = []
    for position, code, _, _ in problems_of(body, resources):
        start = position.column - 1
        found.append(
            (f"{position.line}:{position.column}", code, lines[position.line - 1][start : start + position.width])
        )
    return found


CHAIN = """steps:
  load: {entrypoint: "m:load"}
  split: {entrypoint: "m:split", inputs: {data: load}, outputs: [train, test]}
"""


def test_a_sound_pipeline_has_no_problems():
    assert told(CHAIN + "  fit: {entrypoint: 'm:fit', inputs: {train: split.train}, after: [split, load]}") == []


def test_an_input_that_names_no_step_stands_at_its_value():
    assert told(CHAIN + "  fit: {entrypoint: 'm:fit', inputs: {x: lod}}") == [("6:42", "unknown-step", "lod")]


def test_an_unknown_step_comes_with_the_nearest():
    (problem,) = problems_of(CHAIN + "  fit: {entrypoint: 'm:fit', inputs: {x: lod}}")
    assert (problem.message, problem.help) == ("no step is named 'lod'", "did you mean 'load'?")


def test_an_unknown_step_without_a_near_one_comes_with_all():
    (problem,) = problems_of(CHAIN + "  fit: {entrypoint: 'm:fit', inputs: {x: zzz}}")
    assert problem.help == "steps: load, split, fit"


def test_after_may_name_steps_only():
    assert told(CHAIN + "  fit: {entrypoint: 'm:fit', after: [load, spilt]}") == [("6:44", "unknown-step", "spilt")]


def test_an_output_that_a_step_does_not_have():
    (problem,) = problems_of(CHAIN + "  fit: {entrypoint: 'm:fit', inputs: {x: split.trian}}")
    assert problem.code == "unknown-output"
    assert problem.message == "step 'split' has no output 'trian'"
    assert problem.help == "did you mean 'split.train'? its outputs: split.train, split.test"


def test_the_one_output_may_be_named():
    assert told(CHAIN + "  fit: {entrypoint: 'm:fit', inputs: {x: load.output}}") == []


def test_of_several_outputs_one_is_named():
    (problem,) = problems_of(CHAIN + "  fit: {entrypoint: 'm:fit', inputs: {x: split}}")
    assert (problem.code, problem.help) == ("output-not-named", "write one of: split.train, split.test")


def test_a_single_declared_output_need_not_be_named():
    assert told("steps: {a: {entrypoint: 'm:a', outputs: [x]}, b: {entrypoint: 'm:b', inputs: {y: a}}}") == []


def test_a_step_that_needs_itself():
    assert told("steps: {a: {entrypoint: 'm:a', inputs: {x: a}}}") == [("3:44", "needs-itself", "a")]
    assert told("steps: {a: {entrypoint: 'm:a', after: [a]}}") == [("3:40", "needs-itself", "a")]


CIRCLE = """steps:
  a: {entrypoint: 'm:f', inputs: {x: c}}
  b: {entrypoint: 'm:f', after: [a]}
  c: {entrypoint: 'm:f', inputs: {x: b, y: b}}
"""


def test_a_circle_is_told_once_with_its_path():
    (problem,) = problems_of(CIRCLE)
    assert problem.code == "cycle"
    assert problem.message == "steps need each other in a circle: 'b' needs 'a', which cannot start before it"
    assert problem.help == "a → b → c → a: each is needed by the next; take one of them out of the circle"


def test_a_circle_stands_where_it_closes():
    assert told(CIRCLE) == [("5:34", "cycle", "a")]


def test_two_circles_are_two_problems():
    pair = "steps:\n" + "".join(
        f"  {name}: {{entrypoint: 'm:f', after: [{needs}]}}\n" for name, needs in ["ab", "ba", "cd", "dc"]
    )
    assert [code for _, code, _ in told(pair)] == ["cycle", "cycle"]


def test_circles_that_share_a_step_are_told_apart():
    body = "steps:\n  a: {entrypoint: 'm:f', after: [b, c]}\n"
    body += "  b: {entrypoint: 'm:f', after: [a]}\n  c: {entrypoint: 'm:f', after: [a]}\n"
    assert [problem.help.split(":")[0] for problem in problems_of(body) if problem.help] == ["a → b → a", "a → c → a"]


def test_a_chain_may_be_longer_than_the_stack_of_python():
    steps = "".join(f"  s{n}: {{entrypoint: 'm:f', after: [s{n + 1}]}}\n" for n in range(3000))
    assert told(f"steps:\n{steps}  s3000: {{entrypoint: 'm:f'}}") == []


def test_a_long_circle_is_told_by_its_ends():
    steps = "".join(f"  s{n}: {{entrypoint: 'm:f', after: [s{(n + 1) % 3000}]}}\n" for n in range(3000))
    (problem,) = problems_of(f"steps:\n{steps}")
    assert problem.help
    assert problem.help.startswith("s0 → s2999 → s2998")
    assert "→ … 2940 more … →" in problem.help


def test_one_argument_is_not_given_twice():
    body = CHAIN + "  fit: {entrypoint: 'm:fit', inputs: {x: load}, parameters: {x: 1}}"
    assert told(body) == [("6:62", "duplicate-argument", "x")]


def test_outputs_have_names_of_their_own():
    assert told("steps: {a: {entrypoint: 'm:a', outputs: [x, y, x]}}") == [("3:48", "duplicate-output", "x")]


def test_resources_name_a_document():
    body = "defaults: {resources: lage}\nsteps: {a: {entrypoint: 'm:a', resources: small}}"
    assert told(body, ("small", "large")) == [("3:23", "unknown-resources", "lage")]


def test_unknown_resources_come_with_what_is_declared():
    body = "steps: {a: {entrypoint: 'm:a', resources: lage}}"
    assert problems_of(body, ("small", "large"))[0].help == "did you mean 'large'? declared: large, small"
    assert problems_of(body)[0].help == (
        "write the fields in place, or a document with `kind: resources` and `name: lage`"
    )


@pytest.mark.parametrize(
    ("image", "wrong"),
    [
        ("{image: a, base: b}", "base"),
        ("{image: a, requirements: [b]}", "requirements"),
        ("{image: a, apt: [b]}", "apt"),
        ("{image: a, dockerfile: b}", "dockerfile"),
        ("{dockerfile: a, base: b}", "base"),
        ("{image: a, env: {X: y}}", "env"),
        ("{context: a, python: '3.11'}", "python"),
        ("{dockerfile: a, context: b, requirements: [c]}", None),
        ("{image: null, base: b}", None),
    ],
)
def test_images_are_ready_or_made(image, wrong):
    found = told(f"settings: {{image: {image}}}\nsteps: {{a: {{entrypoint: 'm:a'}}}}")
    assert [(code, text) for _, code, text in found] == ([("image-conflict", wrong)] if wrong else [])


def test_the_image_of_a_step_is_judged_too():
    body = "steps: {a: {entrypoint: 'm:a', settings: {image: {image: a, dockerfile: b, base: c}}}}"
    assert [text for _, _, text in told(body)] == ["dockerfile", "base"]


def test_no_wait_is_longer_than_max_delay():
    body = "steps: {a: {entrypoint: 'm:a', retry: {delay: 1m, max_delay: 10s}}}"
    (problem,) = problems_of(body)
    assert told(body) == [("3:62", "delay-above-limit", "10s")]
    assert problem.message == "max_delay '10s' is less than delay '1m'"


def test_a_delay_above_the_usual_max_delay():
    assert told("defaults: {retry: {delay: 1h}}\nsteps: {a: {entrypoint: 'm:a'}}") == [
        ("3:27", "delay-above-limit", "1h")
    ]


def test_a_step_takes_what_it_leaves_out_from_the_defaults():
    steps = "steps: {a: {entrypoint: 'm:a', retry: {delay: 1h}}}"
    assert told(f"defaults: {{retry: {{max_delay: 2h}}}}\n{steps}") == []


@pytest.mark.parametrize(
    "schema",
    [
        "{type: integer, default: a}",
        "{enum: [a, b], default: c}",
        "{minimum: 3, default: 2}",
        "{type: array, items: {type: string}, default: [1]}",
    ],
)
def test_a_default_fits_its_own_schema(schema):
    (problem,) = problems_of(f"parameters: {{x: {schema}}}\nsteps: {{a: {{entrypoint: 'm:a'}}}}")
    assert problem.code == "bad-default"


def test_a_parameter_without_default_is_no_problem():
    assert told("parameters: {x: {type: integer}}\nsteps: {a: {entrypoint: 'm:a'}}") == []


def test_a_pattern_is_a_regular_expression():
    body = "parameters: {x: {pattern: '(a'}}\nsteps: {a: {entrypoint: 'm:a'}}"
    assert told(body) == [("3:27", "bad-pattern", "'(a'")]


def test_patterns_inside_a_parameter_are_read_too():
    body = "parameters: {x: {items: {properties: {y: {pattern: '*'}}}}}\nsteps: {a: {entrypoint: 'm:a'}}"
    assert told(body) == [("3:52", "bad-pattern", "'*'")]


@pytest.mark.parametrize(
    "schema",
    [
        "{minimum: 2, maximum: 1}",
        "{minLength: 2, maxLength: 1}",
        "{minItems: 2, maxItems: 1}",
        "{exclusiveMinimum: 1, exclusiveMaximum: 1}",
        "{minimum: 1, exclusiveMaximum: 1}",
        "{items: {minimum: 2, maximum: 1}}",
    ],
)
def test_a_range_leaves_some_value(schema):
    (problem,) = problems_of(f"parameters: {{x: {schema}}}\nsteps: {{a: {{entrypoint: 'm:a'}}}}")
    assert problem.code == "empty-range"


def test_a_range_of_one_value_is_right():
    assert told("parameters: {x: {minimum: 1, maximum: 1}}\nsteps: {a: {entrypoint: 'm:a'}}") == []


def test_variables_of_the_runner_are_reserved():
    body = "environment: {RUNNER_X: a}\nsteps: {a: {entrypoint: 'm:a', environment: {RUNNER_Y: b, OK: c}}}"
    assert told(body) == [("3:15", "reserved-variable", "RUNNER_X"), ("4:46", "reserved-variable", "RUNNER_Y")]


def test_every_problem_is_told_in_one_pass():
    body = """environment: {RUNNER_X: a}
steps:
  a: {entrypoint: 'm:a', inputs: {x: b}, after: [nobody], resources: none}
  b: {entrypoint: 'm:a', inputs: {x: a}}
"""
    assert [code for _, code, _ in told(body)] == ["reserved-variable", "unknown-step", "unknown-resources", "cycle"]


def test_what_is_not_known_yet_is_not_judged():
    body = """parameters: {x: {}}
steps:
  a: {entrypoint: 'm:a', outputs: "${parameters.x}", retry: {delay: 1h, max_delay: "${parameters.x}"}}
  b: {entrypoint: 'm:a', inputs: {y: a.some, z: "${parameters.x}"}, resources: "${parameters.x}"}
"""
    assert told(body) == []


def test_many_unknown_steps_are_told_without_comparing_each_with_all():
    steps = "".join(f"  s{n}: {{entrypoint: 'm:f', after: [t{n}]}}\n" for n in range(2000))
    assert len(problems_of(f"steps:\n{steps}")) == 2000

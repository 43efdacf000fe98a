"""The project's functions against the pipeline."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runner.document.interpolate import interpolate
from runner.document.read import read_text
from runner.errors import Problem
from runner.spec.pipeline import PipelineSpec
from runner.validate.bind import bind
from runner.validate.entrypoints import entrypoints

Check = Callable[..., list[Problem]]


@pytest.fixture
def check(tmp_path: Path) -> Iterator[Check]:
    """Write `work/code.py`, and check steps against it."""
    before = set(sys.modules)

    def check(code: str, steps: str, head: str = "") -> list[Problem]:
        (tmp_path / "work").mkdir(exist_ok=True)
        (tmp_path / "work" / "code.py").write_text(code)
        (document,), _ = read_text(f"kind: pipeline\nname: p\n{head}steps:\n{steps}", "p.yaml")
        declared = document.node.child("parameters")
        document, _ = interpolate(document, {}, list(declared.plain()) if declared else [], {})
        spec, wrong = bind(document, PipelineSpec)
        assert isinstance(spec, PipelineSpec), wrong
        return entrypoints(spec, document, tmp_path)

    yield check
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "work":
            del sys.modules[name]


def one(problems: list[Problem]) -> tuple[str, str, str, str | None]:
    (problem,) = problems
    return f"{problem.position.line}:{problem.position.column}", problem.code, problem.message, problem.help


STEP = "  a: {entrypoint: 'work.code:run'%s}\n"


def test_a_function_that_fits_has_no_problems(check):
    code = "def run(x: int, *, y: str = 'a'): ..."
    assert check(code, STEP % ", parameters: {x: 1, y: b}") == []


def test_a_module_that_is_missing(check):
    assert one(check("", "  a: {entrypoint: 'work.cod:run'}")) == (
        "4:19",
        "unknown-module",
        "there is no module 'work.cod'",
        "did you mean 'work.code'?",
    )


def test_a_package_that_is_missing(check):
    _, code, message, help = one(check("", "  a: {entrypoint: 'nothing.code:run'}"))
    assert (code, message) == ("unknown-module", "there is no module 'nothing'")
    assert help == "looked for from the project's root; in the project's root: work"


def test_a_module_that_raises_is_told_with_its_line(check):
    code = "def helper():\n    raise ValueError('no data')\nhelper()\ndef run(): ..."
    assert one(check(code, STEP % "")) == (
        "4:19",
        "import-failed",
        "importing 'work.code' failed: ValueError: no data",
        "at work/code.py:2",
    )


def test_a_module_that_cannot_be_parsed(check):
    _, code, message, help = one(check("x = 1\ndef run(:\n", STEP % ""))
    assert code == "import-failed"
    assert message.startswith("importing 'work.code' failed: SyntaxError: ")
    assert help == "at work/code.py:2"


def test_a_module_that_needs_a_package_which_is_not_installed(check):
    _, code, message, help = one(check("import no_such_package_at_all", STEP % ""))
    assert code == "import-failed"
    assert message == ("importing 'work.code' failed: ModuleNotFoundError: No module named 'no_such_package_at_all'")
    assert help == "at work/code.py:1: install it into this environment"


def test_a_module_that_imports_a_module_of_the_project_by_a_wrong_name(check):
    _, code, _, help = one(check("import work.cod", STEP % ""))
    assert (code, help) == ("import-failed", "at work/code.py:1: did you mean 'work.code'?")


def test_a_module_that_exits(check):
    _, code, message, help = one(check("import sys\nsys.exit(3)", STEP % ""))
    assert (code, message) == ("import-failed", "importing 'work.code' ended the program: it calls sys.exit(3)")
    assert help == "at work/code.py:2: put that under `if __name__ == '__main__':`"


def test_a_broken_module_is_told_once(check):
    steps = STEP % "" + "  b: {entrypoint: 'work.code:other'}\n"
    assert len(check("1 / 0", steps)) == 1


def test_what_a_module_prints_goes_to_stderr(check, capsys):
    check("print('loading')\ndef run(): ...", STEP % "")
    assert capsys.readouterr() == ("", "loading\n")


def test_the_search_path_is_left_as_it_was(check):
    before = list(sys.path)
    check("def run(): ...", STEP % "")
    assert sys.path == before


def test_a_function_that_is_missing(check):
    assert one(check("def ran(): ...", STEP % "")) == (
        "4:19",
        "unknown-function",
        "module 'work.code' has no 'run'",
        "did you mean 'ran'?",
    )


def test_each_step_with_a_missing_function_is_told(check):
    assert len(check("", STEP % "" + "  b: {entrypoint: 'work.code:run'}\n")) == 2


def test_an_entrypoint_is_called(check):
    _, code, message, _ = one(check("run = 3", STEP % ""))
    assert (code, message) == ("not-callable", "'work.code:run' is no function: it is of type 'int'")


def test_an_argument_that_is_not_given(check):
    code = "import pathlib\ndef run(data: list[int], where: pathlib.Path, top=3): ..."
    assert one(check(code, STEP % ", parameters: {data: []}")) == (
        "4:19",
        "missing-argument",
        "step 'a' does not give the argument 'where' of 'work.code:run'",
        "add it to inputs or parameters; the function is run(data: list[int], where: Path, top = …)",
    )


def test_an_argument_that_the_function_does_not_have(check):
    assert one(check("def run(top=3): ...", STEP % ", parameters: {tops: 1}")) == (
        "4:49",
        "unknown-argument",
        "'work.code:run' has no argument 'tops', which step 'a' gives",
        "did you mean 'top'? the function is run(top = …)",
    )


def test_a_function_that_takes_any_argument(check):
    assert check("def run(*args, **rest): ...", STEP % ", parameters: {x: 1}") == []


def test_an_argument_that_is_positional_only(check):
    assert one(check("def run(x, /): ...", STEP % ""))[1:3] == (
        "positional-only",
        "'work.code:run' takes 'x' by position only, and a step gives arguments by name",
    )
    assert {problem.code for problem in check("def run(x, /): ...", STEP % ", parameters: {x: 1}")} == {
        "positional-only"
    }


def test_an_argument_whose_value_is_not_known_yet_is_given(check):
    head = "parameters: {v: {type: integer}}\n"
    steps = "  b: {entrypoint: 'work.code:run', parameters: {x: 1}}\n" + STEP % ", inputs: {x: '${parameters.v}'}"
    assert check("def run(x: int): ...", steps, head) == []


def test_a_class_is_called_too(check):
    code = "class run:\n    def __init__(self, x: int): ..."
    assert check(code, STEP % ", parameters: {x: 1}") == []
    assert one(check(code, STEP % ", parameters: {x: a}"))[1] == "wrong-argument-type"


def test_an_object_that_can_be_called_is_judged_by_its_call(check):
    code = "class Run:\n    x: str\n    def __call__(self, x: int): ...\nrun = Run()"
    assert check(code, STEP % ", parameters: {x: 1}") == []
    assert one(check(code, STEP % ", parameters: {x: a}"))[1] == "wrong-argument-type"


def test_a_wrapped_function_keeps_its_arguments(check):
    code = """import functools
def logged(f):
    @functools.wraps(f)
    def inner(*args, **kwargs):
        return f(*args, **kwargs)
    return inner
@logged
def run(x: int): ...
"""
    assert [problem.code for problem in check(code, STEP % ", parameters: {x: a, y: 1}")] == [
        "wrong-argument-type",
        "unknown-argument",
    ]


def test_a_value_of_another_type(check):
    assert one(check("def run(top: int): ...", STEP % ", parameters: {top: '3'}")) == (
        "4:54",
        "wrong-argument-type",
        "argument 'top' of step 'a' takes int, and is given str '3'",
        "write int, or change the annotation 'top: int'",
    )


def test_a_value_inside_a_list_stands_at_its_own_place(check):
    place, _, message, _ = one(check("def run(x: list[int]): ...", STEP % ", parameters: {x: [1, a]}"))
    assert place == "4:56"
    assert message == "argument 'x' of step 'a' takes int at [1], and is given str 'a'"


def test_a_path_is_not_made_of_a_text(check):
    code = "from pathlib import Path\ndef run(file: Path): ..."
    assert one(check(code, STEP % ", parameters: {file: a.csv}"))[3] == (
        "'file: Path' would be given a str: annotate `str`, and make a Path of it in the function"
    )


def test_annotations_that_cannot_be_read_are_not_judged(check):
    code = "def run(x: 'Missing', y: 'int'): ..."
    assert [problem.message for problem in check(code, STEP % ", parameters: {x: 1, y: a}")] == [
        "argument 'y' of step 'a' takes int, and is given str 'a'"
    ]


EDGE = "  one: {entrypoint: 'work.code:one'%s}\n  two: {entrypoint: 'work.code:two', inputs: {x: %s}}\n"


def test_a_step_that_returns_what_the_next_takes(check):
    code = "def one() -> list[int]: ...\ndef two(x: list[float]): ..."
    assert check(code, EDGE % ("", "one")) == []


def test_a_step_that_returns_something_else(check):
    code = "def one() -> list[str]: ...\ndef two(x: dict[str, int]): ..."
    assert one(check(code, EDGE % ("", "one"))) == (
        "5:50",
        "wrong-input-type",
        "argument 'x' of step 'two' takes dict[str, int], and step 'one' returns list[str]",
        "take another output, or change the annotation of 'work.code:two' or 'work.code:one'",
    )


def test_an_output_of_several_has_its_own_type(check):
    code = "def one() -> tuple[int, str]: ...\ndef two(x: str): ..."
    assert check(code, EDGE % (", outputs: [a, b]", "one.b")) == []
    assert one(check(code, EDGE % (", outputs: [a, b]", "one.a")))[2] == (
        "argument 'x' of step 'two' takes str, and step 'one' returns int"
    )


@pytest.mark.parametrize("base", ["NamedTuple", "TypedDict"])
def test_outputs_are_taken_by_name(check, base):
    code = f"from typing import {base}\nclass Both({base}):\n    b: str\n    a: int\n"
    code += "def one() -> Both: ...\ndef two(x: str): ..."
    assert check(code, EDGE % (", outputs: [a, b]", "one.b")) == []


def test_a_tuple_of_another_length(check):
    code = "def one() -> tuple[int, int, int]: ...\ndef two(x): ..."
    assert one(check(code, EDGE % (", outputs: [a, b]", "one.b"))) == (
        "4:47",
        "wrong-outputs",
        "step 'one' declares 2 outputs, 'a', 'b', and its function returns 3 values, 'tuple[int, int, int]'",
        "declare what 'work.code:one' returns, or change its return annotation",
    )


def test_a_mapping_of_other_names(check):
    code = "from typing import TypedDict\nclass Both(TypedDict):\n    b: str\n    c: int\n"
    code += "def one() -> Both: ...\ndef two(x): ..."
    assert one(check(code, EDGE % (", outputs: [a, b]", "one.b")))[2] == (
        "step 'one' declares 2 outputs, 'a', 'b', and its function returns a mapping of 'b', 'c'"
    )


def test_one_value_where_several_are_declared(check):
    code = "def one() -> int: ...\ndef two(x): ..."
    assert one(check(code, EDGE % (", outputs: [a, b]", "one.b")))[1] == "wrong-outputs"


@pytest.mark.parametrize("returns", ["dict[str, int]", "tuple", "tuple[int, ...]", "list[int]", "object", "Any", "'X'"])
def test_outputs_that_are_not_clear_are_not_judged(check, returns):
    code = f"from typing import Any\ndef one() -> {returns}: ...\ndef two(x: str): ..."
    assert check(code, EDGE % (", outputs: [a, b]", "one.b")) == []


def test_one_declared_output_is_the_value_itself(check):
    code = "def one() -> int: ...\ndef two(x: str): ..."
    assert one(check(code, EDGE % (", outputs: [a]", "one.a")))[1] == "wrong-input-type"


def test_a_callable_without_a_signature_is_not_judged(check):
    assert check("run = dict", STEP % ", parameters: {anything: 1}") == []


def test_a_table_that_is_not_known_yet_is_not_judged(check):
    head = "parameters: {all: {type: object}}\n"
    assert check("def run(x, y): ...", STEP % ', parameters: "${parameters.all}"', head) == []


def test_importing_is_interrupted_by_the_user(check):
    with pytest.raises(KeyboardInterrupt):
        check("raise KeyboardInterrupt", STEP % "")


def test_a_return_value_that_is_a_protocol_may_hold_several(check):
    code = "from typing import Protocol\nclass P(Protocol):\n    size: int\ndef run() -> P: ..."
    assert check(code, STEP % ", outputs: [low, high]") == []


def test_the_giver_of_an_input_may_be_beyond_reach(check):
    code = "def run(x: int): ..."
    steps = "  up: {entrypoint: 'nothing.at:all'}\n" + STEP % ", inputs: {x: up}"
    assert [problem.code for problem in check(code, steps)] == ["unknown-module"]

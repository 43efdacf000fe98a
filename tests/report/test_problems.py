"""Problems as people and machines read them: the line, the caret, JSON, annotations."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import Position, Problem
from runner.report.problems import as_github, as_json, as_text

PROBLEM = Problem(
    Position("stacks/prod.yaml", 12, 11, 9),
    "unknown-flavor",
    "unknown orchestrator flavor 'kuberntes'",
    "did you mean 'kubernetes'?",
)
SOURCE = "\n" * 11 + "  flavor: kuberntes\n"


def drawn(line: str, column: int, width: int) -> tuple[str, str]:
    """The source line and the carets, both behind the gutter."""
    text = as_text([Problem(Position("f", 1, column, width), "c", "m")], {"f": line})
    return text.split("\n")[1][7:], text.split("\n")[2][7:]


def test_the_line_and_a_caret_under_what_is_wrong() -> None:
    assert as_text([PROBLEM], {"stacks/prod.yaml": SOURCE}) == (
        "stacks/prod.yaml:12:11: error[unknown-flavor]: unknown orchestrator flavor 'kuberntes'\n"
        "   12 |   flavor: kuberntes\n"
        "      |           ^^^^^^^^^\n"
        "   help: did you mean 'kubernetes'?"
    )


def test_without_the_source_no_line_is_shown() -> None:
    assert as_text([PROBLEM._replace(help=None)], {}).count("\n") == 0
    assert as_text([PROBLEM], {"stacks/prod.yaml": "short"}).count("\n") == 1


def test_a_blank_line_stands_between_problems() -> None:
    assert as_text([PROBLEM, PROBLEM], {}).split("\n")[2] == ""


@pytest.mark.parametrize(
    ("line", "column", "width", "shown", "caret"),
    [
        ("a:\tb", 4, 1, "a:    b", "      ^"),
        ("\ta", 1, 1, "    a", "^^^^"),
        ("名前: 数字", 5, 2, "名前: 数字", "      ^^^^"),
        ("e\u0301t: x", 6, 1, "e\u0301t: x", "    ^"),
        ("a: \x1b[31m", 4, 1, "a: \ufffd[31m", "   ^"),
        ("ab", 3, 1, "ab", "  ^"),
        ("ab", 2, 90, "ab", " ^"),
    ],
)
def test_the_caret_stays_in_place(line: str, column: int, width: int, shown: str, caret: str) -> None:
    assert drawn(line, column, width) == (shown, caret)


def test_a_long_line_is_cut_around_the_caret() -> None:
    shown, caret = drawn("a" * 500 + "WRONG" + "b" * 500, 501, 5)
    assert len(shown) == 120
    assert (shown[0], shown[-1]) == ("…", "…")
    assert shown[caret.index("^") :][:5] == "WRONG"


def test_the_beginning_of_a_long_line_is_not_cut_when_the_caret_is_there() -> None:
    shown, caret = drawn("WRONG" + "b" * 500, 1, 5)
    assert (shown[:5], shown[-1], caret) == ("WRONG", "…", "^^^^^")


def test_a_caret_longer_than_the_line_is_cut() -> None:
    shown, caret = drawn("x" * 300, 1, 300)
    assert (len(shown) <= 121, len(caret)) == (True, 120)


def test_a_message_cannot_move_the_cursor() -> None:
    text = as_text([Problem(Position("f", 1, 1), "c", "'\x1b[2J\n'", "\x07")], {})
    assert text == "f:1:1: error[c]: '\\x1b[2J\\n'\n   help: \\x07"


def test_colour_is_nothing_but_paint() -> None:
    painted = as_text([PROBLEM], {"stacks/prod.yaml": SOURCE}, color=True)
    plain = "".join(part.split("m", 1)[-1] for part in painted.split("\x1b["))
    assert "\x1b[1;31m" in painted
    assert plain == as_text([PROBLEM], {"stacks/prod.yaml": SOURCE})


def test_json_holds_the_facts() -> None:
    assert json.loads(as_json([PROBLEM, PROBLEM._replace(help=None)])) == [
        {
            "file": "stacks/prod.yaml",
            "line": 12,
            "column": 11,
            "code": "unknown-flavor",
            "message": "unknown orchestrator flavor 'kuberntes'",
            "help": help,
        }
        for help in ("did you mean 'kubernetes'?", None)
    ]


def test_annotations_for_github() -> None:
    assert as_github([PROBLEM]) == (
        "::error file=stacks/prod.yaml,line=12,col=11,title=unknown-flavor"
        "::unknown orchestrator flavor 'kuberntes'%0Ahelp: did you mean 'kubernetes'?"
    )


def test_annotations_are_escaped() -> None:
    problem = Problem(Position("a,b:c%.yaml", 1, 1), "c", "100%\r\n::x, y")
    assert as_github([problem]) == "::error file=a%2Cb%3Ac%25.yaml,line=1,col=1,title=c::100%25%0D%0A::x, y"


def test_no_problems_are_no_text() -> None:
    assert (as_text([], {}), as_json([]), as_github([])) == ("", "[]", "")


def cells(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.category(character) in ("Mn", "Me", "Cf") for character in text)


@given(st.text(st.sampled_from("ab \t数e\u0301é-"), max_size=300), st.integers(1, 310), st.integers(1, 40))
def test_any_line_is_drawn_with_its_caret_below_the_marked_text(line: str, column: int, width: int) -> None:
    shown, caret = drawn(line, column, width)
    marked = line[column - 1 : column - 1 + width].replace("\t", "    ")
    before = 0
    for index in range(len(shown) + 1):
        before = cells(shown[:index])
        if before == caret.count(" ") and shown[index:].startswith(marked.rstrip()):
            break
    assert before == caret.count(" ") or not marked.strip()
    assert cells(shown) <= 122

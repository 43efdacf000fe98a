"""Checks as a person and as a program reads them."""

from __future__ import annotations

from runner.checks import Check
from runner.report.doctor import as_json, check_lines, closing_line

GOOD = Check("artifact store", True, "s3://ml/runner: wrote, read and deleted an object in 41 ms", "not told")
WARNING = Check("secret store", True, "secret 'TOKEN' is not set (for pipeline 'p')", "set it", warning=True)
BAD = Check("registry", False, "registry.example.com/ml: the right to push is missing (403)", "log in: docker login")


def test_a_check_that_is_not_ok_says_what_to_do() -> None:
    assert "\n".join(line for check in (GOOD, BAD) for line in check_lines(check)) == (
        "  ok    artifact store   s3://ml/runner: wrote, read and deleted an object in 41 ms\n"
        "  FAIL  registry         registry.example.com/ml: the right to push is missing (403)\n"
        "                         → log in: docker login"
    )


def test_colours_leave_the_columns_alone() -> None:
    plain, colored = next(check_lines(BAD)), next(check_lines(BAD, color=True))
    assert colored.replace("\x1b[31m", "").replace("\x1b[0m", "") == plain != colored


def test_the_last_line_counts() -> None:
    assert closing_line([GOOD, BAD]) == "1 of 2 checks failed"
    assert closing_line([GOOD]) == "all 1 checks are ok"
    assert closing_line([GOOD, WARNING]) == "all 2 checks are ok, 1 warning"


def test_a_warning_says_what_to_do_too() -> None:
    first, second = check_lines(WARNING)
    assert first.startswith("  warn  secret store ") and second.endswith("→ set it")


def test_the_same_for_a_program() -> None:
    facts = as_json([GOOD, BAD])
    assert facts["ok"] is False and [each["name"] for each in facts["checks"]] == ["artifact store", "registry"]

"""Parameters from a command line and from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.cli.parameters import as_arguments, parameters
from runner.errors import InvalidDocuments, UsageError
from runner.validate.parameters import RawText


def test_pairs_stay_text_until_their_type_is_known() -> None:
    assert parameters(["a=1", "b=x=y", "c="], None) == {"a": RawText("1"), "b": RawText("x=y"), "c": RawText("")}


def test_the_command_line_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("a: 1\nb: [2, 3]\n")
    assert parameters(["a=5"], file) == {"a": RawText("5"), "b": [2, 3]}


@pytest.mark.parametrize(
    ("name", "text"),
    [("p.json", '{"a": 1, "on": true}'), ("p.toml", "a = 1\non = true\n"), ("p.yaml", "a: 1\non: true\n")],
)
def test_a_file_is_json_toml_or_yaml(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert parameters([], tmp_path / name) == {"a": 1, "on": True}


@pytest.mark.parametrize("pair", ["a", "=1", " =1"])
def test_a_pair_has_a_name_and_a_value(pair: str) -> None:
    with pytest.raises(UsageError, match="is not a parameter"):
        parameters([pair], None)


@pytest.mark.parametrize("text", ["- a\n", "a: 1\n---\nb: 2\n", "just text\n"])
def test_a_file_holds_one_mapping(tmp_path: Path, text: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match="does not hold one mapping"):
        parameters([], file)


def test_a_broken_file_is_shown_at_its_line(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("a: [1,\n")
    with pytest.raises(InvalidDocuments):
        parameters([], file)


def test_options_become_a_command_line_again() -> None:
    assert as_arguments("s", ("a=-1",), Path("f.yaml"), ("x", "y"), (), ("z",), True) == [
        "--stack=s",
        "--param=a=-1",
        "--params-file=f.yaml",
        "--only=x",
        "--only=y",
        "--to=z",
        "--no-cache",
    ]

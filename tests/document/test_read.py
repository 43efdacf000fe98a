"""Files: what is refused before it is parsed, and the kinds of documents."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.document.read import MAX_SIZE, read_file, read_nodes, read_text, text_of


def told(path: Path) -> list[tuple[str, int, int]]:
    documents, problems = read_file(path, "f.yaml")
    assert documents == []
    return [(p.code, p.position.line, p.position.column) for p in problems]


def test_a_file_of_several_documents(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text("kind: stack\nname: a\n---\nkind: resources\nname: b\n")
    documents, problems = read_file(file, "shown.yaml")
    assert problems == []
    assert [(d.file, d.kind, d.name) for d in documents] == [
        ("shown.yaml", "stack", "a"),
        ("shown.yaml", "resources", "b"),
    ]


def test_the_suffix_tells_toml() -> None:
    assert read_text('kind = "stack"', "a.TOML")[0][0].kind == "stack"
    assert read_text("kind: stack", "a.yml")[0][0].kind == "stack"


def test_a_sparse_file_of_100_mb_is_refused_without_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "f.yaml"
    with file.open("wb") as stream:
        os.truncate(stream.fileno(), 100_000_000)
    monkeypatch.setattr(Path, "read_bytes", None)
    assert told(file) == [("too-large", 1, 1)]


def test_a_file_of_just_the_most_is_read(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(b"kind: stack\n" + b"#" * (MAX_SIZE - 12))
    assert len(read_file(file)[0]) == 1


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ("empty", 1, 1)),
        (b"# nothing\n---\n", ("empty", 1, 1)),
        (b"kind: stack\nname: \xe9", ("encoding", 2, 7)),
        ("# é\nname: ".encode() + b"\xff", ("encoding", 2, 7)),
        (b"\xef\xbb\xbfkind: stack", ("encoding", 1, 1)),
        ("kind: stack".encode("utf-16"), ("encoding", 1, 1)),
        (b"kind: stack\r\na: \x00", ("character", 2, 4)),
        (b"kind: stack\na: \x1b[31m", ("character", 2, 4)),
        ("kind: stack\na: \u2028".encode(), ("character", 2, 4)),
        ("kind: stack\na: \x85".encode(), ("character", 2, 4)),
        (b"[kind, stack]", ("no-mapping", 1, 1)),
        (b"kind", ("no-mapping", 1, 1)),
        (b"name: x", ("missing-kind", 1, 1)),
        (b"a: 1\nkid: stack", ("missing-kind", 2, 1)),
        (b"kind: stak", ("unknown-kind", 1, 7)),
        (b"kind: {a: 1}", ("unknown-kind", 1, 7)),
        (b"kind:", ("unknown-kind", 1, 6)),
        (b"!x {kind: stack}", ("tag", 1, 1)),
    ],
)
def test_what_is_refused_and_where(data: bytes, expected: tuple[str, int, int], tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(data)
    assert told(file) == [expected]


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "train.yaml").touch()
    assert read_file(tmp_path / "trian.yaml")[1][0].help == f"did you mean '{tmp_path / 'train.yaml'}'?"
    assert read_file(tmp_path / "no" / "a.yaml")[1][0].help == f"there is no folder '{tmp_path / 'no'}' either"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert told(tmp_path) == [("no-file", 1, 1)]


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    assert told(tmp_path / "pipe.yaml") == [("no-file", 1, 1)]


def test_a_name_that_no_file_can_have() -> None:
    assert told(Path("a\0b")) == [("unreadable", 1, 1)]


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    (tmp_path / "f.yaml").touch()
    assert told(tmp_path / "f.yaml") == [("unreadable", 1, 1)]


def test_the_text_of_a_file_whatever_it_holds(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("a: [")
    assert text_of(tmp_path / "p.yaml") == ("a: [", [])


def test_values_of_no_kind_can_be_read_as_well() -> None:
    nodes, problems = read_nodes("size: 0.5\nmodel: forest", "params.yaml")
    assert (problems, nodes[0].plain()) == ([], {"size": 0.5, "model": "forest"})


@given(st.text(), st.sampled_from(["f.yaml", "f.toml"]))
def test_any_text_gives_documents_or_problems(text: str, file: str) -> None:
    documents, problems = read_text(text, file)
    assert documents or problems


@given(data=st.binary())
def test_any_bytes_give_documents_or_problems(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(data)
    documents, problems = read_file(file)
    assert documents or problems

"""A file → documents, each with its kind: size, encoding and characters are checked before anything is parsed."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from runner.document.node import UNKNOWN, Document, Node
from runner.errors import Position, Problem, nearest
from runner.spec.stack import COMPONENT_KINDS

MAX_SIZE = 32_000_000
KINDS = ("pipeline", "stack", "resources", *COMPONENT_KINDS)
_SUPPORTED = ", ".join(KINDS)

# What YAML 1.2 does not let stand in a text, and line breaks that only YAML 1.1 knew: editors count them differently.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")
_MARKS = {b"\xef\xbb\xbf": "UTF-8", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def read_file(path: Path, shown: str | None = None) -> tuple[list[Document], list[Problem]]:
    """The documents of a file and what is wrong in them; `shown` is the file's name in messages."""
    text, problems = text_of(path, shown)
    return ([], problems) if text is None else read_text(text, shown or str(path))


def text_of(path: Path, shown: str | None = None) -> tuple[str | None, list[Problem]]:
    """The text of a file that is not too large, or what keeps it from being read."""
    file = shown or str(path)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            if stat.S_ISDIR(status.st_mode):
                return None, [_problem(file, "no-file", f"'{file}' is a folder", "name one of the files in it")]
            return None, [_problem(file, "no-file", f"'{file}' is not a file", "name a regular file")]
        if status.st_size > MAX_SIZE:
            size = f"{status.st_size / 1e6:,.0f} MB"
            message = f"the file has {size}; the most that is read is {MAX_SIZE // 1_000_000} MB"
            return None, [_problem(file, "too-large", message, "split it into several files")]
        return _decoded(path.read_bytes(), file)
    except FileNotFoundError:
        return None, [_problem(file, "no-file", f"there is no file '{file}'", neighbour(path))]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return None, [_problem(file, "unreadable", f"'{file}' cannot be read: {reason}")]


def read_text(text: str, file: str) -> tuple[list[Document], list[Problem]]:
    """The documents of a text: TOML when the file's name ends in .toml, else YAML.

    Documents with problems are given too, so that whoever reads on finds the rest of them; left out are those that
    cannot be parsed, are no mapping, or are of no known kind.
    """
    nodes, problems = read_nodes(text, file)
    if not nodes and not problems:
        return [], [_problem(file, "empty", "the file holds no document", f"start with 'kind:', one of {_SUPPORTED}")]
    documents = []
    for node in nodes:
        document = Document(file, node, text)
        problem = _kind_problem(document)
        if problem:
            problems.append(problem)
        elif node.value is not UNKNOWN:
            documents.append(document)
    return documents, problems


def read_nodes(text: str, file: str) -> tuple[list[Node], list[Problem]]:
    """The values in a text, of whatever kind they are; for files that hold no documents, as parameters for a run."""
    found = _FORBIDDEN.search(text)
    if found:
        return [], [_forbidden(text, found.start(), file)]
    if file.lower().endswith(".toml"):
        from runner.document.toml import parse_toml

        return parse_toml(text, file)
    from runner.document.yaml import parse_yaml

    return parse_yaml(text, file)


def neighbour(path: Path) -> str:
    """Help for a file that is not there: the nearest name beside it."""
    if not path.parent.is_dir():
        return f"there is no folder '{path.parent}' either"
    names = sorted(other.name for other in path.parent.iterdir() if other.name != path.name)
    near = nearest(path.name, names[:1000])
    return (
        f"did you mean '{path.parent / near}'?" if near else f"nothing in the folder '{path.parent}' is named like it"
    )


def _kind_problem(document: Document) -> Problem | None:
    node, known = document.node, f"known kinds: {_SUPPORTED}"
    if node.value is UNKNOWN:  # a problem of its own
        return None
    if not isinstance(node.value, dict):
        shape = "a list" if isinstance(node.value, list) else f"'{str(node.value)[:40]}'"
        message = f"a document is a mapping of keys to values, not {shape}"
        return Problem(document.position(()), "no-mapping", message, f"start with 'kind:', one of {_SUPPORTED}")
    kind = node.child("kind")
    if kind is None:
        near = next((key for key in node.value if nearest(key, ["kind"])), None)
        if near:
            help = f"did you mean 'kind' instead of '{near}'?"
            return Problem(document.position((near,), key=True), "missing-kind", "the document has no key 'kind'", help)
        return Problem(document.position(()), "missing-kind", "the document has no key 'kind'", f"add one; {known}")
    if kind.value in KINDS:
        return None
    if not isinstance(kind.value, str):
        return Problem(document.position(("kind",)), "unknown-kind", "'kind' is not a word", known)
    near = nearest(kind.value, KINDS)
    help = f"did you mean '{near}'? {known}" if near else known
    return Problem(document.position(("kind",)), "unknown-kind", f"unknown kind '{kind.value}'", help)


def _decoded(data: bytes, file: str) -> tuple[str | None, list[Problem]]:
    for mark, name in _MARKS.items():
        if data.startswith(mark):
            message = f"the file starts with the byte order mark of {name}"
            return None, [_problem(file, "encoding", message, "save it as UTF-8 without byte order mark")]
    try:
        return data.decode(), []
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = len(before.rpartition(b"\n")[2].decode(errors="replace")) + 1
        place = Position(file, before.count(b"\n") + 1, column)
        message = f"the file is not UTF-8: the byte 0x{data[error.start]:02x} starts no character here"
        return None, [Problem(place, "encoding", message, "save it as UTF-8")]


def _forbidden(text: str, offset: int, file: str) -> Problem:
    lines = re.split(r"\r\n|\r|\n", text[:offset])
    message = f"the character U+{ord(text[offset]):04X} may not stand in a document"
    help = f'remove it, or write it as "\\u{ord(text[offset]):04X}" in double quotes'
    return Problem(Position(file, len(lines), len(lines[-1]) + 1), "character", message, help)


def _problem(file: str, code: str, message: str, help: str | None = None) -> Problem:
    return Problem(Position(file, 1, 1), code, message, help)

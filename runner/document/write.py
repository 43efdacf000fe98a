"""Plain data → the text of a YAML document, and a document's text with some of its fields changed."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any

# Text that no version of YAML takes for a number, a time, a boolean, or for syntax.
_PLAIN = re.compile("[A-Za-z/][A-Za-z0-9_./-]*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
_ONE_LINE = 1_000_000  # characters: a command line in several lines is harder to read than in one
_MARK = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)


def to_yaml(value: Mapping[str, Any]) -> str:
    """A document that reads back as this value; keys keep their order."""
    return _dumped(dict(value))


def to_manifest(value: Mapping[str, Any]) -> str:
    """The same for readers of YAML 1.1, as Kubernetes' are: what they could take for anything but text is quoted."""
    return _dumped(_quoted(value), width=_ONE_LINE)


def edited(text: str, fields: Mapping[str, Any], removed: Collection[str] = ()) -> str:
    """The text of one YAML document with top-level fields set or removed; comments and order are kept."""
    document = _yaml().load(text)
    for key, value in fields.items():
        document[key] = value
    for key in removed:
        document.pop(key, None)
    return _dumped(document)


def segments(text: str) -> list[tuple[int, str]]:
    """The documents of a YAML text as texts, each with the line that it begins at, comments before it included.

    `---` at the beginning of a line starts a document wherever it stands (YAML 1.2, 9.1.2).
    """
    starts = [0, *(match.start() for match in _MARK.finditer(text)), len(text)]
    found = []
    for start, end in pairwise(starts):
        piece, line = text[start:end], text.count("\n", 0, start) + 1
        if mark := re.match(r"---[ \t]*(#[^\n]*)?\n", piece):
            piece, line = piece[mark.end() :], line + 1
        found.append((line, piece))
    return found


def _dumped(value: Any, width: int = 110) -> str:
    stream = io.StringIO()
    _yaml(width).dump(value, stream)
    return stream.getvalue()


def _quoted(value: Any) -> Any:
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, SingleQuotedScalarString  # as below

    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        easier = '"' in value and value.isprintable()  # JSON has no end of them
        return SingleQuotedScalarString(value) if easier else DoubleQuotedScalarString(value)
    if isinstance(value, Mapping):
        return {_quoted(key): _quoted(member) for key, member in value.items()}
    return [_quoted(each) for each in value] if isinstance(value, list | tuple) else value


def _yaml(width: int = 110) -> Any:
    from ruamel.yaml import YAML  # slow to import, and only what writes needs it

    yaml = YAML(typ="rt", pure=True)
    yaml.version = None
    yaml.default_flow_style = False
    yaml.width = width
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml

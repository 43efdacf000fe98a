"""Plain data → the text of a YAML document, and a document's text with some of its fields changed."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from typing import Any

# Text that no version of YAML takes for a number, a time, a boolean, or for syntax.
_PLAIN = re.compile("[A-Za-z/][A-Za-z0-9_./-]*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
_MARK = re.compile(r"^---(?=\s|\Z)", re.MULTILINE)


def to_yaml(value: Mapping[str, Any]) -> str:
    """A document that reads back as this value; keys keep their order."""
    return _dumped(dict(value))


def to_manifest(value: Mapping[str, Any]) -> str:
    """The same for readers of YAML 1.1, as Kubernetes' are: what they could take for anything but text is quoted.

    Each text stands in one line: a command line in several is harder to read. Written by hand, since a document of
    megabytes takes a library ten seconds.
    """
    return "".join(f"{line}\n" for line in _block(value, "")) or "{}\n"


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


def _block(value: Any, indent: str) -> Iterator[str]:
    """The lines of a mapping or a list that is not empty."""
    if isinstance(value, Mapping):
        for key, member in value.items():
            if isinstance(member, Mapping | list | tuple) and member:
                yield f"{indent}{_scalar(key)}:"
                yield from _block(member, f"{indent}  ")
            else:
                yield f"{indent}{_scalar(key)}: {_scalar(member)}"
        return
    for element in value:
        if isinstance(element, Mapping) and element:
            first, *rest = _block(element, f"{indent}  ")
            yield f"{indent}- {first[len(indent) + 2 :]}"
            yield from rest
        elif isinstance(element, list | tuple) and element:
            yield f"{indent}-"
            yield from _block(element, f"{indent}  ")
        else:
            yield f"{indent}- {_scalar(element)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float):
        text = repr(value)
        return text.replace("e", ".0e") if "e" in text and "." not in text else text  # a dot makes it a number
    return str(value) if isinstance(value, int) else "{}" if isinstance(value, Mapping) else "[]"


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if '"' in text and text.isprintable():  # JSON has no end of them
        return "'" + text.replace("'", "''") + "'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    if not text.isprintable():
        escaped = "".join(each if each.isprintable() else _ESCAPES.get(each) or _escape(each) for each in escaped)
    return f'"{escaped}"'


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _dumped(value: Any) -> str:
    stream = io.StringIO()
    _yaml().dump(value, stream)
    return stream.getvalue()


def _yaml() -> Any:
    from ruamel.yaml import YAML  # slow to import, and only what writes needs it

    yaml = YAML(typ="rt", pure=True)
    yaml.version = None
    yaml.default_flow_style = False
    yaml.width = 110
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml

"""Secrets' values kept out of texts, and of what comes in pieces.

A value is masked in the forms that programs print it in: as it is, each of its lines, as Python, JSON and an address of
the web write it. Other encodings (base64, a hash, one character a line) are not recognised.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import AnyStr

from runner.secret_store.stores import SHORTEST

MASK = "***"


def forms_of(value: str) -> set[str]:
    """The texts that give a secret away. Lines shorter than a secret may be count only as part of the whole."""
    from urllib.parse import quote, quote_plus  # only a step with a secret needs it

    forms = {value}
    for part in {value, value.strip(), *value.splitlines(), *map(str.strip, value.splitlines())}:
        raw = _encoded(part)
        forms |= {part, repr(part)[1:-1], repr(part + '"')[1:-2], repr(raw)[2:-1]}
        forms |= {json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1]}
        forms |= {quote(raw), quote(raw, safe=""), quote_plus(raw)}
    return {form for form in forms if len(form) >= SHORTEST}


def masked(text: str, forms: Iterable[str]) -> str:
    """The text with every occurrence of a form replaced, also of those that overlap."""
    parts, end = [], 0
    for start, stop in _merged(_spans(text, forms)):
        parts += [text[end:start], MASK]
        end = stop
    return "".join([*parts, text[end:]]) if parts else text


def _spans(text: AnyStr, forms: Iterable[AnyStr]) -> list[tuple[int, int]]:
    found = []
    for form in forms:
        start = text.find(form)
        while start >= 0:
            found.append((start, start + len(form)))
            start = text.find(form, start + 1)
    return found


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order; those that overlap are one."""
    found: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        else:
            found.append((start, stop))
    return found


class Stream:
    """Masks what comes in pieces: keeps back an end of them with which a form may have begun."""

    def __init__(self) -> None:
        self.forms: set[bytes] = set()
        self.rest = b""
        self.covered = 0  # bytes of the rest that belong to a form whose mask was given out already

    def add(self, forms: Iterable[str]) -> None:
        """Mask these texts from now on."""
        self.forms |= {_encoded(form) for form in forms}

    def feed(self, data: bytes) -> bytes:
        """What can be written now."""
        data = self.rest + data
        return self._masked(data, len(data) - self._begun(data))

    def end(self) -> bytes:
        """What was kept back, when nothing more will come."""
        return self._masked(self.rest, len(self.rest))

    def _masked(self, data: bytes, safe: int) -> bytes:
        """What to write for the data up to `safe`; the rest is kept."""
        covered, parts, end = self.covered, [], 0
        for start, stop in _merged([(0, covered)] * bool(covered) + _spans(data, self.forms)):
            if start >= safe:
                break
            parts += [data[end:start], b"" if covered and not start else MASK.encode()]
            end = stop
        parts.append(data[end:safe])
        self.rest, self.covered = data[safe:], max(0, max(end, covered) - safe)
        return b"".join(parts)

    def _begun(self, data: bytes) -> int:
        """The length of the longest end of the data that a form begins with, and is not all of."""
        longest = 0
        for form in self.forms:
            tail = data[-(len(form) - 1) :]
            start = tail.find(form[:1])
            while 0 <= start < len(tail) - longest:
                if form.startswith(tail[start:]):
                    longest = len(tail) - start
                    break
                start = tail.find(form[:1], start + 1)
        return longest


def _encoded(form: str) -> bytes:
    try:
        return form.encode("utf-8", "surrogateescape")  # as a value from the environment was decoded
    except UnicodeEncodeError:
        return form.encode("utf-8", "surrogatepass")

"""Secrets in a file that only its owner can read: one `NAME=value` after another.

```
# a comment
TOKEN=everything to the end of the line, "quotes", = and # included
KEY='all as it stands,
over several lines'
PADDED=" spaces stay; \\n and \\t are what they are in JSON, and any other character after \\ is itself "
```
A line may begin with `export`. Messages tell a line's number and never what stands there.
"""

from __future__ import annotations

import os
import re
import shlex
import stat

from runner.secret_store.base import SecretMissing, SecretStore, SecretStoreError

_HEAD = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_SKIP = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_SINGLE = re.compile(r"'([^']*)'")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\n": ""}


class FileSecretStore(SecretStore):
    """`TOKEN` is what the file at `path` gives that name; the file is read once, when it is first asked."""

    _values: dict[str, str] | None = None

    def get(self, name: str) -> str:
        path = os.path.join(self.root, self.settings["path"])
        if self._values is None:
            self._values = parse(_text(path), path)
        if name not in self._values:
            raise SecretMissing(name, f"the secret store is '{path}', which has no {name}", f"add a line {name}=…")
        return self._values[name]


def parse(text: str, path: str) -> dict[str, str]:
    """The names and values of a file's text. Raises SecretStoreError with the number of the line that is wrong."""
    values: dict[str, str] = {}
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    place = 0
    while place < len(text):
        if skipped := _SKIP.match(text, place):
            place = skipped.end()
            continue
        head = _HEAD.match(text, place)
        if head is None:
            raise _wrong(path, text, place, "is no NAME=value", "a name has letters, digits and '_', no digit first")
        if head[1] in values:
            raise _wrong(path, text, place, f"sets '{head[1]}' a second time", "remove one of the two")
        values[head[1]], place = _value(text, head.end(), path)
    return values


def _value(text: str, place: int, path: str) -> tuple[str, int]:
    """A value that starts at `place`, and where the next line starts."""
    quote = text[place : place + 1]
    if quote not in ("'", '"'):
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        return text[place:end].strip(), end + 1
    found = (_SINGLE if quote == "'" else _DOUBLE).match(text, place)
    if found is None:
        raise _wrong(path, text, place, f"opens a {quote} that is never closed", "close it, or leave both quotes out")
    rest = _SKIP.match(text, found.end())
    if rest is None:
        raise _wrong(
            path, text, found.end(), "goes on after the closing quote", "put the other kind of quotes around all of it"
        )
    value = found[1] if quote == "'" else _ESCAPE.sub(lambda escape: _ESCAPES.get(escape[1], escape[1]), found[1])
    return value, rest.end()


def _wrong(path: str, text: str, place: int, what: str, help: str) -> SecretStoreError:
    line = text.count("\n", 0, place) + 1
    return SecretStoreError(f"line {line} of the secret store '{path}' {what}", help)


def _text(path: str) -> str:
    """What stands in a file that nobody else can read. Raises SecretStoreError for any other."""
    try:
        # Not blocking: a FIFO would wait for a writer before it could be refused.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            _refuse_what_others_read(path, os.fstat(descriptor))
            with open(descriptor, "rb", closefd=False) as file:
                return file.read().decode()
        finally:
            os.close(descriptor)
    except OSError as error:
        help = "make it, with mode 0600" if isinstance(error, FileNotFoundError) else "is it the right file?"
        raise SecretStoreError(f"the secret store '{path}' cannot be read: {error.strerror}", help) from None
    except UnicodeDecodeError:
        raise SecretStoreError(f"the secret store '{path}' is no text in UTF-8", "write it anew") from None


def _refuse_what_others_read(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise SecretStoreError(f"the secret store '{path}' is no file", "name a file of NAME=value lines")
    mode = stat.S_IMODE(found.st_mode)
    if mode & ~0o600:
        raise SecretStoreError(
            f"the secret store '{path}' has mode {mode:04o}: a file of secrets must be readable by its owner alone",
            f"run: chmod 600 {shlex.quote(path)}",
        )
    if found.st_uid not in (os.geteuid(), 0):
        raise SecretStoreError(
            f"the secret store '{path}' belongs to user {found.st_uid}, and steps run as user {os.geteuid()}",
            f"make it your own: chown {os.geteuid()} {shlex.quote(path)}",
        )

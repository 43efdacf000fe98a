"""What was applied: the revisions of stacks, components and resources, and which stack is active.

One SQLite file, `.runner/catalog.db`. A change is one transaction: two at once do not interleave, and one that is
interrupted leaves what was there before.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from runner.errors import StateError

VERSION = 1
PATIENCE = 60.0  # seconds that one change waits for another
APPLIED, DELETED = "applied", "deleted"
SCHEMA = """
CREATE TABLE IF NOT EXISTS revisions (
    kind TEXT NOT NULL, name TEXT NOT NULL, number INTEGER NOT NULL, action TEXT NOT NULL, time REAL NOT NULL,
    author TEXT NOT NULL, source TEXT NOT NULL, line INTEGER NOT NULL, digest TEXT NOT NULL, text TEXT NOT NULL,
    language TEXT NOT NULL,
    PRIMARY KEY (kind, name, number)
);
CREATE TABLE IF NOT EXISTS chosen (what TEXT PRIMARY KEY, name TEXT NOT NULL);
"""
_COLUMNS = "kind, name, number, action, time, author, source, line, digest, text, language"


class Revision(NamedTuple):
    """A document as it was applied, or that it was deleted.

    `number` counts from 1 for each kind and name      `time` seconds since 1970
    `source` its file, relative to the project's root; empty for a command      `line` where it begins there
    `digest` of what it declares, comments and layout aside      `text` as it was written, in `language`: yaml or toml
    """

    kind: str
    name: str
    number: int
    action: str
    time: float
    author: str
    source: str
    line: int
    digest: str
    text: str
    language: str = "yaml"


class Catalog:
    """The catalog of a project's state folder. All methods raise StateError when the file cannot be used."""

    def __init__(self, path: Path, *, make: bool = False) -> None:
        import sqlite3  # not where nothing was ever applied: `validate` looks here each time

        self.path = path
        self.sqlite3 = sqlite3
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
            if make:
                self.connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;")
            if (version := self._version()) == 0:
                raise self._damaged("it is empty")
            if version != VERSION:
                raise StateError(
                    f"'{path}' was written by another version of runner (format {version}, this one reads {VERSION})",
                    "use that version, or move the file away and apply the documents again",
                )

    def current(self) -> list[Revision]:
        """What is declared now, by kind and name."""
        rows = self._rows(
            f"SELECT {_COLUMNS} FROM revisions AS r WHERE action = '{APPLIED}' AND number = "  # noqa: S608
            "(SELECT max(number) FROM revisions WHERE kind = r.kind AND name = r.name) ORDER BY kind, name"
        )
        return [Revision(*row) for row in rows]

    def history(self, kind: str, name: str) -> list[Revision]:
        """Every revision of a document, the first one first."""
        query = f"SELECT {_COLUMNS} FROM revisions WHERE kind = ? AND name = ? ORDER BY number"  # noqa: S608
        return [Revision(*row) for row in self._rows(query, kind, name)]

    def active(self) -> str | None:
        """The stack that was set."""
        rows = self._rows("SELECT name FROM chosen WHERE what = 'stack'")
        return rows[0][0] if rows else None

    def set_active(self, stack: str | None) -> None:
        """Set the active stack; None takes the choice back."""
        if stack is None:
            self._rows("DELETE FROM chosen WHERE what = 'stack'")
        else:
            self._rows("INSERT OR REPLACE INTO chosen VALUES ('stack', ?)", stack)

    def add(self, revision: Revision) -> Revision:
        """Record a revision under the next number of its kind and name; gives it with that number."""
        earlier = self._rows(
            "SELECT max(number) FROM revisions WHERE kind = ? AND name = ?", revision.kind, revision.name
        )
        revision = revision._replace(number=(earlier[0][0] or 0) + 1)
        self._rows(f"INSERT INTO revisions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", *revision)  # noqa: S608
        return revision

    def refresh(self, revision: Revision) -> None:
        """Let a revision stand where its document stands now: what it declares is the same."""
        self._rows(
            "UPDATE revisions SET source = ?, line = ?, text = ?, language = ? "
            "WHERE kind = ? AND name = ? AND number = ?",
            *revision[6:8],
            *revision[9:11],
            *revision[:3],
        )

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """One change, all or nothing; another one waits until it is over."""
        self._rows("BEGIN IMMEDIATE")
        try:
            yield
            self._rows("COMMIT")
        except BaseException:
            with contextlib.suppress(self.sqlite3.Error):
                self.connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        with contextlib.suppress(self.sqlite3.Error):
            self.connection.close()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _damaged(self, reason: str) -> StateError:
        help = (
            f"move it away (mv {self.path} {self.path}.damaged) and apply the documents again; what commands "
            "registered is in no file: `runner stack export` writes one"
        )
        return StateError(f"the catalog '{self.path}' cannot be read: {reason}", help)

    def _version(self) -> int:
        found: int = self.connection.execute("PRAGMA user_version").fetchone()[0]
        return found

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._told():
            return self.connection.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self.sqlite3.OperationalError as error:
            help = "look at its permissions and at the room on its disk, and whether another command holds it"
            raise StateError(f"the catalog '{self.path}' cannot be used: {error}", help) from error
        except self.sqlite3.DatabaseError as error:
            raise self._damaged(str(error)) from error
        except OSError as error:
            help = "make it writable for this user"
            raise StateError(f"the state folder '{self.path.parent}' cannot be used: {error.strerror}", help) from error


def open_catalog(state: Path, *, make: bool = False) -> Catalog | None:
    """The catalog of a state folder; None when nothing was ever applied there, unless `make` asks for a new one."""
    path = state / "catalog.db"
    if not path.exists():
        if not make:
            return None
        _make(path)
    return Catalog(path)


def _make(path: Path) -> None:
    """A new catalog, there whole or not at all: an empty file is a damaged one."""
    new = path.with_name(f"{path.name}.{os.getpid()}.{time.time_ns():x}")
    Catalog(new, make=True).close()
    with contextlib.suppress(FileExistsError):
        os.link(new, path)
    new.unlink()

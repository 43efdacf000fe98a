"""The run store in one SQLite file, shared by every process of a project."""

from __future__ import annotations

import contextlib
import fcntl
import json
import shlex
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from runner.errors import StateError
from runner.records import RUN_ENDS, RUNNING, Event, Run
from runner.run_store.base import RunStore

VERSION = 1
PATIENCE = 60.0  # seconds that a writer waits for the others

SCHEMA = """
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY, pipeline TEXT NOT NULL, stack TEXT NOT NULL, status TEXT NOT NULL,
    started REAL NOT NULL, ended REAL, parameters TEXT NOT NULL, reason TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX runs_by_start ON runs (started);
CREATE TABLE events (
    number INTEGER PRIMARY KEY, run_id TEXT NOT NULL, event TEXT NOT NULL, time REAL NOT NULL,
    step TEXT, attempt INTEGER, data TEXT NOT NULL
);
CREATE INDEX events_by_run ON events (run_id, number);
"""
_EVENT = '{"event":"%s","run_id":%s,"time":%r,"step":%s,"attempt":%s,"data":%s}'
T = TypeVar("T")


class SqliteRunStore(RunStore):
    """Events and runs in `.runner/runner.db` (WAL). Many processes may write at once; each waits its turn.

    `synchronous=NORMAL`: what was appended survives the death of every process; a power cut may take the last moments.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
            self.connection.execute("PRAGMA synchronous = NORMAL")
            if self._patiently(lambda: self._pragma("user_version")) == 0:
                self._create()
            if (version := self._patiently(lambda: self._pragma("user_version"))) != VERSION:
                raise StateError(
                    f"'{path}' was written by another version of runner (format {version}, this one reads {VERSION})",
                    f"use that version, or {_move_away(path)}",
                )

    def append(self, *events: Event) -> None:
        with self._told():
            self._patiently(lambda: self._append(events))

    def events(self, run_id: str, after: int = 0) -> list[tuple[int, Event]]:
        rows = self._rows(
            "SELECT number, event, run_id, time, step, attempt, data FROM events "
            "WHERE run_id = ? AND number > ? ORDER BY number",
            (run_id, after),
        )
        with self._told():
            return [
                (number, Event(event, run, time, step, attempt, json.loads(data)))
                for number, event, run, time, step, attempt, data in rows
            ]

    def as_json(self, run_id: str) -> str:
        """A run's events as a JSON array, in order; made of the texts as they are stored, which is ten times faster."""
        rows = self._rows(
            "SELECT event, time, step, attempt, data FROM events WHERE run_id = ? ORDER BY number", (run_id,)
        )
        run = json.dumps(run_id)
        steps = {step: json.dumps(step) for step in {row[2] for row in rows}}
        texts = [
            _EVENT % (event, run, time, steps[step], "null" if attempt is None else attempt, data)
            for event, time, step, attempt, data in rows
        ]
        return f"[{','.join(texts)}]"

    def runs(self, limit: int, pipeline: str | None = None) -> list[Run]:
        where = "" if pipeline is None else "WHERE pipeline = ?"
        rows = self._rows(
            "SELECT run_id, pipeline, stack, status, started, ended, parameters, reason FROM runs "  # noqa: S608
            f"{where} ORDER BY started DESC, run_id DESC LIMIT ?",
            (*(() if pipeline is None else (pipeline,)), limit),
        )
        with self._told():
            return [
                Run(run_id, name, stack, status, started, ended, json.loads(parameters), reason=reason)
                for run_id, name, stack, status, started, ended, parameters, reason in rows
            ]

    def run_ids(self, prefix: str) -> list[str]:
        end = prefix + "\U0010ffff"
        rows = self._rows(
            "SELECT run_id FROM runs WHERE run_id >= ? AND run_id < ? ORDER BY started DESC, run_id DESC", (prefix, end)
        )
        return [run_id for (run_id,) in rows]

    def delete(self, run_id: str) -> None:
        def both() -> None:
            with self._transaction():
                self.connection.execute("DELETE FROM events WHERE run_id = ?", (run_id,))
                self.connection.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))

        with self._told():
            self._patiently(both)

    def replace(self, run_id: str, events: Iterable[Event]) -> None:
        events = list(events)  # it may have to be tried again

        def all_at_once() -> None:
            with self._transaction():
                self.connection.execute("DELETE FROM events WHERE run_id = ?", (run_id,))
                self.connection.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
                for event in events:
                    self._add(event)

        with self._told():
            self._patiently(all_at_once)

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self.connection.close()

    def _append(self, events: tuple[Event, ...]) -> None:
        if len(events) == 1 and events[0].step is not None:
            self._insert(events[0])  # a statement by itself is a transaction
            return
        with self._transaction():
            for event in events:
                self._add(event)

    def _add(self, event: Event) -> None:
        self._insert(event)
        if event.step is None:
            self._update_run(event)

    def _insert(self, event: Event) -> None:
        self.connection.execute(
            "INSERT INTO events (run_id, event, time, step, attempt, data) VALUES (?, ?, ?, ?, ?, ?)",
            (event.run_id, event.event, event.time, event.step, event.attempt, json.dumps(event.data)),
        )

    def _update_run(self, event: Event) -> None:
        data = event.data
        if event.event == "run_started":
            self.connection.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, NULL, ?, '') "
                "ON CONFLICT (run_id) DO UPDATE SET status = excluded.status, ended = NULL, reason = ''",
                (event.run_id, data["pipeline"], data["stack"], RUNNING, event.time, json.dumps(data["parameters"])),
            )
        elif event.event in RUN_ENDS:
            self.connection.execute(
                "UPDATE runs SET status = ?, ended = ?, reason = ? WHERE run_id = ?",
                (event.event.removeprefix("run_"), event.time, data.get("reason", ""), event.run_id),
            )

    def _create(self) -> None:
        # One process makes the file; the others wait here, since a change to WAL does not wait by itself.
        with open(self.path.with_suffix(".lock"), "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._patiently(lambda: self._pragma("user_version")):
                return
            self._patiently(lambda: self.connection.execute("PRAGMA journal_mode = WAL"))
            self._patiently(self._write_schema)

    def _write_schema(self) -> None:
        with self._transaction():
            for statement in SCHEMA.split(";"):
                self.connection.execute(statement)
            self.connection.execute(f"PRAGMA user_version = {VERSION}")

    def _pragma(self, name: str) -> Any:
        return self.connection.execute(f"PRAGMA {name}").fetchone()[0]

    def _rows(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._told():
            return self._patiently(lambda: self.connection.execute(query, values).fetchall())

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # SQLite may have rolled back by itself: the first error counts
                self.connection.execute("ROLLBACK")
            raise

    def _patiently(self, action: Callable[[], T]) -> T:
        """SQLite waits by itself for most locks; the rest (recovery, a change of mode) is waited for here."""
        give_up = time.monotonic() + PATIENCE
        while True:
            try:
                return action()
            except sqlite3.OperationalError as error:
                busy = "locked" in str(error) or "locking protocol" in str(error) or "busy" in str(error)
                if not busy or time.monotonic() > give_up:
                    raise
                time.sleep(0.02)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or str(error)
            raise StateError(
                f"the run store '{self.path}' cannot be used: {reason}", _help(error, self.path)
            ) from error


def _help(error: Exception, path: Path) -> str:
    message = str(error)
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"'{path.parent}' must be a folder: move away what stands in its place"
    if "full" in message or "No space" in message or "disk I/O" in message or "too large" in message:
        return f"make room on the disk of '{path.parent}'; then `runner runs resume` goes on"
    if "readonly" in message or "Read-only" in message or "Permission" in message or "unable to open" in message:
        return f"make '{path.parent}' writable for this user, or run from another project folder"
    if not isinstance(error, sqlite3.OperationalError | OSError):
        return f"the file is damaged: {_move_away(path)}"
    return f"see whether '{path.parent}' is a folder on a healthy local disk; or {_move_away(path)}"


def _move_away(path: Path) -> str:
    command = shlex.join(["mv", str(path), f"{path}.old"])
    return f"move it away ({command}); results and logs stay in the artifact store"

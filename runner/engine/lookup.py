"""Where runs are looked for: in the project's run store first, and then where every machine finds them.

That is the artifact store of the stack that is active. With the name or the file of a stack, its artifact store is all
there is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from runner.artifact_store.ledger import Ledger
from runner.engine.lock import is_walked
from runner.engine.record import Recorded, interrupted, is_detached, later, recorded
from runner.engine.stack import OpenStack, open_stack
from runner.errors import RunnerError, UsageError
from runner.project import Project, choose_stack, load_stack
from runner.records import RUNNING, SUCCEEDED, Event, Run, fold
from runner.run_store.sqlite import SqliteRunStore

START = "start with `runner run PIPELINE`"


class Lookup:
    """The runs that a project knows, or those in the artifact store of a `stack`; each store is opened once."""

    def __init__(self, project: Project, stack: str | None = None) -> None:
        self.project = project
        self.stack = stack
        self._opened: dict[str, OpenStack] = {}
        self._names: list[str] | None = None

    def recent(
        self, limit: int, pipeline: str | None = None, missed: Callable[[RunnerError], None] | None = None
    ) -> list[Run]:
        """The newest runs first, without their steps.

        `missed` hears why the artifact store of the active stack could not be looked into, where the project has runs
        of its own to show; without it that is an error too.
        """
        with self._here() as store:
            found = {run.run_id: run for run in store.runs(limit, pipeline)} if store else {}
            known = set(store.run_ids("")) if store else set()
            left = [run_id for run_id, run in found.items() if run.status != SUCCEEDED]
            mine = {run_id: self._mine(store, run_id) for run_id in left} if store else {}
        found |= {run_id: record.run for run_id, record in mine.items()}
        try:
            found |= self._gone_on_with(mine)
            found |= self._unknown(limit, pipeline, known, min(found) if len(found) >= limit else "")
        except RunnerError as error:
            if not known or missed is None:
                raise
            missed(error)
        newest = sorted(found.values(), key=lambda run: (run.started or 0.0, run.run_id), reverse=True)
        return [run._replace(steps={}) for run in newest[:limit]]

    def known(self, which: str, *, alone: bool = False) -> Recorded:
        """The run of this id, of the one id that starts so, or the newest for `last`.

        `alone` says that the caller holds the run, so that nobody else walks it. Raises UsageError when there is none,
        or more than one.
        """
        with self._here() as store:
            run_id = self._resolved(store, which)
            mine = self._mine(store, run_id, alone) if store and run_id in store.run_ids(run_id) else None
        if mine is not None:
            return mine if _is_all(mine) else self._later(mine, run_id, alone)
        found = self._recorded(self.there().ledger, run_id, alone)
        if found is None:
            raise self._no_run(which)
        return found

    def stack_of(self, run_id: str) -> OpenStack:
        """The open stack whose artifact store holds this run: the one that its first event names, if that is here."""
        with self._here() as store:
            events = [event for _, event in store.events(run_id)] if store else []
        return self._opened_for(events) if events else self.there()

    def there(self) -> OpenStack:
        """The stack that was named, or the active one."""
        if "" not in self._opened:
            stack = load_stack(self.project, *choose_stack(self.project, self.stack, os.environ), os.environ)
            self._opened[""] = self._open(stack.artifact_store, stack.secret_store)
        return self._opened[""]

    # -- here ----------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _here(self) -> Iterator[SqliteRunStore | None]:
        """The project's run store, where there is one and no stack was named."""
        path = self.project.state / "runner.db"
        store = SqliteRunStore(path) if self.stack is None and path.exists() else None
        try:
            yield store
        finally:
            if store is not None:
                store.close()

    def _mine(self, store: SqliteRunStore, run_id: str, alone: bool = False) -> Recorded:
        events = [event for _, event in store.events(run_id)]
        run = fold(events, run_id)
        if run.status != RUNNING or is_detached(events) or (not alone and is_walked(self.project.state, run_id)):
            return Recorded(events, run)
        events = [event for _, event in store.events(run_id)]
        run = fold(events, run_id)  # it may have ended, and told so, before its process let go of it
        return Recorded(events, interrupted(run) if run.status == RUNNING else run)

    def _resolved(self, store: SqliteRunStore | None, which: str) -> str:
        if which == "last":
            return self._newest()
        found = store.run_ids(which) if store else []
        if not found:
            found = self._ids_there(which)
        if which in found:
            return which
        if not found:
            raise self._no_run(which)
        if len(found) > 1:
            message = f"'{which}' is the start of {len(found)} runs: {', '.join(found[:5])}"
            raise UsageError(message, "give more of the id")
        return found[0]

    def _newest(self) -> str:
        found = self.recent(1, missed=lambda error: None)
        if not found:
            raise self._nothing()
        return found[0].run_id

    # -- there ---------------------------------------------------------------------------------------------------------

    def _gone_on_with(self, mine: dict[str, Recorded]) -> dict[str, Run]:
        """These runs, as another machine tells of them that has gone on with them meanwhile."""
        asked = {run_id: record for run_id, record in mine.items() if not _is_all(record)}
        found: dict[str, Run] = {}
        for ledger in {id(ledger): ledger for ledger in map(self._ledger_for, asked.values())}.values():
            stored = [run_id for run_id, record in asked.items() if self._ledger_for(record) is ledger]
            theirs = ledger.each(self._reader(ledger), stored)
            found |= {run_id: later(mine[run_id], other).run for run_id, other in zip(stored, theirs, strict=True)}
        return found

    def _unknown(self, limit: int, pipeline: str | None, known: set[str], oldest: str) -> dict[str, Run]:
        """The newest runs of the artifact store that are not `known`, and not older than the `oldest`."""
        ledger = self.there().ledger
        found: dict[str, Run] = {}
        names = [run_id for run_id in self._names_there() if run_id not in known and _moment(run_id) >= _moment(oldest)]
        while names and len(found) < limit:
            last = _moment(names[:limit][-1])
            batch = [run_id for run_id in names if _moment(run_id) >= last]
            names = names[len(batch) :]
            records = [record for record in ledger.each(self._reader(ledger), batch) if record is not None]
            found |= {each.run.run_id: each.run for each in records if pipeline in (None, each.run.pipeline)}
        return found

    def _reader(self, ledger: Ledger) -> Callable[[str], Recorded | None]:
        def read(run_id: str) -> Recorded | None:
            try:
                return self._recorded(ledger, run_id)
            except RunnerError:
                return None  # one damaged record does not hide the others; `runs show` tells of it

        return read

    def _later(self, mine: Recorded, run_id: str, alone: bool) -> Recorded:
        """This record, or the artifact store's, if that has more to tell and can be reached."""
        try:
            return later(mine, self._recorded(self._opened_for(mine.events).ledger, run_id, alone))
        except RunnerError:
            return mine

    def _recorded(self, ledger: Ledger, run_id: str, alone: bool = False) -> Recorded | None:
        words = f"runner runs resume {run_id} --stack {self.stack}" if self.stack else ""
        return recorded(ledger, run_id, words, alone=alone)

    def _names_there(self) -> list[str]:
        """Names of the artifact store's runs, newest first; some may be leftovers of what never began."""
        if self._names is None:
            self._names = self.there().ledger.run_ids()[::-1]
        return self._names

    def _ids_there(self, which: str) -> list[str]:
        """Ids that start so, newest first; a whole id is asked for by itself, without listing the others."""
        if not which or not set(which).isdisjoint("/.\0"):
            return []
        ledger = self.there().ledger
        if ledger.has_run(which):
            return [which]
        return [run_id for run_id in self._names_there() if run_id.startswith(which) and ledger.has_run(run_id)]

    def _ledger_for(self, record: Recorded) -> Ledger:
        return self._opened_for(record.events).ledger

    def _opened_for(self, events: list[Event]) -> OpenStack:
        """The stack of a run with these events, as its first one names it."""
        data = events[0].data
        where = data.get("artifact_store") or {"flavor": "local", "path": str(self.project.state / "artifacts")}
        key = repr((where, data.get("secret_store")))
        if key not in self._opened:
            self._opened[key] = self._open(where, data.get("secret_store"))
        return self._opened[key]

    def _open(self, artifact_store: dict[str, Any], secret_store: dict[str, Any] | None) -> OpenStack:
        root = str(self.project.root)
        return open_stack(artifact_store, self.project.state, secret_store=secret_store, root=root)

    def _nothing(self) -> UsageError:
        if self.stack is not None:
            return UsageError(f"nothing has run on stack '{self.stack}' yet", START)
        return UsageError("nothing has run in this project yet", START)

    def _no_run(self, which: str) -> UsageError:
        if self.stack is not None:
            message = f"there is no run '{which}' in the artifact store of stack '{self.stack}'"
            return UsageError(message, f"see `runner runs list --stack {self.stack}`; `last` is the newest")
        if not (self.project.state / "runner.db").exists() and not self._names_there():
            return self._nothing()
        return UsageError(f"there is no run '{which}'", "see `runner runs list`; `last` is the newest")


def _is_all(mine: Recorded) -> bool:
    """Whether nobody knows more of a run than this project does."""
    return mine.run.status == SUCCEEDED or (mine.run.status == RUNNING and not mine.detached)


def _moment(run_id: str) -> str:
    """The part of an id that tells when its run was planned, to the second; the rest of it has no order."""
    return run_id.rpartition("-")[0] or run_id

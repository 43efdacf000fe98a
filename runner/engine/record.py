"""A run's events on record: one by one in the run store; as a whole in the artifact store, for other machines."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from runner.artifact_store.ledger import Ledger
from runner.engine.derive import beginning, derive, ending, left_in
from runner.engine.lease import Walker, every, walker_of
from runner.errors import StateError
from runner.records import DONE, ENDED, RUNNING, Event, Run, fold
from runner.run_store.sqlite import SqliteRunStore

INTERRUPTED = "interrupted"
"""The status of a run whose process is gone before the run had ended: `runs resume` goes on with it."""
CONTROLLER, ENGINE = "controller", "engine"
"""Who walks a run that its engine carries without us, as its first event says."""
ANOTHER = 180.0  # seconds that an engine may take to start a controller in place of one that was killed
PERIOD = 3.0  # seconds between two writes of a run's record while it goes on, where that is read from elsewhere


class Recorded(NamedTuple):
    """A run as it is on record: its events, the run that they tell of, and who walks it, where that is known."""

    events: list[Event]
    run: Run
    walker: str = ""

    @property
    def walks(self) -> int:
        """How often the run was begun or gone on with: of two records of a run the one with more is the later one."""
        return sum(event.event == "run_started" for event in self.events)

    @property
    def detached(self) -> bool:
        """Whether its engine carries the run without us, so that more is known of it there than here."""
        return is_detached(self.events)


class Record:
    """The record of a run that goes on here. Every event is in the run store as `append` returns.

    The artifact store gets all of them at the start and at the end; a bucket also meanwhile, by `keep`.
    """

    def __init__(self, path: Path, ledger: Ledger, run_id: str) -> None:
        self.path = path
        self.store = SqliteRunStore(path)
        self.ledger = ledger
        self.run_id = run_id
        self.told = self.written = 0
        self.writing = threading.Lock()  # what is written last was read last

    def append(self, *events: Event) -> None:
        self.store.append(*events)
        self.told += len(events)

    @property
    def has_begun(self) -> bool:
        return bool(self.store.run_ids(self.run_id))

    def write(self, store: SqliteRunStore | None = None) -> None:
        """Put what is in the run store into the ledger too. Raises StateError when that cannot be."""
        with self.writing:
            told = self.told
            self.ledger.write_events(self.run_id, (store or self.store).as_json(self.run_id))
            self.written = told

    def write_if_possible(self) -> None:
        """The same at the end of a run, which must not fail for it: what its steps left is in the ledger anyway."""
        with contextlib.suppress(StateError):
            if self.written < self.told:
                self.write()

    @contextlib.contextmanager
    def keep(self, read_elsewhere: bool) -> Iterator[None]:
        """As long as the block lasts, put on record now and then what is new, where that is not here."""
        if not read_elsewhere:
            yield
            return
        with every(PERIOD, self._write_meanwhile):
            yield

    def close(self) -> None:
        self.store.close()

    def _write_meanwhile(self) -> None:
        if self.written == self.told or not self.told:
            return
        with contextlib.suppress(StateError):  # the next time, or at the end
            store = SqliteRunStore(self.path)  # a connection belongs to one thread
            try:
                self.write(store)
            finally:
                store.close()


def recorded(ledger: Ledger, run_id: str, resume: str = "", *, alone: bool = False) -> Recorded | None:
    """A run as its artifact store tells, whoever walked it; None when the store has no such run.

    `resume` are the words that go on with it, for a run that was interrupted; `alone` says that the caller holds it.
    """
    events = ledger.events(run_id)
    if events and fold(events).status in ENDED:
        return Recorded(events, fold(events, run_id))
    walker = walker_of(ledger, run_id)
    if events and not (walker and walker.alive):
        events = ledger.events(run_id) or events  # it may have ended, and told so, before its process let go of it
    # An engine has it, or will as soon as there is room: nobody of ours walks it, and so nobody of ours can be gone.
    by_engine = is_walked_by_engine(events) or (walker is None and (events is None or is_detached(events)))
    alive = walker is not None and walker.alive and not alone
    if events is None or not (alive and ledger.remote):
        events = _with_what_is_left(ledger, run_id, events, by_engine=by_engine)
    if events is None:
        return None
    run = fold(events, run_id)
    goes_on = alive or by_engine or (not alone and _is_carried(events, walker))
    if run.status == RUNNING and not goes_on:
        run = interrupted(run, resume)
    return Recorded(events, run, str(walker) if alive else "")


def _is_carried(events: list[Event], walker: Walker | None) -> bool:
    """Whether an engine may be about to start another controller, in place of one that is gone."""
    return is_detached(events) and walker is not None and walker.silent < ANOTHER


def interrupted(run: Run, resume: str = "") -> Run:
    """A run that nobody walks any more."""
    words = resume or f"runner runs resume {run.run_id}"
    return run._replace(status=INTERRUPTED, reason=f"its process is gone; go on with: {words}")


def later(mine: Recorded, other: Recorded | None) -> Recorded:
    """The later of two records of one run; of equally late ones the first, which knows every event, unless it was only
    looking on."""
    if other is None or other.walks < mine.walks:
        return mine
    looked_on = mine.detached and mine.run.status not in ENDED
    return other if other.walks > mine.walks or looked_on else mine


def is_detached(events: Iterable[Event]) -> bool:
    """Whether these events are those of a run that its engine carries without whoever submitted it."""
    return any(event.event == "run_started" and event.data.get("detached") for event in events)


def is_walked_by_engine(events: Iterable[Event] | None) -> bool:
    """Whether no controller of ours walks the run of these events: whoever held it did not for that."""
    return any(event.event == "run_started" and event.data.get("walker") == ENGINE for event in events or ())


def _with_what_is_left(
    ledger: Ledger, run_id: str, events: list[Event] | None, *, by_engine: bool
) -> list[Event] | None:
    """These events and those that the attempts tell of; None when there are neither events nor a deployment."""
    if events is not None and fold(events).status in ENDED:
        return events
    if not ledger.has_run(run_id):
        return events
    deployment = ledger.deployment(run_id)
    events = events or [beginning(deployment)]
    run = fold(events)
    open_steps = [name for name in deployment.steps if name not in run.steps or run.steps[name].status not in DONE]
    events = [*events, *derive(deployment, left_in(ledger, run_id, open_steps), run)]
    return [*events, *ending(deployment, fold(events))] if by_engine else events

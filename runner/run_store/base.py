"""The contract of a run store: events in, runs out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from runner.records import Event, Run


class RunStore(ABC):
    """Where events are appended. Once `append` has returned they are on disk: no process's death loses them."""

    @abstractmethod
    def append(self, *events: Event) -> None:
        """Append events, all or none. Raises StateError when they cannot be written."""

    @abstractmethod
    def events(self, run_id: str, after: int = 0) -> list[tuple[int, Event]]:
        """A run's events with their numbers, in order, from behind number `after`."""

    @abstractmethod
    def runs(self, limit: int, pipeline: str | None = None) -> list[Run]:
        """The newest runs first, without their steps."""

    @abstractmethod
    def run_ids(self, prefix: str) -> list[str]:
        """Ids of runs that start with `prefix`, newest first."""

    @abstractmethod
    def delete(self, run_id: str) -> None:
        """Forget a run."""

    @abstractmethod
    def replace(self, run_id: str, events: Iterable[Event]) -> None:
        """Put these events in place of those of this run, all or none."""

    @abstractmethod
    def close(self) -> None: ...

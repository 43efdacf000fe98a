"""The ledger: the records of runs in the artifact store, under keys that every machine finds again.

```
runs/<run>/deployment.json
runs/<run>/events.json          the run's events, by who walks it: at its start, at its end, in buckets also meanwhile
runs/<run>/submissions/<n>.json what carries it, in engines that know no ids of ours
runs/<run>/walks/<n>.json       who walks it, in buckets; the highest number counts
runs/<run>/walker.lock          who walks it, in folders: locked as long as that process lives
runs/<run>/cancel
runs/<run>/steps/<step>/<attempt>/{started.json, log.txt, result.json}
cache/<key>.json
deployments/<digest>.json       of a document that serves many runs; the first worker of a run writes the run's own
```
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from runner.artifact_store.base import ArtifactStore, ObjectMissing
from runner.artifact_store.objects import is_there
from runner.artifact_store.refusals import refused
from runner.errors import StateError
from runner.plan.deployment import Deployment, StepJob, deployment_from, deployment_to_json, digest_of
from runner.records import Artifact, Event, StepResult, result_from, result_to_json

if TYPE_CHECKING:
    pass

VERSION = 1
"""Of the records' layout. Records of another version are not read."""

AT_ONCE = 16
"""Requests that are on their way at a time, to a store that is not on this machine."""

_Record = TypeVar("_Record")
_Item = TypeVar("_Item")
_encode = json.JSONEncoder(separators=(",", ":")).encode


class Unreadable(StateError):
    """A record is damaged, or of another version."""


class Ledger:
    """What happened in runs, as objects in an artifact store. All methods raise StoreError when the store fails."""

    def __init__(self, store: ArtifactStore) -> None:
        self.store = store

    @property
    def settings(self) -> dict[str, Any]:
        """The artifact store's, for jobs."""
        return self.store.settings

    @property
    def remote(self) -> bool:
        """Whether each look into the store is a request over the network."""
        return self.store.remote

    def each(self, read: Callable[[_Item], _Record], items: Iterable[_Item]) -> list[_Record]:
        """`read` of every item, in order; several at a time where each is a request."""
        items = list(items)
        if not self.remote or len(items) < 2:
            return [read(item) for item in items]
        from concurrent.futures import ThreadPoolExecutor  # workers load this file and have one thing to read at a time

        with ThreadPoolExecutor(min(AT_ONCE, len(items))) as pool:
            return list(pool.map(read, items))

    def write_deployment(self, deployment: Deployment) -> None:
        self._write(f"runs/{deployment.run_id}/deployment.json", deployment_to_json(deployment))

    def deployment(self, run_id: str) -> Deployment:
        """What was handed to the orchestrator. StateError when the ledger knows no such run."""
        found = self._read(f"runs/{run_id}/deployment.json", deployment_from)
        if found is None:
            raise StateError(
                f"run '{run_id}' has no deployment in the artifact store, so that it cannot be gone on with",
                "was it deleted, or run elsewhere? start a new run with `runner run`",
            )
        return found

    def write_blueprint(self, deployment: Deployment) -> str:
        """Keep a deployment for runs that an engine will start by itself, and return the digest it is kept under."""
        digest = digest_of(deployment)
        self._write(f"deployments/{digest}.json", deployment_to_json(deployment))
        return digest

    def blueprint(self, digest: str) -> Deployment | None:
        """A deployment that was kept under its digest."""
        return self._read(f"deployments/{digest}.json", deployment_from)

    def begin_run(self, deployment: Deployment) -> bool:
        """Write a run's deployment unless there is one; False when somebody was first."""
        key = f"runs/{deployment.run_id}/deployment.json"
        return self.store.put_if_absent(key, _encoded(deployment_to_json(deployment)))

    def has_run(self, run_id: str) -> bool:
        """Whether the ledger holds a run's deployment."""
        return self.store.size(f"runs/{run_id}/deployment.json") is not None

    def write_submission(self, run_id: str, flavor: str, handle: Mapping[str, Any]) -> None:
        """Keep the handle to what an engine was given, for whoever asks it later."""
        self._write(f"runs/{run_id}/submission.json", {"flavor": flavor, "handle": dict(handle)})

    def submission(self, run_id: str) -> dict[str, Any]:
        """The handle to what the engine was given; empty where none was kept."""
        return self._read(f"runs/{run_id}/submission.json", lambda record: dict(record["handle"])) or {}

    def claims(self, run_id: str) -> list[dict[str, Any]]:
        """The handles that were claimed for a run, the first submission's first."""
        names = (name.removesuffix(".json") for name in self.store.names(f"runs/{run_id}/submissions/"))
        numbers = sorted(int(name) for name in names if name.isdecimal())
        found = [self._read(_claim_key(run_id, number), lambda record: dict(record["handle"])) for number in numbers]
        return [handle for handle in found if handle is not None]

    def claim(self, run_id: str, number: int, handle: Mapping[str, Any]) -> dict[str, Any]:
        """Say that this is what carries a run, submitted for the `number`th time; gives the handle of whoever was first
        to say so."""
        if self.store.put_if_absent(_claim_key(run_id, number), _encoded({"handle": dict(handle)})):
            return dict(handle)
        found = self._read(_claim_key(run_id, number), lambda record: dict(record["handle"]))
        return dict(handle) if found is None else found

    def write_events(self, run_id: str, events: Iterable[Event] | str) -> None:
        """Put a run's events on record, all of them, in place of those that were there; or a JSON array of them."""
        text = events if isinstance(events, str) else _encode([event._asdict() for event in events])
        self.store.put(f"runs/{run_id}/events.json", f'{{"version":{VERSION},"events":{text}}}'.encode())

    def events(self, run_id: str) -> list[Event] | None:
        """A run's events as they were put on record last; None when nobody did."""
        return self._read(f"runs/{run_id}/events.json", _events_from)

    def walks(self, run_id: str) -> list[int]:
        """Numbers of the walks of a run that were announced, in order."""
        names = (name.removesuffix(".json") for name in self.store.names(f"runs/{run_id}/walks/"))
        return sorted(int(name) for name in names if name.isdecimal())

    def announce_walk(self, run_id: str, number: int, lease: Mapping[str, Any]) -> bool:
        """Take a number for a walk of this run; False when somebody has it already."""
        return self.store.put_if_absent(f"runs/{run_id}/walks/{number}.json", _encoded(lease))

    def has_walk(self, run_id: str, number: int) -> bool:
        return self.store.size(f"runs/{run_id}/walks/{number}.json") is not None

    def write_walk(self, run_id: str, number: int, lease: Mapping[str, Any]) -> None:
        self._write(f"runs/{run_id}/walks/{number}.json", lease)

    def walk(self, run_id: str, number: int) -> dict[str, Any] | None:
        """What was announced under this number."""
        return self._read(f"runs/{run_id}/walks/{number}.json", dict)

    def walk_lock(self, run_id: str, make: bool = True) -> str | None:
        """A local file to be locked by who walks this run; None when the store has no such thing."""
        return None if self.remote else self.store.log_file(f"runs/{run_id}/walker.lock", make)

    def write_started(self, job: StepJob, time: float, host: str, pid: int) -> None:
        """Say that an attempt has begun; `time` in seconds since 1970."""
        self._write(
            f"{_attempt(job.run_id, job.step, job.attempt)}/started.json", {"time": time, "host": host, "pid": pid}
        )

    def started(self, run_id: str, step: str, attempt: int) -> dict[str, Any] | None:
        """`time`, `host` and `pid` of an attempt that announced itself."""
        return self._read(f"{_attempt(run_id, step, attempt)}/started.json", dict)

    def write_result(self, result: StepResult) -> None:
        self._write(_result_key(result.run_id, result.step, result.attempt), result_to_json(result))

    def result(self, run_id: str, step: str, attempt: int) -> StepResult | None:
        """What an attempt left, or None when it left nothing. StateError when that cannot be understood."""
        return self._read(_result_key(run_id, step, attempt), result_from)

    def attempts(self, run_id: str, step: str) -> list[int]:
        """Numbers of the attempts that left anything, in order."""
        names = self.store.names(f"runs/{run_id}/steps/{step}/")
        return sorted(int(name) for name in names if name.isdecimal())

    def traces(self, run_id: str) -> dict[str, dict[int, set[str]]]:
        """Step → attempt → names of the objects that it left, by one look at the whole run."""
        found: dict[str, dict[int, set[str]]] = {}
        folder = f"runs/{run_id}/steps/"
        for key in self.store.list(folder):
            step, _, rest = key[len(folder) :].partition("/")
            attempt, _, name = rest.partition("/")
            if attempt.isdecimal():
                found.setdefault(step, {}).setdefault(int(attempt), set()).add(name)
        return found

    def write_cache(self, key: str, result: StepResult) -> None:
        """Let this finished step answer for others of the same cache key."""
        try:
            self.store.copy(_result_key(result.run_id, result.step, result.attempt), f"cache/{key}.json")
        except ObjectMissing:
            self._write(f"cache/{key}.json", result_to_json(result))

    def cached(self, key: str, expires_after: float | None, now: float | None = None) -> StepResult | None:
        """The finished step of this cache key: None when there is none, it is older than `expires_after` seconds, or
        one of its artifacts is gone."""
        try:
            result = self._read(f"cache/{key}.json", result_from)
        except Unreadable:
            return None  # an entry that cannot be understood is as good as none: it will be written anew
        if result is None:
            return None
        if expires_after is not None and (time.time() if now is None else now) >= result.ended + expires_after:
            return None
        return result if self.has_all(result.outputs.values()) else None

    def has_all(self, artifacts: Iterable[Artifact]) -> bool:
        """Whether these artifacts are in the store, with their sizes; their content is not looked at."""
        return all(is_there(artifact, self.store) for artifact in artifacts)

    def request_cancel(self, run_id: str) -> None:
        """Ask whoever watches this run to stop it."""
        self.store.put_if_absent(f"runs/{run_id}/cancel", b"cancel\n")

    def cancel_requested(self, run_id: str) -> bool:
        return self.store.size(f"runs/{run_id}/cancel") is not None

    def clear_cancel(self, run_id: str) -> None:
        self.store.delete(f"runs/{run_id}/cancel")

    def log_path(self, run_id: str, step: str, attempt: int, make: bool = True) -> str | None:
        """A local file that the attempt appends to; None when the store has no such thing (then `put_log`).

        With `make` its folders are there afterwards.
        """
        return self.store.log_file(f"{_attempt(run_id, step, attempt)}/log.txt", make)

    def log(self, run_id: str, step: str, attempt: int) -> str:
        """What an attempt printed so far."""
        try:
            return self.store.get(f"{_attempt(run_id, step, attempt)}/log.txt").decode("utf-8", "replace")
        except ObjectMissing:
            return ""

    def put_log(self, run_id: str, step: str, attempt: int, text: str) -> None:
        """Write a whole log, replacing what is there."""
        self.store.put(f"{_attempt(run_id, step, attempt)}/log.txt", text.encode("utf-8", "replace"))

    def append_log(self, run_id: str, step: str, attempt: int, text: str) -> None:
        """Add to a log: in place where the store can, else by writing it anew."""
        path = self.log_path(run_id, step, attempt)
        if path is None:
            return self.put_log(run_id, step, attempt, self.log(run_id, step, attempt) + text)
        try:
            with open(path, "ab") as file:
                file.write(text.encode("utf-8", "replace"))
        except OSError as error:
            raise refused(error, f"cannot append to the log '{path}'", os.path.dirname(path)) from error

    def run_ids(self) -> list[str]:
        """Of all runs, in order; among them may be leftovers of runs that never began."""
        return list(self.store.names("runs/"))

    def delete_run(self, run_id: str) -> None:
        """Forget a run's records. Its artifacts stay: other runs and the cache may share them."""
        self.store.delete(f"runs/{run_id}/")

    def _write(self, key: str, record: Mapping[str, Any]) -> None:
        self.store.put(key, _encoded(record))

    def _read(self, key: str, build: Callable[[dict[str, Any]], _Record]) -> _Record | None:
        try:
            text = self.store.get(key)
        except ObjectMissing:
            return None
        try:
            record = json.loads(text)
            if record.pop("version") != VERSION:
                raise ValueError("it is of another version")
            return build(record)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            file = f"{self.settings['path']}/{key}" if "path" in self.settings else key
            help = f"it was damaged, or written by another version of runner: delete '{file}' and try again"
            raise Unreadable(f"cannot understand '{key}' in the artifact store: {error}", help) from error


def _encoded(record: Mapping[str, Any]) -> bytes:
    return _encode({"version": VERSION, **record}).encode()


def _events_from(record: Mapping[str, Any]) -> list[Event]:
    return [Event(**{key: fields[key] for key in Event._fields if key in fields}) for fields in record["events"]]


def _claim_key(run_id: str, number: int) -> str:
    return f"runs/{run_id}/submissions/{number}.json"


def _result_key(run_id: str, step: str, attempt: int) -> str:
    return f"runs/{run_id}/steps/{step}/{attempt}/result.json"


def _attempt(run_id: str, step: str, attempt: int) -> str:
    return f"runs/{run_id}/steps/{step}/{attempt}"

"""Whether an artifact store can be used: an object is written, read and deleted. Workers load this."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from typing import Any

from runner.artifact_store.base import ArtifactStore
from runner.checks import Check
from runner.errors import RunnerError

NAME = "artifact store"


def tried(store: ArtifactStore, fields: dict[str, Any]) -> Check:
    """What becomes of an object in the store of these fields. Raises RunnerError when the store refuses."""
    place = fields.get("path") or fields["flavor"]
    key = f"doctor/{uuid.uuid4().hex}"
    began = time.monotonic()
    try:
        store.put(key, b"doctor")
        if store.get(key) != b"doctor":
            help = "something between here and the store changes what goes through it"
            return Check(NAME, False, f"{place}: what was read is not what was written", help)
        store.delete(key)
        took = f"{place}: wrote, read and deleted an object in {(time.monotonic() - began) * 1000:.0f} ms"
        if _conditional(store, f"{key}-conditional"):
            return Check(NAME, True, f"{took}; conditional put works")
        help = "use a service that honours `If-None-Match: *`: without, two resumes of one run may both go on"
        return Check(NAME, False, f"{took}; conditional put does not work", help)
    finally:
        with suppress(RunnerError):
            store.delete(key)
            if not store.remote and not any(store.list("doctor/")):
                store.delete("doctor/")  # where keys are files, their folder


def _conditional(store: ArtifactStore, key: str) -> bool:
    """Whether of two who make an object only the first one is told that it did."""
    try:
        return store.put_if_absent(key, b"first") and not store.put_if_absent(key, b"second")
    finally:
        with suppress(RunnerError):
            store.delete(key)

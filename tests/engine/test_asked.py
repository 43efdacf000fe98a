"""A plan does without what the artifact store cannot answer; a run does not."""

from __future__ import annotations

import pytest

from runner.artifact_store.base import StoreError
from runner.artifact_store.ledger import Ledger
from runner.artifact_store.memory import MemoryArtifactStore
from runner.engine.asked import Asked
from runner.records import StepResult

RESULT = StepResult("r1", "a", 1, "succeeded", 1.0, 2.0)


class Broken(MemoryArtifactStore):
    """A store that counts how often it is asked, and never answers."""

    asked = 0

    def get(self, key: str) -> bytes:
        self.asked += 1
        raise StoreError("the store is out of reach", "look for it")


def test_what_the_store_answers() -> None:
    ledger = Ledger(MemoryArtifactStore())
    ledger.write_cache("k", RESULT)
    assert Asked(ledger, insist=False).cached("k", None) == RESULT
    assert Asked(ledger, insist=False, ask=False).cached("k", None) is None


def test_a_store_out_of_reach_is_asked_once_and_told() -> None:
    store = Broken()
    asked = Asked(Ledger(store), insist=False)
    assert [asked.cached(key, None) for key in "abc"] == [None] * 3
    assert (store.asked, asked.note) == (1, "what is cached is not known: the store is out of reach (look for it)")


def test_a_run_insists() -> None:
    with pytest.raises(StoreError):
        Asked(Ledger(Broken()), insist=True).cached("k", None)

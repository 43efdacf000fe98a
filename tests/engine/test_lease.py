"""Who walks a run, for all machines that share its artifact store: one, until it ends, or is silent for too long."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.memory import MemoryArtifactStore
from runner.artifact_store.stores import open_store
from runner.engine.lease import Lease, LeaseLost, Pace, check, every, held, walker_of
from runner.errors import StateError

QUICK = Pace(beat=0.02, silence=0.5, skew=100.0)


class Bucket(MemoryArtifactStore):
    """Objects in memory that are looked at as those of a bucket are."""

    remote = True
    away = False

    def size(self, key: str) -> int | None:
        if self.away:
            raise StateError("out of reach")
        return super().size(key)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger(Bucket())


def elsewhere(ledger: Ledger, age: float = 0.0, number: int = 1) -> None:
    """A walk by a machine that said so `age` seconds ago."""
    lease = {"host": "far", "pid": 7, "kernel": "another", "born": "1", "time": time.time() - age}
    assert ledger.announce_walk("r1", number, lease)


def test_a_run_in_a_bucket_is_walked_while_it_is_held(ledger: Ledger) -> None:
    assert walker_of(ledger, "r1") is None
    with held(None, ledger, "r1"):
        walker = walker_of(ledger, "r1")
        assert walker is not None and walker.alive and walker.host == socket.gethostname()
        with pytest.raises(StateError, match="is still going, in process"), held(None, ledger, "r1"):
            pass
    left = walker_of(ledger, "r1")
    assert left is not None and left._replace(silent=walker.silent) == walker._replace(alive=False)
    with held(None, ledger, "r1"):
        assert ledger.walks("r1") == [1, 2]


def test_a_walker_elsewhere_is_named(ledger: Ledger) -> None:
    elsewhere(ledger)
    with pytest.raises(StateError, match="still going, in process 7 on 'far'"), held(None, ledger, "r1"):
        pass


def test_a_walker_that_was_silent_for_long_is_dead(ledger: Ledger) -> None:
    elsewhere(ledger, age=3600.0)
    walker = walker_of(ledger, "r1")
    assert walker is not None and not walker.alive
    with held(None, ledger, "r1"):
        assert ledger.walks("r1") == [1, 2]


@pytest.mark.parametrize("clock", [50.0, -50.0])
def test_silence_that_clocks_could_explain_is_listened_to(ledger: Ledger, clock: float) -> None:
    elsewhere(ledger, age=clock)
    with held(None, ledger, "r1", QUICK):
        assert ledger.walks("r1") == [1, 2]


def test_a_walker_with_a_slow_clock_is_not_robbed(ledger: Ledger) -> None:
    elsewhere(ledger, age=50.0)
    beats = iter(range(1000))
    late = {"host": "far", "pid": 7, "kernel": "another", "born": "1"}
    with every(0.01, lambda: ledger.write_walk("r1", 1, late | {"time": time.time() - 50.0 + next(beats) / 1000})):
        with pytest.raises(StateError, match="still going"), held(None, ledger, "r1", QUICK._replace(beat=0.5)):
            pass


def test_a_walk_whose_process_has_died_on_this_machine_is_over_at_once(ledger: Ledger) -> None:
    with held(None, ledger, "r1"):
        lease = ledger.walk("r1", 1)
        assert lease is not None
        ledger.write_walk("r1", 1, lease | {"born": "before the flood"})
        walker = walker_of(ledger, "r1")
        assert walker is not None and not walker.alive


def test_a_walk_says_that_it_goes(ledger: Ledger) -> None:
    with held(None, ledger, "r1", QUICK):
        first = ledger.walk("r1", 1)
        give_up = time.monotonic() + 30
        while ledger.walk("r1", 1) == first:
            assert time.monotonic() < give_up
            time.sleep(0.01)


def test_who_was_silent_and_wakes_up_stops(ledger: Ledger) -> None:
    with held(None, ledger, "r1", QUICK) as mine:
        elsewhere(ledger, number=2)
        with pytest.raises(LeaseLost, match="no longer this machine's"):
            while True:
                mine.cancel_requested("r1")
                time.sleep(0.01)
        with pytest.raises(LeaseLost):
            check(mine)
    walker = walker_of(ledger, "r1")
    assert walker is not None and walker.alive and walker.host == "far"


def test_who_cannot_reach_the_store_for_too_long_gives_the_run_up() -> None:
    store = Bucket()
    lease = Lease(Ledger(store), "r1", 1, QUICK._replace(silence=0.0))
    store.away = True
    lease.refresh()
    with pytest.raises(LeaseLost):
        lease.check()


def test_a_deleted_run_stays_deleted(ledger: Ledger) -> None:
    with held(None, ledger, "r1"):
        ledger.delete_run("r1")
    assert ledger.run_ids() == []


def test_of_many_takers_one_wins(s3_settings: dict[str, Any]) -> None:
    ledger, won, over = Ledger(open_store(s3_settings)), [], threading.Event()
    elsewhere(ledger, age=3600.0)

    def take(number: int) -> None:
        with contextlib.suppress(StateError), held(None, ledger, "r1"):
            won.append(number)
            over.wait(60)

    takers = [threading.Thread(target=take, args=(number,)) for number in range(4)]
    for taker in takers:
        taker.start()
    give_up = time.monotonic() + 60
    while sum(taker.is_alive() for taker in takers) > 1 and time.monotonic() < give_up:
        time.sleep(0.01)
    over.set()
    assert len(won) == 1


def test_a_folder_is_locked_for_other_projects_too(tmp_path: Path) -> None:
    ledger = Ledger(LocalArtifactStore(tmp_path / "store"))
    assert walker_of(ledger, "r1") is None
    with held(tmp_path / "one", ledger, "r1"):
        walker = walker_of(ledger, "r1")
        assert walker is not None and walker.alive
        with pytest.raises(StateError, match="still going"), held(tmp_path / "other", ledger, "r1"):
            pass
    assert walker_of(ledger, "r1") is None
    assert list(ledger.store.list("")) == []

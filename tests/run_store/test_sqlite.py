"""The run store: what is appended is there, whole, for every process, and what goes wrong is told."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runner.errors import StateError
from runner.records import Event, fold
from runner.run_store.sqlite import SqliteRunStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteRunStore]:
    made = SqliteRunStore(tmp_path / "state" / "runner.db")
    yield made
    made.close()


def started(run_id: str, time: float = 1.0, pipeline: str = "p") -> Event:
    return Event("run_started", run_id, time, data={"pipeline": pipeline, "stack": "s", "parameters": {"x": 1}})


def test_events_come_back_in_their_order(store: SqliteRunStore) -> None:
    events = [started("r1"), Event("step_started", "r1", 2.0, "a", 1), Event("run_succeeded", "r1", 3.0)]
    store.append(*events[:2])
    store.append(events[2])
    assert [event for _, event in store.events("r1")] == events
    assert fold(event for _, event in store.events("r1")).status == "succeeded"


def test_events_behind_a_number(store: SqliteRunStore) -> None:
    store.append(started("r1"), Event("run_failed", "r1", 3.0))
    first = store.events("r1")[0][0]
    assert [event.event for _, event in store.events("r1", after=first)] == ["run_failed"]


def test_what_is_appended_another_connection_reads(store: SqliteRunStore) -> None:
    store.append(started("r1"))
    other = SqliteRunStore(store.path)
    assert len(other.events("r1")) == 1
    other.close()


def test_runs_are_listed_newest_first_and_by_pipeline(store: SqliteRunStore) -> None:
    store.append(started("r1", 1.0), started("r2", 2.0, "q"), started("r3", 3.0))
    assert [run.run_id for run in store.runs(2)] == ["r3", "r2"]
    assert [run.run_id for run in store.runs(9, "q")] == ["r2"]
    assert store.runs(1)[0].parameters == {"x": 1}


def test_a_resumed_run_keeps_its_start_and_loses_its_end(store: SqliteRunStore) -> None:
    store.append(started("r1", 1.0), Event("run_failed", "r1", 2.0, data={"reason": "bad"}))
    assert (store.runs(1)[0].status, store.runs(1)[0].reason) == ("failed", "bad")
    store.append(started("r1", 5.0))
    run = store.runs(1)[0]
    assert (run.status, run.started, run.ended, run.reason) == ("running", 1.0, None, "")


def test_ids_by_their_beginning(store: SqliteRunStore) -> None:
    store.append(started("ab1", 1.0), started("ab2", 2.0), started("b", 3.0))
    assert store.run_ids("ab") == ["ab2", "ab1"]
    assert store.run_ids("%") == []


def test_a_deleted_run_is_gone(store: SqliteRunStore) -> None:
    store.append(started("r1"), started("r2"))
    store.delete("r1")
    assert (store.events("r1"), [run.run_id for run in store.runs(9)]) == ([], ["r2"])


def test_a_run_is_told_anew_all_at_once(store: SqliteRunStore) -> None:
    store.append(started("r1"), Event("run_failed", "r1", 2.0))
    told = [started("r1"), Event("step_started", "r1", 2.0, "a", 1)]
    with pytest.raises(TypeError):
        store.replace("r1", [*told, Event("run_failed", "r1", 2.0, data={"reason": object()})])
    assert len(store.events("r1")) == 2 and store.runs(1)[0].status == "failed"
    store.replace("r1", iter(told))
    assert [event for _, event in store.events("r1")] == told and store.runs(1)[0].status == "running"


def test_of_several_events_all_or_none_are_written(store: SqliteRunStore) -> None:
    unwritable = Event("run_failed", "r1", 2.0, data={"reason": object()})
    with pytest.raises(TypeError):
        store.append(started("r1"), unwritable)
    assert store.events("r1") == []
    store.append(started("r1"))  # the transaction before it has not stayed open


def test_a_full_disk_is_told_and_does_not_stay(store: SqliteRunStore) -> None:
    pages = store.connection.execute("PRAGMA page_count").fetchone()[0]
    store.connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StateError, match="full") as caught:
        store.append(*(started(f"r{number}", pipeline="p" * 4000) for number in range(50)))
    assert "make room" in (caught.value.help or "")
    store.connection.execute("PRAGMA max_page_count = 1000000")
    assert store.runs(9) == []
    store.append(started("r1"))
    assert len(store.runs(9)) == 1


def test_a_writer_waits_for_another(store: SqliteRunStore) -> None:
    other = sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    timer.start()
    store.append(started("r1"))
    timer.join()
    other.close()
    assert len(store.runs(1)) == 1


def test_a_file_killed_while_it_was_made_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "runner.db").touch()
    store = SqliteRunStore(tmp_path / "runner.db")
    store.append(started("r1"))
    store.close()


@pytest.mark.parametrize(
    ("content", "message"), [(b"garbage" * 999, "not a database"), (b"SQLite format 3\0" + b"\xff" * 4080, "database")]
)
def test_a_damaged_file_is_told_with_the_way_out(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "my state" / "runner.db"
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(StateError, match=message) as caught:
        SqliteRunStore(path)
    assert f"mv '{path}' '{path}.old'" in (caught.value.help or "")
    assert path.read_bytes() == content


def test_damaged_data_is_told(store: SqliteRunStore) -> None:
    store.append(started("r1"))
    store.connection.execute("UPDATE events SET data = '{'")
    with pytest.raises(StateError, match="cannot be used"):
        store.events("r1")


def test_a_newer_format_is_left_alone(store: SqliteRunStore) -> None:
    store.connection.execute("PRAGMA user_version = 9")
    with pytest.raises(StateError, match="format 9") as caught:
        SqliteRunStore(store.path)
    assert "use that version" in (caught.value.help or "")


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(StateError) as caught:
        SqliteRunStore(tmp_path / "state" / "runner.db")
    assert "must be a folder" in (caught.value.help or "")


def test_events_as_json_are_what_they_are_as_values(store: SqliteRunStore) -> None:
    data = {"reason": 'a "quoted"\nline ü', "duration": 0.25}
    store.append(started("r1"), Event("step_failed", "r1", 2.5, "a-b", 2, data), Event("run_failed", "r1", 3.0))
    read = json.loads(store.as_json("r1"))
    assert [Event(**fields) for fields in read] == [event for _, event in store.events("r1")]
    assert store.as_json("r2") == "[]"

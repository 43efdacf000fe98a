"""What was applied: revisions, the active stack, and changes that are all or nothing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from runner.catalog import APPLIED, DELETED, Catalog, Revision, open_catalog
from runner.errors import StateError

FIRST = Revision("stack", "prod", 0, APPLIED, 1.0, "ada", "stacks/prod.yaml", 3, "d1", "kind: stack\nname: prod\n")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    found = open_catalog(tmp_path / ".runner", make=True)
    assert found is not None
    return found


def test_nothing_is_made_by_looking(tmp_path: Path) -> None:
    assert open_catalog(tmp_path / ".runner") is None
    assert not (tmp_path / ".runner").exists()


def test_the_last_revision_counts_and_all_are_kept(catalog: Catalog) -> None:
    catalog.add(FIRST)
    second = catalog.add(FIRST._replace(digest="d2"))
    assert second.number == 2
    assert catalog.current() == [second]
    assert [each.digest for each in catalog.history("stack", "prod")] == ["d1", "d2"]


def test_what_was_deleted_is_not_declared_and_may_come_back(catalog: Catalog) -> None:
    catalog.add(FIRST)
    catalog.add(FIRST._replace(action=DELETED))
    assert catalog.current() == []
    assert catalog.add(FIRST).number == 3


def test_a_document_that_moved_keeps_its_number(catalog: Catalog) -> None:
    found = catalog.add(FIRST)
    catalog.refresh(found._replace(source="moved.toml", line=9, text="new", language="toml"))
    assert catalog.current()[0] == found._replace(source="moved.toml", line=9, text="new", language="toml")


def test_a_stack_is_set_and_the_choice_taken_back(catalog: Catalog) -> None:
    assert catalog.active() is None
    catalog.set_active("prod")
    assert catalog.active() == "prod"
    catalog.set_active(None)
    assert catalog.active() is None


def test_a_change_that_fails_leaves_what_was_there(catalog: Catalog) -> None:
    catalog.add(FIRST)
    with pytest.raises(ZeroDivisionError), catalog.changing():
        catalog.add(FIRST._replace(digest="d2"))
        raise ZeroDivisionError
    assert [each.digest for each in catalog.current()] == ["d1"]


def _change_until_killed(path: Path) -> None:
    catalog = Catalog(path)
    with catalog.changing():
        for number in range(50):
            catalog.add(FIRST._replace(name=f"n{number}"))
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_change_that_is_killed_leaves_what_was_there(catalog: Catalog) -> None:
    catalog.add(FIRST)
    process = multiprocessing.get_context("spawn").Process(target=_change_until_killed, args=(catalog.path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert [each.name for each in Catalog(catalog.path).current()] == ["prod"]


def _change(path: Path, first: int) -> None:
    with Catalog(path) as catalog, catalog.changing():
        for number in range(20):
            catalog.add(FIRST._replace(name="shared", time=float(first * 100 + number)))


def test_changes_at_once_do_not_interleave(catalog: Catalog) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_change, args=(catalog.path, first)) for first in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    blocks = [int(each.time) // 100 for each in catalog.history("stack", "shared")]
    assert len(blocks) == 80
    assert all(len(set(blocks[start : start + 20])) == 1 for start in range(0, 80, 20))


def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_bytes(b"not a database, " * 100)
    with pytest.raises(StateError, match="cannot be read") as caught:
        open_catalog(tmp_path)
    assert "apply the documents again" in (caught.value.help or "")


def test_an_empty_file_is_damaged_and_a_new_one_is_whole_at_once(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").touch()
    with pytest.raises(StateError, match="it is empty"):
        open_catalog(tmp_path)
    (tmp_path / "catalog.db").unlink()
    open_catalog(tmp_path, make=True)
    assert [path.name for path in tmp_path.iterdir()] == ["catalog.db"]


def test_a_file_of_another_version_is_told(catalog: Catalog) -> None:
    connection = sqlite3.connect(catalog.path)
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    with pytest.raises(StateError, match="written by another version"):
        Catalog(catalog.path)

"""A log's growth, read in whole lines."""

from __future__ import annotations

from pathlib import Path

from runner.orchestrators.flavors.local.hosts import Tail


def test_a_log_that_is_not_there_has_said_nothing(tmp_path: Path) -> None:
    assert Tail(str(tmp_path / "log.txt")).read(whole=True) == ""


def test_growth_comes_in_whole_lines_and_once(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    tail = Tail(str(log))
    log.write_text("one\ntw")
    assert (tail.read(), tail.read()) == ("one\n", "")
    log.write_text("one\ntwo\nthree")
    assert tail.read() == "two\n"
    assert (tail.read(whole=True), tail.read(whole=True)) == ("three", "")


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_bytes(b"\xff\n")
    assert Tail(str(log)).read() == "\ufffd\n"

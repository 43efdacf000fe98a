"""The log of an attempt, kept by the process that watches over it."""

from __future__ import annotations

from typing import Any

import pytest

from runner.worker.keep_log import UPLOAD_TICK, Log


@pytest.fixture
def without_files(desk: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The ledger of a store whose objects are no files."""
    monkeypatch.setattr(desk.ledger, "log_path", lambda *_, make=True: None)
    return desk.ledger


def test_it_is_in_the_file_at_once(desk: Any) -> None:
    log = Log(desk.ledger, desk.job("one"))
    log.add(b"half a li")
    assert desk.ledger.log("r1", "a", 1) == "half a li"
    log.add(b"ne\n")
    log.close()
    assert desk.ledger.log("r1", "a", 1) == "half a line\n"


def test_without_files_it_is_uploaded_now_and_then_and_at_the_end(desk: Any, without_files: Any) -> None:
    log = Log(without_files, desk.job("one"))
    for text, now in ((b"one\n", 10.0), (b"two\n", 10.0 + UPLOAD_TICK / 2)):
        log.add(text)
        log.flush(now)
    assert without_files.log("r1", "a", 1) == "one\n"
    log.close()
    assert without_files.log("r1", "a", 1) == "one\ntwo\n"


def test_a_secret_that_comes_in_two_pieces_is_masked(desk: Any) -> None:
    log = Log(desk.ledger, desk.job("one"))
    log.mask({"hush-hush"})
    for piece in (b"it is hush", b"-hush, they say\n"):
        log.add(piece)
    log.close()
    assert desk.ledger.log("r1", "a", 1) == "it is ***, they say\n"


def test_it_is_echoed_when_asked_to(desk: Any, capfd: pytest.CaptureFixture[str]) -> None:
    log = Log(desk.ledger, desk.job("one", echo=True))
    log.add(b"hello\n")
    log.close()
    assert capfd.readouterr().out == "hello\n"

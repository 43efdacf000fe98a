"""Logs on their way to a ledger that is not on this machine."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.memory import MemoryArtifactStore
from runner.orchestrators.flavors.local import uploads
from runner.orchestrators.flavors.local.uploads import Uploads


class SlowStore(MemoryArtifactStore):
    """Puts wait until they may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def put(self, key: str, data: bytes) -> None:
        self.begun.set()
        assert self.go_on.wait(30)
        super().put(key, data)


def test_what_an_attempt_kept_itself_is_not_sent_again(tmp_path: Path) -> None:
    ledger = Ledger(MemoryArtifactStore())
    logs = Uploads(ledger, "r1")
    for attempt in (1, 2):
        (tmp_path / "log").write_text("text\n")
        logs.begin("a", attempt, str(tmp_path / "log"))
        logs.end("a", attempt, kept=attempt == 1)
    assert (ledger.log("r1", "a", 1), ledger.log("r1", "a", 2)) == ("", "text\n")


def test_a_log_that_is_not_there_is_none(tmp_path: Path) -> None:
    ledger = Ledger(MemoryArtifactStore())
    logs = Uploads(ledger, "r1")
    logs.begin("a", 1, str(tmp_path / "nothing"))
    logs.end("a", 1, kept=False)
    logs.end("b", 1, kept=False)
    assert ledger.log("r1", "a", 1) == ""


def test_an_upload_that_the_end_overtook_is_made_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "TICK", 0.0)
    store, path = SlowStore(), tmp_path / "log"
    ledger = Ledger(store)
    logs = Uploads(ledger, "r1")
    path.write_text("half\n")
    logs.begin("a", 1, str(path))
    logs.look()
    assert store.begun.wait(30)
    path.write_text("half\nwhole\n")
    threading.Timer(0.1, store.go_on.set).start()
    logs.end("a", 1, kept=True)
    assert ledger.log("r1", "a", 1) == "half\nwhole\n"


def test_a_log_is_sent_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "TICK", 0.01)
    ledger = Ledger(MemoryArtifactStore())
    logs = Uploads(ledger, "r1")
    (tmp_path / "log").write_text("so far\n")
    logs.begin("a", 1, str(tmp_path / "log"))
    deadline = time.monotonic() + 30
    while ledger.log("r1", "a", 1) != "so far\n" and time.monotonic() < deadline:
        logs.look()
        time.sleep(0.01)
    assert ledger.log("r1", "a", 1) == "so far\n"

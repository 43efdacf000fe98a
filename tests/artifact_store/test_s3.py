"""What is S3's own: what its store loads, interruptions, and large files. The rest is in test_contract, test_remote."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from relay import relay

from runner.artifact_store import s3
from runner.artifact_store.base import StoreError
from runner.artifact_store.stores import open_store

LOADED = """
import sys
from runner.artifact_store.stores import open_store
store = open_store(eval(sys.argv[1]))
store.put("a", b"x")
assert store.get("a") == b"x" and list(store.list("")) == ["a"]
print(sorted({"asyncio", "concurrent", "fsspec", "aiohttp", "botocore", "ssl", "obstore"} & set(sys.modules)))
"""


class Interruption(Exception):
    """What a signal raises in these tests."""


def test_what_the_store_loads(s3_settings: dict[str, Any]) -> None:
    command = [sys.executable, "-c", LOADED, repr(s3_settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "['obstore']\n"


def test_a_signal_interrupts_a_request(s3_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(number: int, frame: object) -> None:
        raise Interruption

    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = open_store(s3_settings | {"endpoint_url": f"http://127.0.0.1:{silent.getsockname()[1]}"})
        before = signal.signal(signal.SIGUSR1, interrupt)
        asked = threading.Thread(target=lambda: (silent.accept(), os.kill(os.getpid(), signal.SIGUSR1)))
        asked.start()
        try:
            with pytest.raises(Interruption):
                store.get("a")
        finally:
            asked.join()
            signal.signal(signal.SIGUSR1, before)


def test_parts_that_fail_are_sent_again(s3_settings: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(os.urandom(1024) * 40 * 1024)
    failures: list[int | str] = [503, "reset", "lost"]
    with relay(s3_settings["endpoint_url"]) as between:
        between.answer = lambda method, path, number: failures.pop() if "partNumber=2" in path and failures else None
        store = open_store(s3_settings | {"endpoint_url": between.url})
        store.put_file("large", tmp_path / "large")
        assert store.fetch("large").read_bytes() == (tmp_path / "large").read_bytes()
        assert sum("partNumber" in path for _, path in between.seen) == 3 + 3


def test_the_last_answer_of_a_large_file_is_lost(s3_settings: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(40 * 1024 * 1024))
    lost = ["lost", 404]
    with relay(s3_settings["endpoint_url"]) as between:
        between.answer = lambda method, path, number: (
            lost.pop(0) if method == "POST" and "uploadId=" in path and lost else None
        )
        open_store(s3_settings | {"endpoint_url": between.url}).put_file("large", tmp_path / "large")
    assert open_store(s3_settings).size("large") == 40 * 1024 * 1024


def test_a_large_file_that_changes_is_not_there(
    s3_settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(20 * 1024 * 1024))
    grow = lambda *given: path.write_bytes(bytes(1024)) and 16 * 1024 * 1024  # noqa: E731
    monkeypatch.setattr(s3, "part_size", grow)
    with pytest.raises(StoreError, match="was changed while it was sent"):
        open_store(s3_settings).put_file("large", path)
    assert open_store(s3_settings).size("large") is None


def test_more_objects_than_a_page_has(s3_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3, "PAGE", 3)
    store = open_store(s3_settings)
    keys = [f"a/{name}" for name in ("!", "a b", "b", "z/1", "z/2", "ä", "日本")]
    for key in keys:
        store.put(key, b"")
    assert list(store.list("")) == keys
    assert list(store.names("a/")) == ["!", "a b", "b", "z", "ä", "日本"]


def test_a_key_that_cannot_be_one(s3_settings: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match="cannot write"):
        open_store(s3_settings).put("a\x7fb", b"x")

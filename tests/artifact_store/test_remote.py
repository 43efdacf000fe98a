"""Remote stores when the world is not as it should be: refusals, lost answers, forks, and what requests they make."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from relay import Relay, relay

from runner.artifact_store import bucket, transfers
from runner.artifact_store.base import ObjectMissing, StoreError
from runner.artifact_store.ledger import Ledger
from runner.artifact_store.stores import open_store
from runner.records import SUCCEEDED, StepResult


@pytest.fixture(params=["s3", "gcs", "azure"])
def settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.getfixturevalue(f"{request.param}_settings")
    return found


@pytest.fixture
def between(settings: dict[str, Any]) -> Iterator[Relay]:
    """A relay in front of the store's service."""
    with relay(settings["endpoint_url"]) as the_relay:
        settings["endpoint_url"] = the_relay.url
        yield the_relay


@pytest.fixture
def counted(s3_settings: dict[str, Any]) -> Iterator[tuple[Any, Relay]]:
    """A store in S3, and the relay that counts its requests."""
    with relay(s3_settings["endpoint_url"]) as the_relay:
        yield open_store(s3_settings | {"endpoint_url": the_relay.url}), the_relay


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def test_nothing_is_imported_nor_asked_before_it_is_used(settings: dict[str, Any]) -> None:
    def resolve(name: str) -> str:
        raise AssertionError(name)

    store = open_store(settings | {"endpoint_url": "http://127.0.0.1:1/x"}, resolve)
    assert (store.remote, store.settings["path"]) == (True, settings["path"])
    assert "${secrets." in str(store.settings) or settings["flavor"] == "gcs"


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, "reset"])
def test_what_passes_is_tried_again(settings: dict[str, Any], between: Relay, status: Any) -> None:
    between.answer = lambda method, path, number: status if number in (1, 2, 4) else None
    store = open_store(settings)
    store.put("a/b", b"x")
    assert (store.get("a/b"), len(between.seen)) == (b"x", 5)


def test_it_is_not_tried_for_ever(settings: dict[str, Any], between: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "PATIENCE", 0.5)
    between.answer = lambda method, path, number: 503
    with pytest.raises(StoreError, match=r"cannot write 'a/b' in .*: gave up after \d+ tries: 503"):
        open_store(settings).put("a/b", b"x")


def test_an_object_that_was_written_although_the_answer_was_lost(settings: dict[str, Any], between: Relay) -> None:
    between.answer = lambda method, path, number: "lost" if number == 1 else None
    assert open_store(settings).put_if_absent("a/lock", b"mine")
    assert not open_store(settings).put_if_absent("a/lock", b"yours")


def test_a_missing_right_is_told_at_once(settings: dict[str, Any], between: Relay) -> None:
    between.answer = lambda method, path, number: 403
    with pytest.raises(StoreError, match=r"cannot write 'a/b' in .*: permission denied") as caught:
        open_store(settings).put("a/b", b"x")
    assert "'bucket'" in str(caught.value.help) and len(between.seen) == 1


def test_a_bucket_that_is_not_there(settings: dict[str, Any]) -> None:
    store = open_store(settings | {"path": settings["path"].replace("bucket", "nowhere")})
    if settings["flavor"] != "gcs":  # its emulator says of it only that an object is missing
        with pytest.raises(StoreError, match=r"there is no (bucket|container) 'nowhere'"):
            store.put("a/b", b"x")
    with pytest.raises((StoreError, ObjectMissing)):
        store.get("a/b")


def test_a_service_that_is_not_there(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "IMPATIENCE", 0.5)
    endpoint = f"http://127.0.0.1:{free_port()}/devstoreaccount1"
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:.*cannot be reached") as caught:
        open_store(settings | {"endpoint_url": endpoint}).put("a/b", b"x")
    assert "endpoint_url" in str(caught.value.help)


def test_a_login_that_is_refused(azure_settings: dict[str, Any]) -> None:
    store = open_store(azure_settings, lambda name: "bm9uc2Vuc2U=")
    with pytest.raises(StoreError, match="the login was refused"):
        store.put("a/b", b"x")


def test_a_login_that_is_not_there(s3_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    fields = {name: value for name, value in s3_settings.items() if "access_key" not in name}
    with pytest.raises(StoreError, match="the login was refused") as caught:
        open_store(fields).put("a/b", b"x")
    assert "access_key_id" in str(caught.value.help)


def test_a_secret_that_is_not_there(s3_settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORE_KEY")
    with pytest.raises(StoreError, match="secret 'STORE_KEY' of the artifact store is not set"):
        open_store(s3_settings).get("a")


def test_a_package_that_is_not_installed(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    package = {"s3": "obstore", "gcs": "gcsfs", "azure": "adlfs"}[settings["flavor"]]
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(StoreError, match=f"needs '{package}") as caught:
        open_store(settings).get("a")
    assert caught.value.help == f"install it: runner integrations install {settings['flavor']}"


def test_a_large_object_goes_in_parts(settings: dict[str, Any], tmp_path: Path) -> None:
    store, block = open_store(settings), os.urandom(1024 * 1024)
    path = store.scratch() / f"large-{os.getpid()}"
    with open(path, "wb") as file:
        for _ in range(104):
            file.write(block)
        file.write(b"the end")
    store.put_file("artifacts/large", path)
    fetched = store.fetch("artifacts/large")
    try:
        assert _digest(fetched) == _digest(path) and store.size("artifacts/large") == 104 * 1024 * 1024 + 7
    finally:
        path.unlink()
        fetched.unlink()


def test_a_large_object_that_fails_half_way_is_not_there(s3_settings: dict[str, Any], tmp_path: Path) -> None:
    with relay(s3_settings["endpoint_url"]) as between:
        between.answer = lambda method, path, number: 403 if "partNumber=2" in path else None
        store = open_store(s3_settings | {"endpoint_url": between.url})
        (tmp_path / "large").write_bytes(bytes(40 * 1024 * 1024))
        with pytest.raises(StoreError, match="permission denied"):
            store.put_file("artifacts/large", tmp_path / "large")
        assert store.size("artifacts/large") is None
        assert between.count("DELETE") == 1  # what was sent is let go of


def test_parts_are_never_too_many() -> None:
    assert transfers.part_size(1, 16 << 20) == 16 << 20
    assert -(-(5 << 40) // transfers.part_size(5 << 40, 16 << 20)) < 10_000


def test_a_forked_child_connects_anew(settings: dict[str, Any]) -> None:
    store = open_store(settings)
    store.put("a/b", b"from the parent")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            store.put("a/c", store.get("a/b") + b" and the child")
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert store.get("a/c") == b"from the parent and the child"


def test_each_operation_is_one_request(counted: tuple[Any, Relay]) -> None:
    store, between = counted
    for number, work in enumerate(
        [
            lambda: store.put("a/b", b"x"),
            lambda: store.put_if_absent("a/c", b"x"),
            lambda: store.get("a/b"),
            lambda: store.size("a/b"),
            lambda: store.copy("a/b", "a/d"),
            lambda: list(store.list("a/")),
            lambda: list(store.names("a/")),
            lambda: store.delete("a/b"),
        ],
        1,
    ):
        work()
        assert len(between.seen) == number


def test_listing_and_deleting_a_run_take_a_request_for_a_thousand_objects(counted: tuple[Any, Relay]) -> None:
    store, between = counted
    Ledger(store).each(lambda number: store.put(f"runs/r1/steps/s{number:04}/1/result.json", b"{}"), range(1100))
    between.seen.clear()
    assert len(Ledger(store).traces("r1")) == 1100
    assert len(between.seen) == 2
    store.delete("runs/r1/")
    assert len(between.seen) == 2 + 2 + 2
    assert list(store.list("")) == []


def test_a_result_and_its_place_in_the_cache_take_two(counted: tuple[Any, Relay]) -> None:
    store, between = counted
    result = StepResult("r1", "fit", 1, SUCCEEDED, 1.0, 2.0, "host", 42, {})
    Ledger(store).write_result(result)
    Ledger(store).write_cache("k1", result)
    assert len(between.seen) == 2
    assert Ledger(store).cached("k1", None) == result


def test_sweep_removes_copies_of_yesterday(s3_settings: dict[str, Any], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = open_store(s3_settings)
    for name in ("old", "new"):
        store.put(name, name.encode())
    old, new = store.fetch("old"), store.fetch("new")
    os.utime(old, (time.time() - 100_000,) * 2)
    store.sweep()
    assert (old.exists(), new.exists()) == (False, True)
    assert store.fetch("old").read_bytes() == b"old"


def test_copies_are_for_their_owner_alone(s3_settings: dict[str, Any], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = open_store(s3_settings)
    store.put("a", b"x")
    path = store.fetch("a")
    assert path.stat().st_mode & 0o777 == 0o400 and path.parents[2].stat().st_mode & 0o777 == 0o700
    path.parents[2].chmod(0o777)
    with pytest.raises(StoreError, match="is not a folder of yours alone"):
        store.fetch("a")


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

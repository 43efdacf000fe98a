"""A library whose threads do not survive a fork, in children and their children."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import pytest

from runner.artifact_store.base import StoreError
from runner.artifact_store.obstore_library import library
from runner.artifact_store.stores import open_store


def in_a_child(work: Callable[[], object]) -> int:
    """The exit code of a forked child that does this: 0 when it returned, 1 when it raised."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_process_has_one_library() -> None:
    assert library() is library() is sys.modules["obstore"]


def test_each_generation_uses_the_store(s3_settings: dict[str, Any]) -> None:
    store = open_store(s3_settings)

    def use(generation: int) -> None:
        store.put(f"generation/{generation}", b"x")
        assert store.get(f"generation/{generation}") == b"x"
        assert generation == 0 or in_a_child(lambda: use(generation - 1)) == 0
        store.put(f"again/{generation}", b"x")

    use(3)
    assert len(list(store.list(""))) == 8


def test_several_children_at_a_time_use_it(s3_settings: dict[str, Any]) -> None:
    store = open_store(s3_settings)
    store.put("a", b"x")
    for number in range(8):
        assert in_a_child(lambda number=number: store.put(f"child/{number}", store.get("a"))) == 0
    assert len(list(store.list("child/"))) == 8


def test_a_child_ends_as_any_other(s3_settings: dict[str, Any]) -> None:
    store = open_store(s3_settings)
    store.put("a", b"x")
    program = f"import os\n{_FORKING}"
    import subprocess

    done = subprocess.run([sys.executable, "-c", program, repr(s3_settings)], capture_output=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, b"parent\n"), done.stderr


def test_a_child_that_may_not_load_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    library()

    def refuse(name: str) -> int:
        raise PermissionError(13, "not allowed")

    def work() -> None:
        monkeypatch.setattr(os, "memfd_create", refuse)
        with pytest.raises(StoreError, match="was forked from one that used S3, and cannot load"):
            library()

    assert in_a_child(work) == 0


_FORKING = """
import sys
from runner.artifact_store.stores import open_store
store = open_store(eval(sys.argv[1]))
store.put("b", b"x")
pid = os.fork()
store.get("b")
if pid:
    assert os.waitpid(pid, 0)[1] == 0
    print("parent")
"""

"""Coroutines without an event loop."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from runner.artifact_store.blocking import BlockingBucket, interruptibly, result_of


def several(work: Any, count: int, at_once: int) -> None:
    result_of(lambda: BlockingBucket.several(None, work, count, at_once))  # type: ignore[arg-type]


def test_a_coroutine_that_never_waits_gives_its_result() -> None:
    async def work() -> int:
        return 3

    assert result_of(work) == 3


def test_some_at_a_time_do_everything() -> None:
    done, together = [], threading.Barrier(3)

    async def work(number: int) -> None:
        if number < 3:
            together.wait()
        done.append(number)

    several(work, 20, 3)
    assert sorted(done) == list(range(20))


def test_the_first_failure_ends_all() -> None:
    done = []

    async def work(number: int) -> None:
        done.append(number)
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        several(work, 1000, 1)
    assert done == [0]


def test_another_thread_works_for_the_main_one_only() -> None:
    assert interruptibly(threading.current_thread) is not threading.main_thread()
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(interruptibly(threading.current_thread)))
    thread.start()
    thread.join()
    assert found == [thread]


def test_failures_come_through() -> None:
    with pytest.raises(ZeroDivisionError):
        interruptibly(lambda: 1 // 0)

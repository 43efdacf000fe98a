"""Buckets whose library blocks until it is answered: their coroutines never wait, and no event loop is loaded."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from runner.artifact_store.bucket import Bucket

_T = TypeVar("_T")


class BlockingBucket(Bucket):
    """A bucket of such a library; its threads are ours."""

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)

    async def several(self, work: Callable[[int], Awaitable[None]], count: int, at_once: int) -> None:
        numbers, failures = iter(range(count)), list[BaseException]()

        def one_after_another() -> None:
            try:
                for number in numbers:
                    if failures:
                        return
                    result_of(lambda number=number: work(number))  # type: ignore[misc]
            except BaseException as failure:
                failures.append(failure)

        threads = [threading.Thread(target=one_after_another, daemon=True) for _ in range(min(at_once, count))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except BaseException as interruption:
            failures.insert(0, interruption)
            for thread in threads:
                if thread.ident is not None:
                    thread.join()  # they write into a file that is closed next
        if failures:
            raise failures[0]


def result_of(work: Callable[[], Awaitable[_T]]) -> _T:
    """What a coroutine gives that never waits."""
    coroutine: Coroutine[Any, Any, _T] = work()  # type: ignore[assignment]
    try:
        coroutine.send(None)
    except StopIteration as done:
        value: _T = done.value
        return value
    raise RuntimeError("a coroutine of a blocking bucket waits")


def interruptibly(work: Callable[[], _T]) -> _T:
    """What `work` gives. It may be deaf to signals, as what is not written in Python is: in the main thread, which is
    who hears them, it runs on another thread that is waited for."""
    if threading.current_thread() is not threading.main_thread():
        return work()
    answers: list[_T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(work())
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return answers[0]

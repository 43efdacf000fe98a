"""Datagrams are hints: those of this run are told, others are not, and nothing that comes does any harm."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import pytest

from runner.orchestrators.hearing import Hearing

News = SimpleQueue[tuple[Any, ...]]


@pytest.fixture
def news() -> News:
    return SimpleQueue()


@pytest.fixture
def hearing(news: News) -> Iterator[Hearing]:
    made = Hearing("127.0.0.1", "m1", lambda *told: news.put(told))
    yield made
    made.close()
    assert not made.thread.is_alive()


def say(hearing: Hearing, data: bytes) -> None:
    with socket.socket(hearing.socket.family, socket.SOCK_DGRAM) as sender:
        sender.sendto(data, hearing.address[:2])


def test_what_a_worker_says_is_told(hearing: Hearing, news: News) -> None:
    say(hearing, b"m1\nfit\n2")
    assert news.get(timeout=60) == ("heard", ("fit", 2))


@pytest.mark.parametrize(
    "data", [b"m2\nfit\n1", b"m1", b"m1\nfit", b"m1\nfit\n-1", b"\xff\xfe", b"m1\nfit\n" + b"9" * 5000]
)
def test_other_words_are_passed_over(hearing: Hearing, news: News, data: bytes) -> None:
    say(hearing, data)
    say(hearing, b"m1\nlast\n1")
    assert news.get(timeout=60) == ("heard", ("last", 1))

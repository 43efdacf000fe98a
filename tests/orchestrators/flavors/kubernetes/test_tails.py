"""What a pod prints, over connections that break."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from runner.orchestrators.flavors.kubernetes import tails
from runner.orchestrators.flavors.kubernetes.tails import Refused, Stream


class Answer:
    """An answer in these chunks; None breaks it."""

    def __init__(self, chunks: list[bytes | None]) -> None:
        self.chunks = chunks

    def stream(self, size: int, decode_content: bool) -> Iterator[bytes]:
        for chunk in self.chunks:
            if chunk is None:
                raise OSError("reset by peer")
            yield chunk

    def close(self) -> None:
        """Nothing is open."""


class Logs:
    """Stands for a cluster that gives these answers, one after the other."""

    def __init__(self, *answers: list[bytes | None]) -> None:
        self.answers = list(answers)

    def log(self, pod: str, *, follow: bool) -> Answer:
        return Answer(self.answers.pop(0))


def lines(*answers: list[bytes | None]) -> list[str]:
    cluster: Any = Logs(*answers)
    return list(Stream(cluster, "p").lines())


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tails, "AGAIN", 0.0)


def test_lines_come_whole_and_the_last_as_it_is() -> None:
    assert lines([b"a\nb", b"\nc\xc3", b"\xa9", b"d"]) == ["a\n", "b\n", "céd"]


@pytest.mark.parametrize("again", [[b"a\nbc\nd\n"], [b"a", b"\n", b"bc", b"\nd\n"], [b"a\nb", b"c\nd\n"]])
def test_what_was_read_before_a_break_is_not_read_again(again: list[bytes | None]) -> None:
    assert "".join(lines([b"a\nb", None], again)) == "a\nbc\nd\n"


def test_a_connection_that_breaks_again_and_again_is_given_up() -> None:
    with pytest.raises(Refused, match="the log of pod 'p' broke off: reset by peer"):
        lines(*[[None]] * tails.TRIES)

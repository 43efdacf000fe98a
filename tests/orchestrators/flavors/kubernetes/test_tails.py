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


class Ledger:
    """Stands for a ledger that has this log."""

    def __init__(self, text: str) -> None:
        self.text = text

    def log(self, run_id: str, step: str, attempt: int) -> str:
        return self.text


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


NOISE = [
    "rpc error: code = Unknown desc = Error: No such container: 9096cb0d6c1e",
    "unable to retrieve container logs for docker://9096cb0d6c1e",
    'failed to try resolving symlinks in path "/var/log/pods/a/0.log": lstat /var/log/pods/a/0.log: no such file',
]


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("end", ["", "\n"])
def test_what_a_node_says_at_the_end_is_no_line_of_the_step(noise: str, end: str) -> None:
    assert "".join(lines([b"a\n", f"{noise}{end}".encode()])) == "a\n"
    assert "".join(lines([f"a{noise}{end}".encode()])) == "a"
    assert lines([f"{noise}{end}".encode()]) == []


@pytest.mark.parametrize("noise", NOISE)
def test_the_same_before_other_lines_is_the_steps_own(noise: str) -> None:
    assert "".join(lines([f"{noise}\n".encode(), b"b\n"])) == f"{noise}\nb\n"


def test_what_was_left_out_is_looked_up_in_the_ledger() -> None:
    said, told = f"a\n{NOISE[0]}\n", []
    cluster, ledger = Logs([said.encode()]), Ledger(said)
    followed: Any = tails.Tails(cluster, ledger, "r", lambda *news: told.append(news))  # type: ignore[arg-type]
    tail = followed.tails["s", 1] = tails.Tail(tails.QUEUED)
    followed._follow(("s", 1), "p", tail)
    followed._rest(("s", 1), tail)
    followed.close()
    assert [text for what, _, text in told] == ["a\n", "cut", f"{NOISE[0]}\n", "over"]


def test_a_connection_that_breaks_again_and_again_is_given_up() -> None:
    with pytest.raises(Refused, match="the log of pod 'p' broke off: reset by peer"):
        lines(*[[None]] * tails.TRIES)

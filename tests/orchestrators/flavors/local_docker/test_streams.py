"""Whole lines out of the engine's frames."""

from __future__ import annotations

from runner.orchestrators.flavors.local_docker.streams import Frames, News


def frame(text: bytes, stream: int = 1) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(text).to_bytes(4, "big") + text


def test_lines_are_told_when_they_are_whole() -> None:
    frames = Frames()
    assert frames.feed(frame(b"one\ntw")) == "one\n"
    assert frames.feed(frame(b"o\n")) == "two\n"


def test_a_frame_may_come_in_pieces() -> None:
    frames, data = Frames(), frame("grüße\n".encode())
    assert "".join(frames.feed(data[i : i + 1]) for i in range(len(data))) == "grüße\n"


def test_two_streams_do_not_break_each_others_lines() -> None:
    frames = Frames()
    assert frames.feed(frame(b"out") + frame(b"err\n", 2) + frame(b"put\n")) == "err\noutput\n"


def test_what_is_left_comes_at_the_end() -> None:
    frames = Frames()
    assert frames.feed(frame(b"no newline")) == ""
    assert (frames.end(), frames.end()) == ("no newline", "")


def test_news_are_heard_in_their_order() -> None:
    news = News()
    news.tell("a", 1)
    news.tell("b")
    assert (news.heard(), news.heard()) == ([("a", 1), ("b",)], [])
    news.close()

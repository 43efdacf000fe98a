"""What commands share."""

from __future__ import annotations

import io

import pytest

from runner.cli.options import colored, examples


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_colour_is_for_terminals() -> None:
    assert colored(Terminal())
    assert not colored(io.StringIO())


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_declined(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert not colored(Terminal())


def test_examples_are_one_a_line() -> None:
    assert examples("runner a", "runner b") == "\b\nExamples:\n  runner a\n  runner b"

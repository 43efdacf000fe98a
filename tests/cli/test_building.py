"""What is told of a build: each step once, and signs of life below those that take their time."""

from __future__ import annotations

import time

import pytest

from runner.cli import building
from runner.cli.building import Telling
from runner.images.build import Progress

STEP = Progress("x:1", "build", "RUN pip install", 2, 3)


def test_each_step_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    tell = Telling()
    for progress in (STEP, STEP._replace(detail="Collecting six"), STEP._replace(done=3), STEP._replace(done=3)):
        tell(progress)
    assert capsys.readouterr().err == "building x:1\n  [2/3] RUN pip install\n  [3/3] RUN pip install\n"


def test_the_next_image_begins_with_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    tell = Telling()
    for progress in (STEP, STEP, STEP._replace(image="y:1"), STEP._replace(image="y:1")):
        tell(progress)
    assert capsys.readouterr().err.splitlines()[2:] == ["building y:1", "  [2/3] RUN pip install"]


def test_what_a_long_step_said_last(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "BEAT", 0.02)
    tell, told = Telling(), ""
    tell(STEP)
    tell(STEP._replace(detail="Collecting six"))
    give_up = time.monotonic() + 60
    while "Collecting six" not in told:
        assert time.monotonic() < give_up, told
        told += capsys.readouterr().err
    tell(STEP)
    assert told.endswith("s: Collecting six\n")

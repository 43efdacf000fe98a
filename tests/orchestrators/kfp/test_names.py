"""Names of tasks and pipelines within what both engines take."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from runner.orchestrators.kfp.names import LONGEST, pipeline_name, task_names

STEPS = st.lists(st.from_regex("[A-Za-z_][A-Za-z0-9_-]{0,90}", fullmatch=True), unique=True, max_size=8)


def test_a_step_keeps_its_name_where_it_can() -> None:
    assert task_names(["load", "evaluate_forest"]) == {"load": "load", "evaluate_forest": "evaluate-forest"}


def test_steps_that_would_have_one_name_are_told_apart_whatever_their_order() -> None:
    names = task_names(["a_b", "A-B", "other"])
    assert names == task_names(["other", "A-B", "a_b"])
    assert len(set(names.values())) == 3 and names["other"] == "other"


@given(STEPS)
def test_every_name_is_one_that_the_engines_take(steps: list[str]) -> None:
    names = task_names(steps)
    assert len(set(names.values())) == len(steps)
    for name in names.values():
        assert re.fullmatch("[a-z0-9]([a-z0-9-]*[a-z0-9])?", name) and len(name) <= LONGEST


@given(st.from_regex("[A-Za-z_][A-Za-z0-9_-]{0,200}", fullmatch=True))
def test_a_pipelines_name_is_one_that_the_sdk_takes(name: str) -> None:
    assert re.fullmatch("[a-z0-9][a-z0-9-]{0,127}", pipeline_name(name))


def test_a_step_of_its_pipelines_name_has_another_name() -> None:
    names = task_names(["train", "load"], "Train")
    assert names["load"] == "load" and names["train"].startswith("train-")

"""Names and labels keep Kubernetes' rules, and no two things get one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.orchestrators.container import name_of
from runner.orchestrators.flavors.kubernetes.names import collisions, job_name, run_id_of
from runner.orchestrators.labels import label_value
from runner.spec.common import NAME

NAMES = st.from_regex(NAME.replace("$", r"\Z"))
RUN_IDS = st.one_of(st.just("20270131-094500-3f9a1c"), st.text(min_size=1, max_size=80))
DNS_LABEL = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
MARK = "0123456789abcdef"


@given(RUN_IDS, NAMES, st.integers(1, 10_000))
def test_names_of_pods_and_jobs_are_names_of_hosts(run_id: str, name: str, attempt: int) -> None:
    assert DNS_LABEL.fullmatch(name_of(run_id, name, attempt, MARK))
    assert DNS_LABEL.fullmatch(job_name(run_id, name, MARK))


@given(st.lists(NAMES, max_size=6, unique=True))
def test_names_of_steps_stay_apart(names: list[str]) -> None:
    assert len({label_value(name) for name in names}) == len(names)
    assert list(collisions(names)) == []


@pytest.mark.parametrize("names", [("a_b", "a-b"), ("A", "a"), ("a-", "a"), ("x" * 60 + "1", "x" * 60 + "2")])
def test_what_differs_only_where_names_are_cut_or_spelt_stays_apart(names: tuple[str, str]) -> None:
    assert list(collisions(names)) == []


def test_a_collision_is_told_at_the_second_step() -> None:
    made = name_of("r", "a_b", 1, MARK).removeprefix("runner-r-").removesuffix(f"-1-{MARK[:8]}")
    (refusal,) = collisions(["a_b", made])
    assert (refusal.path, refusal.code) == (("steps", made), "name-collision")
    assert "'a_b'" in refusal.message and refusal.help == "rename one of them"


def test_a_run_that_is_none_in_particular() -> None:
    assert (run_id_of("${run.id}"), run_id_of("r-1")) == ("run-id", "r-1")

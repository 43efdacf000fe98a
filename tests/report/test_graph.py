"""A plan as people and tools read it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.plan.deployment import DeployedStep
from runner.plan.plan import CACHED, REUSED, RUN, UNKNOWN, Plan, PlannedStep
from runner.records import Artifact
from runner.report.graph import plan_dot, plan_json, plan_mermaid, plan_text, resources_text
from runner.report.words import WIDTH

GOLDEN = Path(__file__).parents[1] / "golden" / "report"
LARGE = {"cpu_count": 2.0, "memory": 2_000_000_000, "gpu_count": 1, "gpu_type": "a100", "shm": 2**30}
RETRY = {"max_retries": 2, "delay": 10.0, "backoff": 2.0, "max_delay": 300.0}
SPLIT = ("train", "test")


@pytest.fixture
def same(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    def same(name: str, text: str) -> None:
        if request.config.getoption("--golden", default=False):
            (GOLDEN / name).write_text(text)
        assert text == (GOLDEN / name).read_text()

    return same


def planned(*steps: PlannedStep, left_out: tuple[str, ...] = ()) -> Plan:
    return Plan("train", "default", "local", {"size": 0.25}, "fail_fast", steps, file="train.yaml", left_out=left_out)


def step(name: str, wave: int, action: str, reason: str, **fields: object) -> PlannedStep:
    return PlannedStep(DeployedStep(name, f"steps:{name}", **fields), wave, action, reason)  # type: ignore[arg-type]


TRAIN = planned(
    step("load", 1, CACHED, "as in run r1"),
    step("split", 2, RUN, "parameters changed", inputs={"data": ("load", "output")}, outputs=SPLIT),
    step(
        "fit",
        3,
        UNKNOWN,
        "after 'split' has run",
        inputs={"x": ("split", "train")},
        resources=LARGE,
        retry=RETRY,
        timeout=600,
    ),
    step(
        "report",
        4,
        UNKNOWN,
        "may be cached, depends on 'fit' and 'split'; code, parameters, environment and input 'model' changed",
        inputs={"model": ("fit", "output"), "x": ("split", "train"), "y": ("split", "test")},
        after=("load",),
    ),
)


def test_text(same):
    same("plan.txt", plan_text(TRAIN))


def test_text_of_a_selection(same):
    text = plan_text(
        planned(
            step("split", 0, REUSED, "not selected, from run r1"), step("fit", 1, RUN, "never ran"), left_out=("load",)
        )
    )
    same("plan-selection.txt", text)


def test_json(same):
    one = TRAIN.steps[0]._replace(key="k", outputs={"output": Artifact("artifacts/d", "json", 1, "d", "int")})
    same("plan.json", plan_json(planned(one)))
    assert len(json.loads(plan_json(TRAIN))["steps"]) == 4


def test_mermaid(same):
    same("plan.mmd", plan_mermaid(TRAIN))


def test_dot(same):
    same("plan.dot", plan_dot(TRAIN))


def test_lines_fit():
    assert max(map(len, plan_text(TRAIN).splitlines())) <= WIDTH
    assert max(map(len, plan_text(TRAIN, 80).splitlines())) <= 80


def test_columns_with_nothing_in_them_are_left_out():
    assert plan_text(planned(step("load", 1, RUN, "never ran"))).splitlines()[2].split() == [
        "wave",
        "step",
        "action",
        "why",
    ]


def test_long_names_leave_room_for_the_reason():
    plan = planned(step("x" * 63, 1, RUN, "a reason of many words that has to go somewhere", resources=LARGE))
    lines = plan_text(plan).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert "  a reason of many      2 cpu, 2GB, 1 gpu" in lines[3]
    assert "  words that has to go  a100, 1GiB shm" in lines[4]


def test_no_steps():
    assert plan_text(planned()) == "train on stack default (local)\n\n0 steps: nothing to run\n"


@pytest.mark.parametrize("name", ["end", "graph", 'a"]; b', "a-->b", "<b>&amp;", "ü\n", "x`y`"])
def test_any_name_stands_in_quotes(name):
    plan = planned(step(name, 1, RUN, ""), step("next", 2, RUN, "", inputs={"a": (name, name)}))
    lines = plan_mermaid(plan).splitlines()
    assert (lines[1].count('"'), lines[3].count('"')) == (2, 2)
    assert not set("<>`&") & set(lines[1].replace("<br/>", ""))
    assert 'n1 [label="' in plan_dot(plan)


def test_quotes_are_escaped_in_dot():
    assert '  n1 [label="a\\"b\\\\\\nrun", ' in plan_dot(planned(step('a"b\\', 1, RUN, "")))


def test_resources_in_words():
    assert resources_text(LARGE) == "2 cpu, 2GB, 1 gpu a100, 1GiB shm"
    assert resources_text({"cpu_count": 0.5, "gpu_type": "t4", "disk": 10**10}) == "0.5 cpu, gpu t4, 10GB disk"
    assert resources_text({}) == ""


def test_what_a_reused_step_was_made_from_is_left_out_of_the_graph() -> None:
    plan = planned(
        step("split", 0, REUSED, "not selected", inputs={"data": ("load", "output")}),
        step("fit", 1, RUN, "", inputs={"train": ("split", "output")}),
        left_out=("load",),
    )
    assert plan_dot(plan).count(" -> ") == 1
    assert plan_mermaid(plan).count("-->") == 1


def test_a_plan_without_reasons_has_no_such_column() -> None:
    assert "why" not in plan_text(planned(step("a", 1, RUN, "")))

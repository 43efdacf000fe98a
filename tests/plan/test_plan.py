"""A plan's own facts and its JSON."""

from __future__ import annotations

import json

from runner.plan.deployment import DeployedStep
from runner.plan.plan import CACHED, RUN, Obstacle, Plan, PlannedStep, plan_to_json
from runner.records import Artifact

STEP = DeployedStep("load", "steps:load", inputs={"a": ("up", "x")}, after=("up",))


def plan(*actions: str) -> Plan:
    steps = tuple(
        PlannedStep(STEP, 1, action, "why", outputs={"output": Artifact("u", "json", 1, "d")}) for action in actions
    )
    return Plan("p", "default", "local", {"x": 1}, "fail_fast", steps, obstacles=(Obstacle(("a",), "code", "text"),))


def test_counts_and_would_run():
    assert plan(RUN, CACHED, CACHED).counts == {"run": 1, "cached": 2, "unknown": 0, "reused": 0}
    assert plan(RUN, CACHED).would_run
    assert not plan(CACHED).would_run


def test_json_is_plain():
    data = json.loads(json.dumps(plan_to_json(plan(RUN))))
    step = data["steps"][0]
    assert (step["name"], step["action"], step["outputs"], step["inputs"]) == (
        "load",
        "run",
        ["output"],
        {"a": ["up", "x"]},
    )
    assert step["artifacts"]["output"]["digest"] == "d"
    assert data["obstacles"] == [{"path": ["a"], "code": "code", "message": "text", "help": None}]
    assert data["would_run"] is True

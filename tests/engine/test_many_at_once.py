"""Many runs at once in one project: all succeed, and nobody hears of a lock."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest


@pytest.mark.parametrize(("count", "before"), [(20, 0), (10, 1)])
def test_runs_at_once_all_succeed(workshop: Any, count: int, before: int) -> None:
    for _ in range(before):
        assert workshop.runner("run", "quick.yaml").returncode == 0
    going = [workshop.start("run", "quick.yaml") for _ in range(count)]
    ends = [(run.end(), run.errors) for run in going]
    assert ends == [(0, "")] * count
    statuses = [run["status"] for run in workshop.json("runs", "list", "--limit", "100")]
    assert statuses == ["succeeded"] * (count + before)


def test_runs_are_listed_while_others_run(workshop: Any) -> None:
    going = [workshop.start("run", "quick.yaml") for _ in range(5)]
    found: list[subprocess.CompletedProcess[str]] = []
    while any(run.process.poll() is None for run in going) or not found:
        found.append(workshop.runner("runs", "list", "--format", "json"))
    assert {(each.returncode, each.stderr) for each in found} == {(0, "")}
    told = {run["status"] for each in found for run in json.loads(each.stdout)}
    assert told <= {"running", "succeeded"}
    assert [run.end() for run in going] == [0] * 5

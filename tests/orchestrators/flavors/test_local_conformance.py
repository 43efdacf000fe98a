"""The local flavor passes the public conformance suite, in both isolations."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.orchestrators.flavors.local.orchestrator import LocalOrchestrator
from runner.orchestrators.flavors.local.settings import LocalSettings
from runner.testing import OrchestratorConformance


class TestLocalProcess(OrchestratorConformance):
    def orchestrator(self) -> LocalOrchestrator:
        return LocalOrchestrator(LocalSettings(max_parallel=2))


class TestLocalOneAfterAnother(OrchestratorConformance):
    def orchestrator(self) -> LocalOrchestrator:
        return LocalOrchestrator(LocalSettings())


class TestLocalWithoutIsolation(OrchestratorConformance):
    def orchestrator(self) -> LocalOrchestrator:
        return LocalOrchestrator(LocalSettings(isolation="none"))


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_two_at_a_time_overlap(tmp_path: Path, isolation: str) -> None:
    case = TestLocalProcess()
    case.orchestrator = lambda: LocalOrchestrator(LocalSettings(max_parallel=2, isolation=isolation))  # type: ignore
    from runner.testing import _events, _step

    steps = [_step(name, "sleep", parameters={"seconds": 1.0}) for name in ("a", "b")]
    _, happened = case._run(tmp_path, steps)
    kinds = [event.event for event in _events(happened) if event.step]
    assert kinds[:2] == ["step_started", "step_started"]

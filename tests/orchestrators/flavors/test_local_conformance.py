"""The local flavor passes the public conformance suite, in both isolations."""

from __future__ import annotations

from runner.orchestrators.flavors.local.orchestrator import LocalOrchestrator
from runner.orchestrators.flavors.local.settings import LocalSettings
from runner.testing import OrchestratorConformance


class TestLocalProcess(OrchestratorConformance):
    at_a_time = 2

    def orchestrator(self) -> LocalOrchestrator:
        return LocalOrchestrator(LocalSettings(max_parallel=2))


class TestLocalOneAfterAnother(OrchestratorConformance):
    def orchestrator(self) -> LocalOrchestrator:
        return LocalOrchestrator(LocalSettings())


class TestLocalWithoutIsolation(OrchestratorConformance):
    at_a_time = 2

    def orchestrator(self) -> LocalOrchestrator:
        return LocalOrchestrator(LocalSettings(max_parallel=2, isolation="none"))

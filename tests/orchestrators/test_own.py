"""Orchestrators of one's own, written the least way: the suite, and the command line."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from runner.orchestrators.base import BaseOrchestrator
from runner.orchestrators.worker import BY_WORKER, pending, worker_command
from runner.testing import OrchestratorConformance


class Least(BaseOrchestrator):
    """One step after another."""

    capabilities = BY_WORKER

    def prepare_or_run_pipeline(self, deployment: Any, stack: Any) -> None:
        for step in pending(deployment, stack):
            subprocess.run(worker_command(deployment, step.name))


class Undeclared(Least):
    capabilities = BaseOrchestrator.capabilities


class TestLeast(OrchestratorConformance):
    def orchestrator(self) -> Least:
        return Least()


class TestOneThatDeclaresNothing(OrchestratorConformance):
    def orchestrator(self) -> Undeclared:
        return Undeclared()


class InABucket(TestLeast):
    __test__ = False

    def artifact_store(self, folder: Path) -> dict[str, Any]:
        return self.settings


@pytest.mark.parametrize(
    "test",
    [
        "test_values_are_handed_from_step_to_step",
        "test_logs_are_passed_on_live",
        "test_what_stands_below_a_cached_step_finds_its_outputs",
        "test_a_cancelled_run_stops_with_all_that_it_started",
    ],
)
def test_the_least_one_with_artifacts_in_s3(test: str, tmp_path: Path, s3_settings: dict[str, Any]) -> None:
    suite: Any = InABucket()
    suite.settings = s3_settings
    getattr(suite, test)(tmp_path)

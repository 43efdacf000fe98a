"""The suite of runner, on a real scheduler with real worker processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dask_orchestrator.cluster import own_cluster
from dask_orchestrator.orchestrator import DaskOrchestrator
from dask_orchestrator.settings import DaskSettings

from runner.testing import OrchestratorConformance


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The scheduler of a cluster that is there already."""
    with own_cluster(DaskSettings(n_workers=2), tmp_path_factory.mktemp("dask")) as cluster:
        yield cluster.scheduler_address


class TestOnACluster(OrchestratorConformance):
    at_a_time = 2

    @pytest.fixture(autouse=True)
    def _connect(self, address: str) -> None:
        self.address = address

    def orchestrator(self) -> DaskOrchestrator:
        return DaskOrchestrator(DaskSettings(scheduler_address=self.address))

"""A connection to a Dask cluster: somebody else's, or one of this machine that ends with it."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dask_orchestrator.settings import DaskSettings
from runner.errors import EngineError

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

PATIENCE = 20  # seconds that a scheduler, and its first worker, may take to answer


@contextlib.contextmanager
def connected(settings: DaskSettings, folder: Path, patience: float = PATIENCE) -> Iterator[Client]:
    """A client of the cluster. Raises EngineError when it cannot be reached; `folder` is for workers' scratch files."""
    from distributed import Client

    with contextlib.ExitStack() as stack:
        address: Any = settings.scheduler_address
        if address is None:
            address = stack.enter_context(own_cluster(settings, folder))
        try:
            client = stack.enter_context(Client(address, timeout=patience, set_as_default=False))
            client.wait_for_workers(1, timeout=patience)
        except (OSError, TimeoutError, ValueError) as error:
            help = "start it with `dask scheduler` and `dask worker`, or leave scheduler_address out"
            raise EngineError(f"no Dask cluster answers at '{address}': {error}", help) from error
        yield client


def own_cluster(settings: DaskSettings, folder: Path) -> LocalCluster:
    """A scheduler and workers, processes of this machine that nobody else can reach."""
    from distributed import LocalCluster

    with _interrupts_ignored():
        return LocalCluster(
            host="127.0.0.1",
            n_workers=settings.n_workers,
            threads_per_worker=settings.threads_per_worker,
            resources={**settings.resources, "CPU": settings.threads_per_worker},
            processes=True,
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # health checks still have an address: any free one
            memory_limit=None,  # steps are processes beside the workers, whose memory it would watch
            local_directory=str(folder / "dask"),
            silence_logs=50,  # what goes wrong with an attempt is told by its end
        )


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes that are started meanwhile do not see a terminal's Ctrl-C: the run is cancelled in order."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

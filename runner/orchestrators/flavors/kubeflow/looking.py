"""A look at a run in Kubeflow: its state by one request; why something failed or waits by another, when it does."""

from __future__ import annotations

import time
from collections.abc import Mapping

from runner.errors import EngineError
from runner.orchestrators.base import Seen
from runner.orchestrators.flavors.kubeflow.reading import GONE, SILENCE, seen, tasks_of, wants_words
from runner.orchestrators.flavors.kubeflow.service import Run, Service

PATIENCE = 10.0  # seconds between two questions of the same kind: what something waits for may change


class Look:
    """Looks at one run, by the id that Kubeflow gave to it."""

    def __init__(self, service: Service, kubeflows_id: str) -> None:
        self.service = service
        self.kubeflows_id = kubeflows_id
        self.words = SILENCE
        self.explained: tuple[str, ...] = ()
        self.asked = 0.0

    def __call__(self) -> Seen:
        """Raises Silent when Kubeflow did not answer, EngineError when it will not."""
        run = self.service.run(self.kubeflows_id) if self.kubeflows_id else None
        if run is None:
            return GONE
        tasks = tasks_of(run)
        self._have_explained(run, tasks)
        return seen(run, tasks, self.words)

    def _have_explained(self, run: Run, tasks: Mapping[str, str]) -> None:
        wanted = wants_words(run, tasks)
        is_new = wanted != self.explained or ("waits" in wanted and time.monotonic() - self.asked > PATIENCE)
        if not wanted or not is_new:
            return
        self.asked, self.explained = time.monotonic(), wanted
        try:
            self.words = self.service.words(self.kubeflows_id)
        except EngineError:  # it is told without: some serve no v1beta1 any more
            return

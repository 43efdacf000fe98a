"""An orchestrator set to work, whichever way it was written."""

from __future__ import annotations

import inspect
import subprocess
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from runner.errors import EngineError
from runner.orchestrators.base import BaseOrchestrator, StackLike
from runner.orchestrators.blame import blamed, in_words, place_of
from runner.orchestrators.follow import Following, Happened, attempts_so_far, tick_of
from runner.plan.deployment import Deployment
from runner.records import EVENTS, Event, LogLines


def carry_out(orchestrator: BaseOrchestrator, deployment: Deployment, stack: StackLike) -> Happened:
    """Run a deployment: everything that happens, to the run's last event.

    `prepare_or_run_pipeline` may be a generator of events (or give an iterator of them), or a plain method that runs
    the steps and returns: then the ledger tells meanwhile what happens. Raises EngineError for what the orchestrator
    itself raises, unless it is built in.
    """
    flavor = deployment.flavor
    with blamed(type(orchestrator), flavor):
        if inspect.isgeneratorfunction(orchestrator.prepare_or_run_pipeline):
            yield from checked(orchestrator.prepare_or_run_pipeline(deployment, stack), flavor)
        else:
            yield from _followed(orchestrator, deployment, stack)


def checked(happened: Iterable[Any], flavor: str) -> Happened:
    """The same; EngineError for what is neither an event nor lines of a log."""
    for item in happened:
        if isinstance(item, LogLines):
            yield item
        elif not isinstance(item, Event):
            help = "yield runner.records.Event and runner.records.LogLines"
            raise EngineError(f"flavor '{flavor}' yielded {str(item)[:60]!r}, a {type(item).__name__}", help)
        elif item.event not in EVENTS:
            raise EngineError(
                f"flavor '{flavor}' told of an event '{item.event}', which there is not", f"known: {', '.join(EVENTS)}"
            )
        else:
            yield item


def _followed(orchestrator: BaseOrchestrator, deployment: Deployment, stack: StackLike) -> Happened:
    known = attempts_so_far(deployment, stack) if stack.done is not None else {}
    following, tick = Following(deployment, stack, known), tick_of(stack.ledger)
    work = _Work(orchestrator, deployment, stack)
    work.start()
    yield following.run_started()
    while not work.wait(tick):
        yield from following.look()
    if work.error is None and isinstance(work.returned, Iterator):
        rest = checked(work.returned, deployment.flavor)
        yield from (item for item in rest if not (isinstance(item, Event) and item.event == "run_started"))
        return
    yield from following.look()
    yield from _ended(following, work.error)


def _ended(following: Following, error: BaseException | None) -> Happened:
    """The end of a run whose orchestrator has returned or raised."""
    words = "" if error is None or isinstance(error, subprocess.CalledProcessError) else in_words(error)
    if words:
        words = f"{words} ({place_of(error)})" if error is not None else words
    yield from following.steps_left(words)
    if error is not None and not following.failed and not following.cancelled:
        raise error
    yield following.run_ended(words)


class _Work(threading.Thread):
    """The call of a plain method, in a thread: an interrupt leaves it behind."""

    def __init__(self, orchestrator: BaseOrchestrator, deployment: Deployment, stack: StackLike) -> None:
        super().__init__(daemon=True, name=f"orchestrator of {deployment.run_id}")
        self.call = (orchestrator, deployment, stack)
        self.returned: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        orchestrator, deployment, stack = self.call
        try:
            self.returned = orchestrator.prepare_or_run_pipeline(deployment, stack)
        except BaseException as error:
            self.error = error

    def wait(self, seconds: float) -> bool:
        """Whether it is over, at the latest after so many seconds."""
        self.join(seconds)
        return not self.is_alive()

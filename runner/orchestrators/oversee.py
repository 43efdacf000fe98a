"""A run that its engine walks by itself, followed by what its steps leave in the ledger and by what the engine says."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping

from runner.errors import EngineError
from runner.orchestrators.base import Seen, Silent, StackLike
from runner.orchestrators.endings import failure_in_words
from runner.orchestrators.follow import Following, Happened, tick_of
from runner.plan.deployment import Deployment
from runner.records import CANCELLED, ENDED, FAILED, HOPELESS, PENDING, RUNNING, SUCCEEDED, Artifact, Event

LOOK = 2.0  # seconds between two looks at the engine
DEAF = 300.0  # seconds that an engine may stay silent before nobody waits for it any more


def oversee(
    deployment: Deployment,
    stack: StackLike,
    look: Callable[[], Seen],
    stop: Callable[[], None],
    *,
    known: Mapping[str, int],
    look_closer: Callable[[str], str] = lambda step: "",
    tick: float | None = None,
) -> Happened:
    """Everything that happens, from `run_started` to the run's last event; it may be asked again, elsewhere.

    Steps tell of themselves by the ledger. What their processes could not write down `look` knows, the engine's word on
    the run and its steps, which is asked for every other second: that an image cannot be pulled, that memory ran out,
    that somebody stopped the run in the engine's own interface. Of its Silent nothing is made for five minutes.
    `stop` is called once the ledger has a request to cancel. `known` as for `follow`, `look_closer` gives the command
    that shows what a step's container printed, `tick` is in seconds.
    """
    following, engine = Following(deployment, stack, known), _Engine(look, look_closer)
    tick = tick or tick_of(stack.ledger)
    stopped = False
    yield following.run_started()
    while True:
        seen = engine.seen()
        yield from engine.silence(following.run_id)
        yield from following.look()
        if following.cancelled and not stopped:
            stopped = True
            with contextlib.suppress(Silent):  # the steps that run see for themselves that they are to end
                stop()
        yield from engine.news(following)
        if following.is_over or seen.status in ENDED:
            break
        time.sleep(tick)
    if seen.status not in ENDED and _is_retried_in_vain(following):
        with contextlib.suppress(EngineError):  # the run has ended, and it is told why
            stop()
    yield from _the_end(following, seen)


def what_is_left(deployment: Deployment, done: Mapping[str, Mapping[str, Artifact]] | None) -> Deployment:
    """What there is to do when a run is resumed: the steps that are not `done`, which find the outputs of the others
    as those of steps that are not run."""
    if not done:
        return deployment
    steps = {name: step for name, step in deployment.steps.items() if name not in done}
    outputs = {name: dict(done[name]) for name in deployment.steps if name in done}
    return deployment._replace(steps=steps, provided={**deployment.provided, **outputs})


def _the_end(following: Following, seen: Seen) -> Happened:
    words = "" if following.is_over or seen.status == SUCCEEDED else seen.message
    following.cancelled = following.cancelled or seen.status == CANCELLED
    if seen.status == SUCCEEDED and not following.is_over:
        words = "its engine says that it has succeeded, and its artifact store has nothing of these steps"
    elif seen.status == FAILED and not words and not following.is_over:
        words = "its engine says that it has failed, and not why"
    if words and seen.status == FAILED:
        for name in [name for name, status in following.status.items() if status == RUNNING]:
            yield from following.give_up(name, failure_in_words(words, following.deployment.steps[name].resources))
    yield from following.steps_left(words)
    yield following.run_ended("" if following.failed else words)


def _is_retried_in_vain(following: Following) -> bool:
    """Whether a step has failed that the engine tries again, though another attempt would fail of the same."""
    steps = following.deployment.steps
    errors = {name: following.errors.get(name) for name in following.failed if steps[name].retry}
    return any(error is not None and error.reason in HOPELESS for error in errors.values())


class _Engine:
    """What the engine says: asked now and then, remembered meanwhile."""

    def __init__(self, look: Callable[[], Seen], look_closer: Callable[[str], str]) -> None:
        self.look = look
        self.look_closer = look_closer
        self.said = Seen(RUNNING)
        self.heard = time.monotonic()
        self.next_look = 0.0
        self.waits: set[tuple[str, str]] = set()
        self.silent = self.told_silent = ""

    def seen(self) -> Seen:
        """The engine's last word. Raises EngineError when it does not answer for too long."""
        now = time.monotonic()
        if now >= self.next_look:
            try:
                self.said = self.look()
                self.heard, self.silent = time.monotonic(), ""
            except Silent as error:
                self.silent = error.message
                if now - self.heard > DEAF:
                    help = "the run may go on without anybody looking: follow it again with `runner runs logs -f`"
                    raise EngineError(error.message, help) from error
            self.next_look = time.monotonic() + LOOK
        return self.said

    def silence(self, run_id: str) -> Iterator[Event]:
        """That the engine does not answer, once each time that it falls silent."""
        if self.silent and not self.told_silent:
            reason = f"{self.silent}; it is asked again, for {DEAF / 60:g} minutes"
            yield Event("run_waiting", run_id, time.time(), data={"reason": reason})
        self.told_silent = self.silent

    def news(self, following: Following) -> Happened:
        """What the engine says of steps, and these do not: that they wait, and for what; that they have failed."""
        for name, step in self.said.steps.items():
            status = following.status.get(name)
            if step.status == FAILED and status is not None:
                resources = following.deployment.steps[name].resources
                failure = failure_in_words(step.message, resources, self.look_closer(name))
                yield from following.give_up(name, failure)
            elif step.message and status == PENDING and (name, step.message) not in self.waits:
                self.waits.add((name, step.message))
                data = {"reason": step.message}
                yield Event("step_waiting", following.run_id, time.time(), name, 1 + following.known.get(name, 0), data)

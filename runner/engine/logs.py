"""What the steps of a run printed: from the artifact store, and while a run goes on in its engine, from there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from runner.artifact_store.ledger import AT_ONCE, Ledger
from runner.engine.lookup import Lookup
from runner.engine.record import Recorded
from runner.engine.stack import OpenStack
from runner.errors import RunnerError, UsageError
from runner.orchestrators.base import Submission
from runner.orchestrators.blame import blamed
from runner.orchestrators.carry import checked
from runner.project import Project, orchestrator_from
from runner.records import ENDED, PENDING, RUNNING, LogLines, Run

TICK, REMOTE_TICK = 0.2, 2.0  # seconds between two looks at a ledger on this machine, and at one in a bucket
Attempt = tuple[str, int]
Missed = Callable[[RunnerError], None]


def logs(
    project: Project,
    run: Run,
    step: str | None = None,
    follow: bool = False,
    stack: str | None = None,
    missed: Missed = lambda error: None,
) -> Iterator[LogLines]:
    """What the run's steps printed, attempt by attempt; with `follow`, until the run has ended.

    A run that its engine carries is followed there. `missed` hears why it cannot be from here: then it is followed by
    the artifact store, which has the lines a little later. Raises UsageError for a step that the run does not have.
    """
    if step is not None and step not in run.steps:
        raise UsageError(f"run '{run.run_id}' has no step '{step}'", f"its steps: {', '.join(run.steps)}")
    lookup = Lookup(project, stack)
    opened = lookup.stack_of(run.run_id)
    printed = Printed(opened.ledger, [step] if step else list(run.steps))
    yield from printed.new(run)
    if not follow or run.status != RUNNING:
        return
    found = lookup.known(run.run_id)
    if found.run.status == RUNNING and found.detached:
        try:
            yield from _live(project, opened, found, printed)
        except RunnerError as error:
            missed(error)
        found = lookup.known(run.run_id)
    while found.run.status == RUNNING:
        yield from printed.new(found.run)
        time.sleep(REMOTE_TICK if opened.ledger.remote else TICK)
        found = lookup.known(run.run_id)
    yield from printed.new(found.run)


class Printed:
    """What was told of the lines of these steps: `new` gives what the ledger has beyond that, `beyond` what an engine
    has."""

    def __init__(self, ledger: Ledger, steps: list[str]) -> None:
        self.ledger = ledger
        self.steps = steps
        self.told: dict[Attempt, int] = {}
        self.read: set[str] = set()  # steps of which there is nothing more to come

    def new(self, run: Run) -> Iterator[LogLines]:
        """Whole lines, and of the steps that have ended also the last half."""
        ended = {name for name, one in run.steps.items() if run.status != RUNNING or one.status in ENDED}
        names = [name for name in self.steps if name not in self.read]
        names = [name for name in names if name in ended or run.steps[name].status != PENDING]
        attempts = self._attempts(run.run_id, names)
        for (step, attempt), text in zip(attempts, self._texts(run.run_id, attempts), strict=True):
            start = self.told.get((step, attempt), 0)
            end = len(text) if step in ended else text.rfind("\n") + 1
            if end > start:
                self.told[step, attempt] = end
                yield LogLines(step, attempt, text[start:end])
        self.read |= ended

    def beyond(self, lines: LogLines, heard: dict[Attempt, int]) -> LogLines | None:
        """What of these lines was not told; `heard` is how far each attempt has come by the way that they came."""
        attempt = (lines.step, lines.attempt)
        start = heard.get(attempt, 0)
        heard[attempt] = end = start + len(lines.text)
        told = self.told.get(attempt, 0)
        if lines.step not in self.steps or end <= told:
            return None
        self.told[attempt] = end
        return lines._replace(text=lines.text[max(0, told - start) :])

    def _attempts(self, run_id: str, names: list[str]) -> list[Attempt]:
        """The attempts of these steps that may have printed something."""
        if self.ledger.remote and names:  # one look at all of them
            traces = self.ledger.traces(run_id)
            left = [(name, attempt) for name in names for attempt in sorted(traces.get(name, ()))]
            return [(name, attempt) for name, attempt in left if "log.txt" in traces[name][attempt]]
        return [(name, attempt) for name in names for attempt in self.ledger.attempts(run_id, name)]

    def _texts(self, run_id: str, attempts: list[Attempt]) -> Iterator[str]:
        """What they printed, a few at a time: a run's logs may be larger than memory."""
        for start in range(0, len(attempts), AT_ONCE):
            yield from self.ledger.each(lambda each: self.ledger.log(run_id, *each), attempts[start : start + AT_ONCE])


def _live(project: Project, opened: OpenStack, found: Recorded, printed: Printed) -> Iterator[LogLines]:
    """Lines as the engine has them, to the run's end. Raises RunnerError where it cannot be asked from here."""
    run_id = found.run.run_id
    deployment = opened.ledger.deployment(run_id)
    orchestrator = orchestrator_from(deployment.orchestrator, project.root)
    heard: dict[Attempt, int] = {}
    submission = Submission(run_id, deployment.flavor, opened.ledger.submission(run_id))
    with blamed(type(orchestrator), deployment.flavor):
        for item in checked(orchestrator.watch(submission, opened), deployment.flavor):
            new = printed.beyond(item, heard) if isinstance(item, LogLines) else None
            if new is not None:
                yield new
    printed.read |= {step for step, _ in heard}

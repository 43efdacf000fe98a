"""Records as plain text: a run's lines as it goes, its closing table, what failed, and tables of runs and artifacts."""

from __future__ import annotations

import json
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from runner.records import (
    CACHED,
    CANCELLED,
    FAILED,
    PENDING,
    REASONS,
    RETRYING,
    RUNNING,
    SKIPPED,
    SUCCEEDED,
    Artifact,
    Event,
    Failure,
    LogLines,
    Run,
    StepRun,
    failure_from,
    fold,
)
from runner.report.words import WIDTH, counted, duration, iso, middle, moment, pairs, size, table

TAIL = 20  # log lines shown again under a failed step
KEPT = 200  # log lines kept of each step at work: those of a traceback are not shown twice
WHOLE = 100  # a run of more steps closes with those that need a look, not with all of them
NAMES = 32  # columns of a step's name before each of its lines, at most
_ERROR = re.compile(r"(error: |[\w.]*(Error|Exception)(: |$))")
_RED, _GREEN, _YELLOW, _BLUE, _CYAN = 31, 32, 33, 34, 36
_ANSI = {SUCCEEDED: _GREEN, CACHED: _CYAN, RUNNING: _BLUE, FAILED: _RED, "interrupted": _RED}
_ANSI |= dict.fromkeys((CANCELLED, SKIPPED, RETRYING), _YELLOW)


class Story:
    """Follows the events of one run and tells each as plain lines; keeps what the closing report needs.

    `short` cuts long names of steps, for eyes only: whoever searches the lines for a name needs the whole of it.
    """

    def __init__(self, *, short: bool = False) -> None:
        self.events: list[Event] = []
        self.tails: dict[str, deque[str]] = {}
        self._started: dict[str, float] = {}
        self._held: dict[str, str] = {}
        self._width = 10
        self._short = short

    def lines(self, item: Event | LogLines) -> list[str]:
        """What to print for this event or these log lines; nothing for the end of the run, which `closing` tells."""
        if isinstance(item, LogLines):
            return self._log(item)
        self.events.append(item)
        if item.step is not None:
            told = self._step(item.step, item)
            return [*self._let_go(item.step, told), f"{self._name(item.step)}  {told}"]
        if item.event == "run_started":
            self._width = name_width(item.data.get("steps", ()))
            return [_headline(item)]
        if item.event == "run_waiting":
            return [f"waits: {item.data['reason']}"]
        if item.event == "run_submitted":
            return [f"look at it: {item.data['url']}"]
        return [line for step in list(self._held) for line in self._let_go(step)]

    @property
    def run(self) -> Run:
        """The run so far."""
        return fold(self.events)

    def _log(self, log: LogLines) -> list[str]:
        printed = log_lines(log.text)
        self.tails.setdefault(log.step, deque(maxlen=KEPT)).extend(printed)
        before = self._let_go(log.step)
        if _ERROR.match(printed[-1]):  # it may be the end of the log, and then `failed` says the same
            self._held[log.step] = printed.pop()
        return [*before, *(f"{self._name(log.step)}  | {line}" for line in printed)]

    def _let_go(self, step: str, told: str = "") -> list[str]:
        """The line that was held back, unless what is told now says it."""
        held = self._held.pop(step, None)
        if held is None or held.removeprefix("error: ") in told:
            return []
        return [f"{self._name(step)}  | {held}"]

    def _name(self, step: str) -> str:
        return f"{middle(step, self._width) if self._short else step:<{self._width}}"

    def _step(self, name: str, event: Event) -> str:
        if event.event == "step_started":
            self._started[name] = event.time
            self.tails.pop(name, None)
            if event.data.get("adopted"):
                since = duration(event.data.get("running_for", 0.0))
                return f"goes on (attempt {event.attempt or 1}, begun {since} ago)"
            return "started" if (event.attempt or 1) == 1 else f"started, attempt {event.attempt}"
        if event.event == "step_waiting":
            return f"waits: {event.data.get('reason', '')}"
        started = event.data.get("started", self._started.pop(name, None))
        took = duration(event.data.get("duration", event.time - started)) if started is not None else ""
        if event.event in ("step_succeeded", "step_cached"):
            self.tails.pop(name, None)
        return _told(event, took)


def name_width(steps: Iterable[str]) -> int:
    """How wide the names of these steps are before each of their lines."""
    return max(10, *(min(len(name), NAMES) for name in ("", *steps)))


def _headline(event: Event) -> str:
    text = f"run {event.run_id}: {event.data.get('pipeline', '')} on stack {event.data.get('stack', '')}"
    return f"{text}, resumed" if event.data.get("resumed") else text


def _told(event: Event, took: str) -> str:
    error = failure_from(event.data.get("error"))
    match event.event:
        case "step_succeeded":
            return f"succeeded in {took}" if took else "succeeded"
        case "step_cached":
            source = event.data.get("cached_from")
            return f"cached, from run {source}" if source else "cached"
        case "step_failed":
            return f"failed after {took}: {failure_line(error)}" if took else f"failed: {failure_line(error)}"
        case "step_retrying":
            delay = event.data.get("delay")  # of an engine that tries again by itself nobody knows when
            again = "" if delay is None else f" in {delay:g} s" if delay else " at once"
            return f"failed: {failure_line(error)}; tried again{again}"
        case name:
            reason = event.data.get("reason", "")
            word = name.removeprefix("step_")
            return f"{word}: {reason}" if reason else word


def log_lines(text: str) -> list[str]:
    """The lines of what a step printed; of a line that was overwritten (a progress bar) what was to be seen last."""
    return [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.removesuffix("\n").split("\n")]


def event_facts(event: Event) -> dict[str, Any]:
    """An event as `run --format json` prints it: `event`, `run_id`, `time`, `step`, `attempt`, then its own facts."""
    facts: dict[str, Any] = {"event": event.event, "run_id": event.run_id, "time": iso(event.time)}
    if event.step is not None:
        facts["step"] = event.step
    if event.attempt is not None:
        facts["attempt"] = event.attempt
    return facts | event.data


def closing(
    run: Run,
    tails: Mapping[str, Iterable[str]] | None = None,
    *,
    color: bool = False,
    width: int = WIDTH,
    later: Run | None = None,
) -> str:
    """What stands under a run that has ended: its table, what failed and how to go on, and one line that sums it up.

    `later` is the part of a resumed run that ran now.
    """
    parts = [steps_table(_worth_a_look(run), color=color, width=width), summary(run, color=color, later=later)]
    failed = [step for step in run.steps.values() if step.status == FAILED]
    parts[1:1] = [failure_report(step, (tails or {}).get(step.name, ())) for step in failed[:10]]
    if run.status != SUCCEEDED and run.run_id:
        parts.append(f"go on with: runner runs resume {run.run_id}")
    return "\n\n".join(part for part in parts if part)


def _worth_a_look(run: Run) -> list[StepRun]:
    steps = list(run.steps.values())
    return (
        steps if len(steps) <= WHOLE else [step for step in steps if step.status == FAILED or step.attempt > 1][:WHOLE]
    )


def summary(run: Run, *, color: bool = False, later: Run | None = None) -> str:
    """`run R succeeded in 1.2 s: 3 steps, 2 succeeded, 1 cached`; of a resumed run, the time of its later part."""
    took = f" in {_took(later or run)}" if run.ended is not None else ""
    took += " since it was resumed" if later else ""
    counts = Counter(step.status for step in run.steps.values())
    told = [f"{count:,} {status}" for status, count in counts.items()]
    reason = f" ({_reason(run)})" if run.reason and run.status == FAILED else ""
    status = _painted(run.status, color)
    return f"run {run.run_id} {status}{took}{reason}: {', '.join([counted(len(run.steps), 'step'), *told])}"


def _reason(run: Run) -> str:
    failed = [step.name for step in run.steps.values() if step.status == FAILED]
    if len(failed) > 1 and run.reason in [f"step '{name}' failed" for name in failed]:
        return f"{run.reason.removesuffix(' failed')} and {len(failed) - 1:,} more failed"
    return run.reason


def failure_report(step: StepRun, tail: Iterable[str] = ()) -> str:
    """Which step failed, the exception's own line, the user's frames and the last lines that the step printed."""
    lines = [f"step '{step.name}' failed" + (f" on attempt {step.attempt}" if step.attempt > 1 else "")]
    lines += [f"  {line}" for line in failure_line(step.error, whole=True).splitlines()]
    for frame in step.error.frames if step.error else ():
        lines.append(f"    {frame.file}:{frame.line} in {frame.function}")
        lines += [f"      {frame.code.strip()}"] if frame.code.strip() else []
    printed = _before(step.error, list(tail))[-TAIL:]
    if printed:
        lines += ["  its last lines:", *(f"    | {line}" for line in printed)]
    return "\n".join(lines)


def _before(error: Failure | None, printed: list[str]) -> list[str]:
    """What was printed before the error or the traceback that a worker leaves at the end of a log."""
    if error is None:
        return printed
    said = failure_line(error, whole=True)
    told = {"", *error.traceback.splitlines(), *said.splitlines(), *f"error: {error.message}".splitlines()}
    while printed and printed[-1] in told:
        printed = printed[:-1]
    return printed


def failure_line(error: Failure | None, *, whole: bool = False) -> str:
    """`ValueError: too few rows`, or the reason when it was not an exception of the step's own code."""
    if error is None:
        return "no reason was recorded"
    message = error.message if whole else next(iter(error.message.splitlines()), "")
    if error.type and error.reason == "exception":
        return f"{error.type}: {message}" if message else error.type
    return message or REASONS.get(error.reason, error.reason)


def steps_table(steps: Iterable[StepRun], *, color: bool = False, width: int = WIDTH) -> str:
    """Step, status, time, attempts, outputs with type and size."""
    rows = [_step_row(step) for step in steps]
    if not rows:
        return ""
    head = ("step", "status", "time", "attempts", "outputs")
    paint = {1: lambda cell: _painted(cell, color)}
    return table(head, rows, paint, width=width, gives_way=("outputs", "step"))


def _step_row(step: StepRun) -> tuple[str, ...]:
    took = _took(step) if step.status != CACHED else "-"
    return (step.name, step.status, took, str(step.attempt or "-"), _outputs(step.outputs))


def _outputs(outputs: Mapping[str, Artifact], most: int = 4) -> str:
    told = [f"{name} ({artifact.type}, {size(artifact.size)})" for name, artifact in outputs.items()]
    more = [f"and {len(told) - most} more"] if len(told) > most else []
    return ", ".join(told[:most] + more)


def runs_table(runs: Sequence[Run], *, zone: tzinfo | None = None, width: int = WIDTH, stack: str | None = None) -> str:
    """The runs of a project, or in the artifact store of a stack, one a line."""
    if not runs:
        return "no runs yet: start one with `runner run PIPELINE`"
    head = ("run", "pipeline", "stack", "status", "started", "time")
    rows = table(head, [_run_row(run, zone) for run in runs], width=width, gives_way=("pipeline", "stack"))
    interrupted = next((run.run_id for run in runs if run.status == "interrupted"), None)
    there = f" --stack {stack}" if stack else ""
    return rows if interrupted is None else f"{rows}\n\ngo on with: runner runs resume {interrupted}{there}"


def _run_row(run: Run, zone: tzinfo | None) -> tuple[str, ...]:
    return (run.run_id, run.pipeline, run.stack, run.status, moment(run.started, zone), _took(run))


def run_details(run: Run, *, zone: tzinfo | None = None, width: int = WIDTH) -> str:
    """One run: when, how it ended, its parameters, steps, metrics and errors."""
    took = f", took {_took(run)}" if run.ended is not None else ""
    head = [
        ("run", run.run_id),
        ("pipeline", f"{run.pipeline} on stack {run.stack}"),
        ("status", f"{run.status}: {run.reason}" if run.reason else run.status),
        ("started", f"{moment(run.started, zone)}{took}"),
        *([("engine", run.url)] if run.url else []),
    ]
    parts = ["\n".join(f"{name:<10}{value}" for name, value in head)]
    if run.parameters:
        parts.append(_section("parameters", pairs({name: as_value(value) for name, value in run.parameters.items()})))
    parts.append(steps_table(run.steps.values(), width=width))
    waits = {step.name: step.reason for step in run.steps.values() if step.status == PENDING and step.reason}
    if waits:
        parts.append(_section("waits for", pairs(waits)))
    metrics = {step.name: step.metrics for step in run.steps.values() if step.metrics}
    if metrics:
        parts.append(_section("metrics", "\n".join(_metrics(metrics))))
    parts += [failure_report(step) for step in run.steps.values() if step.status == FAILED]
    return "\n\n".join(part for part in parts if part)


def _metrics(metrics: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    width = max(map(len, metrics))
    for step, values in metrics.items():
        yield f"{step:<{width}}  " + ", ".join(f"{name} {as_value(value)}" for name, value in values.items())


def _section(title: str, body: str) -> str:
    return "\n".join([title, *(f"  {line}" for line in body.split("\n"))])


def as_value(value: Any) -> str:
    """A parameter, a metric or a fact as JSON, but texts without quotes and numbers with six digits."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def artifacts_table(artifacts: Sequence[tuple[str, str, Artifact]], width: int = WIDTH) -> str:
    """The artifacts of a run, one a line."""
    if not artifacts:
        return "no artifacts"
    rows = [
        (f"{step}.{output}", artifact.type, artifact.python_type or "-", size(artifact.size), artifact.digest[:12])
        for step, output, artifact in artifacts
    ]
    head = ("artifact", "type", "python type", "size", "digest")
    return table(head, rows, width=width, gives_way=("python type", "artifact"))


def _took(done: Run | StepRun) -> str:
    return duration(done.ended - done.started) if done.started is not None and done.ended is not None else "-"


def _painted(cell: str, color: bool) -> str:
    code = _ANSI.get(cell.strip()) if color else None
    return f"\x1b[{code}m{cell}\x1b[0m" if code else cell

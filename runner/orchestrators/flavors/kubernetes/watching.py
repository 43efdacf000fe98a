"""A run followed from outside of its cluster: what its controller prints, and what the pods of its steps print."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from queue import Empty, SimpleQueue
from typing import Any

from runner.errors import EngineError, RunnerError
from runner.orchestrators.cluster_api import Cluster, Object, Refused
from runner.orchestrators.container import MARK, STEP
from runner.orchestrators.flavors.kubernetes import starting
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings
from runner.orchestrators.flavors.kubernetes.status import Pod, attempt_of, began, created
from runner.orchestrators.flavors.kubernetes.tails import Attempt, Stream, Tails
from runner.orchestrators.flavors.kubernetes.watcher import Watcher
from runner.records import ENDED, RUN_ENDS, Event, LogLines

TICK = 0.5  # seconds between two looks at the clock; nothing is asked then
SETTLE = 10.0  # seconds that an attempt's last lines may take to come before its end is told without them
CUT = 5.0  # seconds after which a controller that runs and says nothing is followed anew
IN_VAIN = 2  # controllers, one after the other, that end without a word of the run before that is told
WORDS = 20  # lines kept of what such a one says
LAST_WORD = 15.0  # seconds that a run's end may take to be in its ledger, when its Job is over
DEAF, UNHEARD = 120.0, 15.0  # seconds that a cluster may be out of reach; the same of one that has never answered
Happened = Iterator[Event | LogLines]


def past(events: Iterable[Event], ledger: Any, run_id: str) -> Happened:
    """A run that has ended, from its ledger alone."""
    for event in events:
        if event.step is not None and event.attempt is not None and _ends_attempt(event):
            text = ledger.log(run_id, event.step, event.attempt)
            if text:
                yield LogLines(event.step, event.attempt, text)
        yield event


def since_handed_over(events: Iterable[Event]) -> list[Event]:
    """The events from the last `run_started` on that stands for a submission, and not for another controller's turn."""
    events = list(events)
    starts = [number for number, each in enumerate(events) if each.event == "run_started" and each.data.get("detached")]
    return events[starts[-1] :] if starts else events


def is_end(events: Iterable[Event]) -> bool:
    """Whether the last of these is a run's end."""
    *_, last = [None, *events]
    return last is not None and _is_runs_end(last)


class Watching:
    """What is known of a run that goes on in a cluster; `run` gives what happens, each event once and in order."""

    def __init__(
        self, cluster: Cluster, ledger: Any, run_id: str, job: str, mark: str, settings: KubernetesSettings
    ) -> None:
        self.cluster = cluster
        self.ledger = ledger
        self.run_id = run_id
        self.job = job
        self.settings = settings
        self.news: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self.selector = f"{MARK}={mark}"
        self.tails = Tails(cluster, ledger, run_id, self._tell)
        self.held: deque[tuple[float, Event]] = deque()
        self.seen: set[Any] = set()
        self.attempts: dict[str, int] = {}
        self.wanted: set[Attempt] = set()
        self.pods: dict[Attempt, str] = {}
        self.controllers: dict[str, Pod] = {}
        self.streams: dict[str, Stream] = {}
        self.silent: dict[str, float] = {}
        self.mute: dict[str, list[str]] = {}  # controllers that came to their end and told no event: their last words
        self.job_uid = ""
        self.said: deque[str] = deque(maxlen=5)
        self.over: tuple[str, str] = ("", "")
        self.has_answered = False
        self.over_at = self.deaf_at = self.next_look = 0.0
        self.started_at = time.monotonic()
        self.ended = False

    def run(self, events: Iterable[Event]) -> Happened:
        """From these events, which the ledger has, to the run's last. Raises EngineError when it cannot be followed."""
        for event in events:
            self._take(event)
        watchers = [
            Watcher(self.cluster, self.selector, self._tell),
            Watcher(self.cluster, self.selector, lambda *news: self._tell("job", *news), plural="jobs"),
        ]
        try:
            while not (self.ended and not self.held):
                yield from self._released()
                yield from self._hear()
                self._look_at_the_clock()
        finally:
            self.tails.close()
            for stream in list(self.streams.values()):
                stream.close()
            for watcher in watchers:
                watcher.close()

    # -- events --------------------------------------------------------------------------------------------------------

    def _take(self, event: Event) -> None:
        """An event from wherever; the controllers' words and the ledger tell the same."""
        key: tuple[Any, ...] = (event.event, event.step, event.attempt or event.time)
        if event.event == "step_waiting":
            key = (*key, event.data.get("reason"))
        over = event.event in ("step_started", "step_waiting") and ("over", event.step, event.attempt) in self.seen
        if key in self.seen or over:
            return
        if _is_runs_end(event) and any(("over", *attempt) not in self.seen for attempt in self._started()):
            for earlier in self._of_ledger():  # something that a controller told was not heard
                if not _is_runs_end(earlier):
                    self._take(earlier)
        self.seen.add(key)
        if _ends_attempt(event):
            self.seen.add(("over", event.step, event.attempt))
        self.ended = _is_runs_end(event)
        self.held.append((0.0, event))

    def _started(self) -> set[Attempt]:
        """The attempts of which a start was heard, and those that are to be told yet."""
        return {(key[1], key[2]) for key in self.seen if key[0] == "step_started"}

    def _of_ledger(self) -> list[Event]:
        return since_handed_over(self.ledger.events(self.run_id) or ())

    def _released(self) -> Iterator[Event]:
        """Those whose turn it is: the lines of an attempt come before its end, and all before the run's."""
        while self.held:
            due, event = self.held[0]
            waits = (
                [] if due and time.monotonic() > due else [each for each in self._before(event) if not self._told(each)]
            )
            if waits:
                if not due:
                    self.held[0] = (time.monotonic() + SETTLE, event)
                return
            self.held.popleft()
            if event.step is not None and event.event == "step_started" and event.attempt:
                self.attempts[event.step] = event.attempt
                self._follow((event.step, event.attempt))
            yield event

    def _before(self, event: Event) -> list[Attempt]:
        """The attempts whose lines come before this event."""
        if event.step is None:
            return list(self.attempts.items()) if _is_runs_end(event) else []
        attempt = event.attempt or self.attempts.get(event.step)
        return [(event.step, attempt)] if attempt and _ends_attempt(event) else []

    def _told(self, attempt: Attempt) -> bool:
        self.wanted.discard(attempt)
        return self.tails.is_through(attempt)

    def _follow(self, attempt: Attempt) -> None:
        if attempt in self.pods:
            self.tails.follow(attempt, self.pods[attempt])
        else:
            self.wanted.add(attempt)

    # -- news ----------------------------------------------------------------------------------------------------------

    def _tell(self, *news: Any) -> None:
        self.news.put(news)

    def _hear(self) -> Iterator[LogLines]:
        try:
            news = self.news.get(timeout=TICK)
            while True:
                what, *told = news
                if what == "lines":
                    (step, attempt), text = told
                    yield LogLines(step, attempt, text)
                else:
                    getattr(self, f"_on_{what}")(*told)
                news = self.news.get_nowait()
        except Empty:
            return

    def _on_tail(self, attempt: Attempt, state: str) -> None:
        self.tails.heard(attempt, state)

    def _on_event(self, event: Event) -> None:
        self._take(event)

    def _on_said(self, text: str) -> None:
        if not text.startswith("controller: "):  # what it took of the cluster, which explains no end
            self.said.append(text)

    def _on_silent(self, pod: str) -> None:
        self.streams.pop(pod, None)
        self.silent[pod] = time.monotonic()

    def _on_mute(self, pod: str, words: list[str]) -> None:
        self.mute[pod] = words

    def _on_listed(self, pods: list[Object], asked: float) -> None:
        self.has_answered = True
        self.controllers.clear()
        for pod in pods:
            self._on_pod("ADDED", pod)

    def _on_pod(self, kind: str, pod: Object) -> None:
        self.deaf_at = 0.0
        metadata = pod["metadata"]
        if STEP not in metadata["labels"]:
            self._on_controller(kind, pod)
            return
        attempt = attempt_of(pod)
        if began(pod) is not None:
            self.pods[attempt] = metadata["name"]
            if attempt in self.wanted:
                self.wanted.remove(attempt)
                self._follow(attempt)

    def _on_controller(self, kind: str, pod: Object) -> None:
        name = pod["metadata"]["name"]
        known = self.controllers.get(name)
        if kind == "DELETED":
            self.controllers.pop(name, None)
            return
        self.controllers[name] = pod
        if _has_begun(pod) and not (known is not None and _has_begun(known)):
            self._follow_controller(name)

    def _follow_controller(self, name: str) -> None:
        if name not in self.streams:
            self.silent.pop(name, None)
            self.mute.pop(name, None)
            stream = self.streams[name] = Stream(self.cluster, name)
            threading.Thread(target=self._read, args=(name, stream), daemon=True, name="runner-controller").start()

    def _on_job(self, what: str, *told: Any) -> None:
        if what in ("deaf", "hears", "broken"):
            getattr(self, f"_on_{what}")(*told)
            return
        jobs = told[0] if what == "listed" else [told[1]]
        found = [each for each in jobs if each["metadata"]["name"] == self.job]
        if what == "listed" and not found:
            self._is_over("Deleted", f"its Job '{self.job}' is not there any more")
        for each in found:
            self.job_uid = each["metadata"]["uid"]
            if what != "listed" and told[0] == "DELETED":
                self._is_over("Deleted", f"its Job '{self.job}' was deleted")
            elif all(starting.over(each)[:1]):
                self._is_over(*starting.over(each))

    def _on_deaf(self, error: Refused) -> None:
        if error.status in (401, 403):
            raise EngineError(error.message, error.help) from error
        self.deaf_at = self.deaf_at or time.monotonic()
        self.said.append(error.message)

    def _on_hears(self) -> None:
        self.deaf_at = 0.0

    def _on_broken(self, error: Exception) -> None:
        raise error

    def _is_over(self, how: str, why: str) -> None:
        if not self.over[0]:
            self.over, self.over_at = (how, why), time.monotonic()

    # -- in a thread ---------------------------------------------------------------------------------------------------

    def _read(self, pod: str, stream: Stream) -> None:
        """What a controller prints: events, and words when something is wrong."""
        events, words = 0, deque[str](maxlen=WORDS)
        try:
            for text in stream.lines():
                for line in text.splitlines():
                    event = event_from(line)
                    self._tell(*(("said", line) if event is None else ("event", event)))
                    events += event is not None
                    words.append(line)
            if not events:
                self._tell("mute", pod, list(words))
        except RunnerError:
            pass  # the ledger has what is missing
        except Exception as error:  # nobody else would hear of it
            self._tell("broken", error)
        finally:
            self._tell("silent", pod)

    # -- the clock -----------------------------------------------------------------------------------------------------

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        if self.ended:
            return
        if self.deaf_at and now - self.deaf_at > (DEAF if self.has_answered else UNHEARD):
            help = f"the run goes on; follow it: runner runs logs -f {self.run_id}"
            raise EngineError(self.said[-1] if self.said else "the cluster does not answer", help)
        if self.over[0] and self.streams and now - self.over_at > SETTLE:
            for stream in list(self.streams.values()):
                stream.close()
        elif self.over[0] and not self.streams and now >= self.next_look:
            self.next_look = now + 1.0
            self._reconcile(now)
        elif not self.over[0]:
            self._look_at_the_start(now)
            self._look_at_the_ends()
            for name, since in list(self.silent.items()):  # connections are cut that live for long
                if now - since > CUT and _runs(self.controllers.get(name)):
                    self._follow_controller(name)

    def _reconcile(self, now: float) -> None:
        """The Job is over, and its controllers have said all: what they could not say is in the ledger."""
        for event in self._of_ledger():
            self._take(event)
        if self.ended or now - self.over_at < (LAST_WORD if self.over[0] != "Failed" else 0.0):
            return
        words = f": {self.said[-1].removeprefix('error: ')}" if self.said else ""
        told = f"nobody carries run '{self.run_id}' on: {self.over[1] or 'its Job has ended'}{words}"
        raise EngineError(told, f"go on with it: runner runs resume {self.run_id}")

    def _look_at_the_ends(self) -> None:
        """Whether controllers end again and again before they tell anything. Once may be a bucket's bad moment."""
        mine = [pod for pod in self.controllers.values() if starting.owner_of(pod) == self.job_uid]
        last = sorted(mine, key=created)[-IN_VAIN:]
        ends = [(starting.failed_with(pod), self.mute.get(pod["metadata"]["name"])) for pod in last]
        code, words = ends[-1] if ends else (0, None)
        if words is not None and len(ends) == IN_VAIN and all(each and said is not None for each, said in ends):
            raise starting.of_end(code, words, self.run_id)

    def _look_at_the_start(self, now: float) -> None:
        if now < self.next_look or any(_has_begun(pod) for pod in self.controllers.values()):
            return
        self.next_look = now + starting.PATIENCE / 3
        timeout = self.settings.startup_timeout
        for pod in self.controllers.values():
            if trouble := starting.of_pod(pod, time.time() - created(pod), timeout):
                raise trouble
        waited = now - self.started_at
        if self.controllers or waited < starting.PATIENCE:
            return
        if trouble := starting.of_job(self.cluster, self.job, waited, timeout):
            raise trouble


def event_from(line: str) -> Event | None:
    """A line of a controller as an event; None for other words."""
    try:
        told = json.loads(line)
        return Event(**{name: told[name] for name in Event._fields if name in told})
    except (ValueError, TypeError):
        return None


def _has_begun(pod: Pod) -> bool:
    """Whether the controller's container has begun, or is through already."""
    states = [each.get("state") or {} for each in (pod.get("status") or {}).get("containerStatuses") or ()]
    return any("running" in each or "terminated" in each for each in states)


def _runs(pod: Pod | None) -> bool:
    return pod is not None and (pod.get("status") or {}).get("phase") == "Running"


def _is_runs_end(event: Event) -> bool:
    return event.event in RUN_ENDS


def _ends_attempt(event: Event) -> bool:
    if event.step is None:
        return False
    return event.event == "step_retrying" or event.event.removeprefix("step_") in ENDED

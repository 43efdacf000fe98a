"""Attempts as pods: created and deleted by a few threads, followed by one watch over all of them.

Pods of attempts that are over stay, for `kubectl logs` and `kubectl describe`, until their Job goes and they with it.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any

from runner.errors import EngineError, StateError
from runner.orchestrators.base import Adopted, AttemptBegan, AttemptEnded, AttemptWaits, Launcher, LedgerLike
from runner.orchestrators.cluster_api import Cluster, Object, Refused
from runner.orchestrators.container import MARK, STEP, mark_of
from runner.orchestrators.flavors.kubernetes.admission import PATIENCE, patience, reason_of
from runner.orchestrators.flavors.kubernetes.endings import has_run, told
from runner.orchestrators.flavors.kubernetes.pods import pod_of, startup_timeout
from runner.orchestrators.flavors.kubernetes.settings import KubernetesSettings
from runner.orchestrators.flavors.kubernetes.status import (
    Wait,
    attempt_of,
    began,
    created,
    is_condemned,
    is_leaving,
    is_over,
    more_telling,
    wait_of,
    words_of,
)
from runner.orchestrators.flavors.kubernetes.tails import without_noise
from runner.orchestrators.flavors.kubernetes.watcher import Watcher
from runner.orchestrators.hearing import Hearing
from runner.plan.deployment import DeployedStep, Deployment, StepJob
from runner.records import FAILED, SUCCEEDED, LogLines, StepResult
from runner.spec.common import format_duration

GRACE = 6  # seconds between SIGTERM and SIGKILL: the worker gives its step three, and then writes the result
LOST = 60.0  # seconds beyond its grace after which a pod that does not go is taken from the cluster's memory
AGAIN, LONGEST = 0.5, 5.0  # seconds between two tries of a request: the first, the most
THREADS = 8  # requests at a time
LINES = 10_000  # of a log whose worker could not keep it
NEVER = float("inf")
Attempt = tuple[str, int]
Heard = AttemptEnded | AttemptBegan | AttemptWaits | LogLines


class Going:
    """One attempt. `uid` is empty until there is a pod; `asked` is why runner ends it: reason and message.

    The times are monotonic: when its pod has to be made, or has to run; when it has to be gone, for certain.
    """

    def __init__(self, step: DeployedStep, pod: Object) -> None:
        self.step = step
        self.pod = pod
        self.name = str(pod["metadata"]["name"])
        self.uid = ""
        self.seen: tuple[str, Object] | None = None  # what was heard of a pod of this name before it was known as ours
        self.asked = ("", "")
        self.wait = Wait("unschedulable", "no node could take it")
        self.waits: set[str] = set()  # what was told of why it waits
        self.adopted = self.began = self.over = self.gone = self.leaves = False
        self.made_at = 0.0
        self.try_at, self.tries_since, self.pause = NEVER, 0.0, AGAIN
        self.start_by = self.gone_by = NEVER


class PodLauncher(Launcher):
    """The pods of one run in one namespace.

    `owner` is the reference to the run's Job, `address` one that pods reach this process at: there workers tell of
    their results, which a node notices a second later. Without it the cluster tells of all ends.
    """

    begins_later = True  # a pod waits for a node and its image

    def __init__(
        self,
        cluster: Cluster,
        deployment: Deployment,
        ledger: LedgerLike,
        settings: KubernetesSettings,
        owner: Mapping[str, Any],
        address: str = "",
    ) -> None:
        self.cluster = cluster
        self.deployment = deployment
        self.ledger = ledger
        self.settings = settings
        self.owner = owner
        self.mark = mark_of(deployment.run_id, deployment.artifact_store)
        self.going: dict[Attempt, Going] = {}
        self.by_name: dict[str, Attempt] = {}
        self.pending: list[Heard] = []
        self.found: list[Object] | None = None  # what is there at the start, for `adopt`
        self.doomed: set[str] = set()  # names of pods that nobody wants
        self.give_up_at = NEVER
        self.deaf: Refused | None = None
        self.news: SimpleQueue[tuple[Any, ...]] = SimpleQueue()
        self.pool = ThreadPoolExecutor(THREADS, "runner-pod")
        self.hearing = Hearing(address, self.mark, self._tell) if address else None
        self.watcher = Watcher(cluster, f"{MARK}={self.mark},{STEP}", self._tell)

    def fits(self, step: DeployedStep) -> bool:
        """The cluster's scheduler decides."""
        return True

    def start(self, step: DeployedStep, job: StepJob) -> None:
        attempt = (job.step, job.attempt)
        if self.hearing is not None:
            job = job._replace(waited_for=self.hearing.address)
        pod = pod_of(self.deployment, step, job, self.settings, self.mark, self.owner)
        going = self.going[attempt] = Going(step, pod)
        going.tries_since = time.monotonic()
        self.by_name[going.name] = attempt
        self._do(self._make, attempt, going)

    def adopt(self, wanted: Callable[[str, int], bool]) -> list[Adopted]:
        """Those that run or wait go on; of those that are over, and whose end nobody told, it is told now.

        Others that still run are deleted, and are gone when this returns; what is over stays.
        """
        while self.found is None:
            self._hear(self._patience(None))
        adopted, newest = [], set()
        for pod in sorted(self.found, key=attempt_of, reverse=True):
            step, attempt = attempt_of(pod)
            if step not in newest and wanted(step, attempt) and self._is_open(pod):
                self._take_over(pod)
                adopted.append(Adopted(step, attempt, created(pod)))
            elif not is_over(pod):
                self._doom(pod)
            newest.add(step)
        self._see_them_gone()
        return adopted

    def poll(self, timeout: float | None) -> list[Heard]:
        self._hear(0.0 if self.pending else self._patience(timeout))
        self._look_at_the_clock()
        found, self.pending = self.pending, []
        return found

    def stop(self, step: str, attempt: int, reason: str) -> None:
        self._end((step, attempt), reason)

    def close(self) -> None:
        """Let go of everything. Pods that still run go on: the next controller takes them over."""
        self.watcher.close()
        if self.hearing is not None:
            self.hearing.close()
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.cluster.close()

    # -- in the threads: each tells what came of it --------------------------------------------------------------------

    def _tell(self, *news: Any) -> None:
        self.news.put(news)

    def _do(self, work: Callable[..., None], *arguments: Any) -> None:
        """In a thread. What goes wrong in an unforeseen way is raised by `poll`; nobody else would hear of it."""

        def told() -> None:
            try:
                work(*arguments)
            except Exception as error:
                self._tell("broken", error)

        with contextlib.suppress(RuntimeError):  # closed
            self.pool.submit(told)

    def _make(self, attempt: Attempt, going: Going) -> None:
        try:
            self._tell("made", attempt, None if going.asked[0] else self._made(going.pod))
        except Refused as error:
            self._tell("refused", attempt, error)

    def _made(self, pod: Object) -> Object:
        try:
            return self.cluster.create("pods", pod)
        except Refused as error:
            if error.reason != "AlreadyExists":
                raise
            name = pod["metadata"]["name"]
            found = self.cluster.get("pods", name)
            if found is None or is_leaving(found):
                raise  # it is on its way out
            if (found["metadata"].get("labels") or {}).get(MARK) != self.mark:
                raise Refused(f"there is a pod '{name}' already, and it is not of this run", 409, "Taken") from error
            return found  # made by an earlier walk, or by a request whose answer was lost

    def _delete(self, attempt: Attempt, name: str, grace: int) -> None:
        try:
            if not self.cluster.delete("pods", name, grace=grace):
                self._tell("gone", attempt)
        except Refused:
            self._tell("stays", attempt)

    def _read(self, attempt: Attempt, going: Going) -> None:
        """What the attempt left, and what it printed when its worker could not keep that."""
        result = self.ledger.result(self.deployment.run_id, *attempt)
        if result is None and not going.gone and has_run(going.pod):
            with contextlib.suppress(Refused, StateError):  # a log that cannot be kept is no reason to fail otherwise
                printed = without_noise(self.cluster.log(going.name, tail=LINES).read().decode("utf-8", "replace"))
                if printed:
                    self.ledger.put_log(self.deployment.run_id, *attempt, printed)
        self._tell("read", attempt, result)

    def _look(self, attempt: Attempt) -> None:
        """Whether an attempt has succeeded, before its pod is over. How others have ended the cluster knows better."""
        with contextlib.suppress(StateError):
            result = self.ledger.result(self.deployment.run_id, *attempt)
            if result is not None and result.status == SUCCEEDED:
                self._tell("succeeded", attempt, result)

    # -- what they told ------------------------------------------------------------------------------------------------

    def _hear(self, patience: float | None) -> None:
        with contextlib.suppress(Empty):
            news = self.news.get(timeout=patience) if patience != 0.0 else self.news.get_nowait()
            while True:
                what, *rest = news
                getattr(self, f"_on_{what}")(*rest)
                news = self.news.get_nowait()
        if time.monotonic() >= self.give_up_at and self.deaf is not None:
            raise EngineError(self.deaf.message, self.deaf.help)

    def _on_broken(self, error: Exception) -> None:
        raise error

    def _on_made(self, attempt: Attempt, pod: Object | None) -> None:
        going = self.going[attempt]
        if pod is None:  # it was stopped before it was there
            self._told(attempt, None)
            return
        now = time.monotonic()
        going.uid, going.pod, going.made_at = pod["metadata"]["uid"], pod, now
        going.start_by = now + startup_timeout(going.step, self.settings)
        if going.asked[0]:  # it was stopped while it was being made
            self._remove(attempt)
        seen, going.seen = going.seen, None
        self._see(attempt, pod)
        if seen is not None:
            self._on_pod(*seen)

    def _on_refused(self, attempt: Attempt, error: Refused) -> None:
        going, now = self.going[attempt], time.monotonic()
        startup = startup_timeout(going.step, self.settings)
        if going.asked[0]:
            self._told(attempt, None)
        elif now - going.tries_since < patience(error, startup):
            going.try_at, going.pause = now + going.pause, min(going.pause * 2, LONGEST)
            if reason_of(error) == "quota" and not going.waits:  # its numbers change with every pod that ends
                self._tell_wait(attempt, error.message)
        else:
            going.asked = (reason_of(error), error.message)
            self._told(attempt, None)

    def _on_listed(self, pods: list[Object], asked: float) -> None:
        if self.found is None:
            self.found = pods
        there = {pod["metadata"]["name"] for pod in pods}
        for pod in pods:
            self._on_pod("MODIFIED", pod)
        for attempt, going in list(self.going.items()):
            if going.uid and going.made_at < asked and going.name not in there:
                self._see(attempt, going.pod, gone=True)
        self.doomed &= there

    def _on_pod(self, kind: str, pod: Object) -> None:
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        if kind == "DELETED" or is_over(pod):
            self.doomed.discard(name)
        if (attempt := self.by_name.get(name)) is None:
            return
        going = self.going[attempt]
        if going.uid == uid:
            self._see(attempt, pod, gone=kind == "DELETED")
        elif not going.uid:
            going.seen = (kind, pod)
            if kind == "DELETED" and going.try_at != NEVER:  # it stood in the way
                going.try_at = 0.0

    def _on_gone(self, attempt: Attempt) -> None:
        if (going := self.going.get(attempt)) is not None:
            self._see(attempt, going.pod, gone=True)

    def _on_stays(self, attempt: Attempt) -> None:
        if (going := self.going.get(attempt)) is not None:
            going.gone_by = min(going.gone_by, time.monotonic() + LONGEST)

    def _on_read(self, attempt: Attempt, result: StepResult | None) -> None:
        self._told(attempt, result)

    def _on_heard(self, attempt: Attempt) -> None:
        if (going := self.going.get(attempt)) is not None and not going.over:
            self._do(self._look, attempt)

    def _on_succeeded(self, attempt: Attempt, result: StepResult) -> None:
        if (going := self.going.get(attempt)) is not None and not going.over:
            going.over = True
            self._told(attempt, result)

    def _on_deaf(self, error: Refused) -> None:
        self.deaf, self.give_up_at = error, time.monotonic() + PATIENCE

    def _on_hears(self) -> None:
        self.deaf, self.give_up_at = None, NEVER

    # -- pods ----------------------------------------------------------------------------------------------------------

    def _see(self, attempt: Attempt, pod: Object, gone: bool = False) -> None:
        """Draw the conclusions of what a pod's status is now."""
        going = self.going[attempt]
        if going.over:
            return
        going.pod, going.gone = pod, gone
        if not going.began and (since := began(pod)) is not None:
            going.began, going.start_by = True, NEVER
            # Clocks of machines differ: what began just now began now.
            self.pending.append(AttemptBegan(*attempt, since if going.adopted else time.time()))
        if gone or is_over(pod):
            going.over = True
            self._do(self._read, attempt, going)
            return
        if is_condemned(pod) and not going.leaves:
            going.leaves = True
            self._remove(attempt)  # its end is heard of then
        if is_leaving(pod) and not going.leaves:
            going.leaves = True
            grace = float(pod["metadata"].get("deletionGracePeriodSeconds") or 0)
            going.gone_by = min(going.gone_by, time.monotonic() + grace + LOST)
        if not going.began:
            going.wait = more_telling(going.wait, wait_of(pod))
            if going.wait.hopeless:
                self._end(attempt, going.wait.reason, going.wait.message)
            else:
                self._tell_wait(attempt, words_of(going.wait))

    def _tell_wait(self, attempt: Attempt, words: str) -> None:
        going = self.going[attempt]
        if words and words not in going.waits and not going.asked[0]:
            going.waits.add(words)
            self.pending.append(AttemptWaits(*attempt, words))

    def _end(self, attempt: Attempt, reason: str, message: str = "") -> None:
        """Have its pod deleted. Its end is told when it is over."""
        going = self.going.get(attempt)
        if going is None or going.over or going.asked[0]:
            return
        going.asked = (reason, message)
        if going.uid:
            self._remove(attempt)
        elif going.try_at != NEVER:  # it is not there, unless it is only the cluster's answer that was lost
            self._do(self._delete, attempt, going.name, GRACE)
            self._told(attempt, None)

    def _remove(self, attempt: Attempt, grace: int = GRACE) -> None:
        going = self.going[attempt]
        going.start_by, going.gone_by = NEVER, time.monotonic() + grace + LOST
        self._do(self._delete, attempt, going.name, grace)

    def _told(self, attempt: Attempt, result: StepResult | None) -> None:
        going = self.going.pop(attempt)
        del self.by_name[going.name]
        self.pending.append(told(going.step, attempt[1], going.pod, result, gone=going.gone, asked=going.asked))

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        for attempt, going in list(self.going.items()):
            if now >= going.try_at:
                going.try_at = NEVER
                self._do(self._make, attempt, going)
            if now >= going.start_by:
                self._end(attempt, going.wait.reason, self._too_late(going))
            if now >= going.gone_by and not going.over:
                self._remove(attempt, grace=0)

    def _too_late(self, going: Going) -> str:
        limit = format_duration(startup_timeout(going.step, self.settings))
        if going.wait.reason != "container":
            return f"{going.wait.message} (it waited {limit}, its startup_timeout)"
        look = f"kubectl -n {self.cluster.namespace} describe pod {going.name}"
        return f"{going.wait.message}, in {limit}, its startup_timeout; while it waits, ask: {look}"

    def _patience(self, timeout: float | None) -> float | None:
        """Seconds to wait at most: until the walk has something to do, or this launcher has."""
        times = ((going.try_at, going.start_by, going.gone_by) for going in self.going.values() if not going.over)
        due = min((min(each) for each in times), default=NEVER)
        wait = max(0.0, min(due, self.give_up_at) - time.monotonic())
        if timeout is not None:
            wait = min(wait, timeout)
        return None if wait == NEVER else wait

    # -- what an earlier walk has left ---------------------------------------------------------------------------------

    def _is_open(self, pod: Object) -> bool:
        """Whether its attempt goes on, or its end is still to be told."""
        result = self.ledger.result(self.deployment.run_id, *attempt_of(pod))
        if result is None:
            return True
        if result.status == SUCCEEDED:
            return not is_over(pod)
        told_of_silence = result.status == FAILED and result.error is not None and result.error.reason == "engine"
        return told_of_silence and not is_over(pod)

    def _take_over(self, pod: Object) -> None:
        attempt = attempt_of(pod)
        going = self.going[attempt] = Going(self.deployment.steps[attempt[0]], pod)
        going.uid, going.adopted, going.made_at = pod["metadata"]["uid"], True, time.monotonic()
        waited = max(0.0, time.time() - created(pod))
        going.start_by = time.monotonic() + startup_timeout(going.step, self.settings) - waited
        self.by_name[going.name] = attempt
        self._see(attempt, pod)

    def _doom(self, pod: Object) -> None:
        name = pod["metadata"]["name"]
        self.doomed.add(name)
        self._do(self._delete, attempt_of(pod), name, GRACE)

    def _see_them_gone(self) -> None:
        until = time.monotonic() + GRACE + LOST
        while self.doomed and time.monotonic() < until:
            self._hear(until - time.monotonic())
        for name in self.doomed:
            self._do(self._delete, ("", 0), name, 0)
        self.doomed.clear()

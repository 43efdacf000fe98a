"""Attempts as containers: started and removed by a few threads, followed by one poll over their sockets."""

from __future__ import annotations

import contextlib
import select
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from runner.errors import EngineError, StateError
from runner.orchestrators.base import Adopted, AttemptEnded, Launcher, LedgerLike
from runner.orchestrators.container import ATTEMPT, STEP, Container, container_of, mark_of
from runner.orchestrators.flavors.local_docker.endings import Ending, told
from runner.orchestrators.flavors.local_docker.engine import Engine, Info, Refused
from runner.orchestrators.flavors.local_docker.streams import Listener, News, Printed
from runner.orchestrators.flavors.local_docker.translate import arguments
from runner.plan.deployment import DeployedStep, Deployment, StepJob
from runner.records import SUCCEEDED, LogLines, StepResult

GRACE = 6.0  # seconds between SIGTERM and SIGKILL: the worker gives its step three, and then writes the result
SETTLE = 3.0  # seconds that the last lines of a container that has ended may take to come
PATIENCE = 20.0  # seconds that an engine may be gone before the attempts on it are given up
REMOVING = "removing"  # the state of one that is killed to be removed
THREADS = 8  # requests to the engine at a time
Attempt = tuple[str, int]


class Going:
    """One attempt. `ending` is what is known of its end; `id` is empty until there is a container."""

    def __init__(self, step: DeployedStep) -> None:
        self.step = step
        self.id = ""
        self.printed: Printed | None = None
        self.ending = Ending(step.resources.get("memory"))
        self.died_at = 0.0
        self.kill_at = float("inf")
        self.asked = False  # what became of it is being asked
        self.begun = False


class DockerLauncher(Launcher):
    """The containers of one run on one engine."""

    def __init__(
        self,
        *,
        engine: Engine,
        info: Info,
        deployment: Deployment,
        ledger: LedgerLike,
        run_args: Mapping[str, Any],
        network: str | None,
        user: str,
        folder: str,
        environ: Mapping[str, str],
        threads: int = THREADS,
    ) -> None:
        self.engine = engine
        self.info = info
        self.deployment = deployment
        self.ledger = ledger
        self.run_args = run_args
        self.network = network
        self.user = user
        self.folder = folder
        self.environ = environ
        self.mark = mark_of(deployment.run_id, deployment.artifact_store)
        self.going: dict[Attempt, Going] = {}
        self.by_id: dict[str, Attempt] = {}
        self.by_descriptor: dict[int, Attempt] = {}
        self.pending: list[AttemptEnded | LogLines] = []
        self.given_up_at = float("inf")
        self.containers: set[str] = set()  # that are there, by their ids
        self.foreseen: deque[tuple[DeployedStep, StepJob]] = deque()
        self.ahead: dict[Attempt, Future[str]] = {}
        self.removals: set[Future[None]] = set()
        self.closed = False
        self.news = News()
        self.poller = select.poll()
        self.poller.register(self.news.awake, select.POLLIN)
        self.pool = ThreadPoolExecutor(min(threads, THREADS), "runner-docker")
        self.listener = Listener(engine, self.mark, self.news)

    def fits(self, step: DeployedStep) -> bool:
        """Whether what the running ones were promised leaves room for it on the engine's machine."""
        for resource, has in (("cpu_count", self.info.cpus), ("memory", self.info.memory)):
            taken = sum(going.step.resources.get(resource, 0) for going in self.going.values())
            if has and step.resources.get(resource, 0) > has - taken:
                return False
        return True

    foresees = True  # a fifth of what an empty step takes is making its container

    def start(self, step: DeployedStep, job: StepJob) -> None:
        attempt = (job.step, job.attempt)
        self.going[attempt] = Going(step)
        self.foreseen = deque(each for each in self.foreseen if each[0].name != step.name)
        self.pool.submit(self._begin, attempt, step, job, self.ahead.pop(attempt, None))

    def foresee(self, step: DeployedStep, job: StepJob) -> None:
        self.foreseen.append((step, job))
        self._make_ahead()

    def _make_ahead(self) -> None:
        """Make what is foreseen, unless a container is on its way to its start: the engine would be held up by both."""
        while self.foreseen and all(going.begun for going in self.going.values()):
            step, job = self.foreseen.popleft()
            self.ahead[job.step, job.attempt] = self.pool.submit(self._make, step, job)

    def adopt(self, wanted: Callable[[str, int], bool]) -> list[Adopted]:
        """Those that run go on; of those that have ended, and whose end nobody told, it is told now."""
        adopted, newest = [], set()
        try:
            for each in sorted(self.engine.marked(self.mark), key=_attempt_of, reverse=True):
                step, attempt = _attempt_of(each)
                if step not in newest and wanted(step, attempt) and self._take_over(each):
                    adopted.append(Adopted(step, attempt, float(each.get("Created", time.time()))))
                else:
                    self.engine.remove(each["Id"])
                newest.add(step)
        except Refused as error:
            raise EngineError(error.message, "is it up? try: docker ps") from error
        return adopted

    def poll(self, timeout: float | None) -> list[AttemptEnded | LogLines]:
        patience = 0.0 if self.pending else self._patience(timeout)
        for descriptor, _ in self.poller.poll(None if patience is None else patience * 1000):
            if descriptor in self.by_descriptor:
                self._read(self.by_descriptor[descriptor])
        for what, *news in self.news.heard():
            getattr(self, f"_on_{what}")(*news)
        self._look_at_the_clock()
        found, self.pending = self.pending, []
        return found

    def stop(self, step: str, attempt: int, reason: str) -> None:
        going = self.going.get((step, attempt))
        if going is None or going.ending.reason:
            return
        going.ending.reason = reason
        going.kill_at = time.monotonic() + GRACE
        if going.id:
            self.pool.submit(self.engine.kill, going.id, "SIGTERM")

    def close(self) -> None:
        self.closed = True
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.listener.close()
        with ThreadPoolExecutor(THREADS, "runner-docker-close") as pool:
            pool.map(self._remove, list(self.containers))
        for going in self.going.values():
            if going.printed is not None:
                going.printed.close()
        self.news.close()
        self.engine.close()

    # -- in the threads: each tells what came of it --------------------------------------------------------------------

    def _make(self, step: DeployedStep, job: StepJob) -> str:
        """Make an attempt's container; gives its id."""
        made = container_of(self.deployment, step, job, self.mark, self.folder)
        secrets = {name: self.environ[name] for name in made.secrets if name in self.environ}
        made = made._replace(environment=made.environment | secrets)
        container = self.engine.create(self._arguments(made, step))
        self.containers.add(container)
        return container

    def _begin(self, attempt: Attempt, step: DeployedStep, job: StepJob, ahead: Future[str] | None) -> None:
        try:
            container = _made_ahead(ahead) or self._make(step, job)
            self.news.tell("made", attempt, container, Printed(self.engine.attach(container)))
            if len(self.going) == 1:
                # An engine that ends one container while it starts the next takes longer than for one after the other.
                wait(list(self.removals), timeout=SETTLE)
            if not self.closed:
                self.engine.start(container)
                self.news.tell("begun", attempt)
        except Refused as error:
            self.news.tell("refused", attempt, error.reason, error.message)
        except Exception as error:  # nobody else would hear of it, and the walk would wait for ever
            self.news.tell("refused", attempt, "container", f"{type(error).__name__}: {error}")

    def _arguments(self, made: Container, step: DeployedStep) -> dict[str, Any]:
        return arguments(made, self.deployment, step, run_args=self.run_args, network=self.network, user=self.user)

    def _ask(self, attempt: Attempt, container: str, result: StepResult | None) -> None:
        """What became of a container, and what it printed when its worker could not keep that."""
        said = ""
        try:
            state = self.engine.state(container)
            if result is None and state is not None and (text := self.engine.logs(container)):
                said = text.rstrip().rpartition("\n")[2]
                with contextlib.suppress(StateError):  # a log that cannot be kept is no reason to fail otherwise
                    self.ledger.put_log(self.deployment.run_id, *attempt, text)
            self.news.tell("asked", attempt, state, said, result)
        except Refused as error:
            self.news.tell("refused", attempt, error.reason, error.message)
        except Exception as error:
            self.news.tell("refused", attempt, "container", f"{type(error).__name__}: {error}")

    def _take_stock(self) -> None:
        """After a silence of the engine: which containers there are, and which of them run."""
        with contextlib.suppress(Refused):  # silent again, which is told, too
            self.news.tell("stock", {each["Id"]: each.get("State", "") for each in self.engine.marked(self.mark)})

    def _remove(self, container: str) -> None:
        with contextlib.suppress(Refused):  # `close` tries once more, then `runner doctor` names it
            self.engine.remove(container)
            self.containers.discard(container)

    # -- what they told ------------------------------------------------------------------------------------------------

    def _on_made(self, attempt: Attempt, container: str, printed: Printed) -> None:
        going = self.going.get(attempt)
        if going is None:
            printed.close()
            return
        going.id, going.printed = container, printed
        self.by_id[container] = attempt
        self.by_descriptor[printed.fileno()] = attempt
        self.poller.register(printed.fileno(), select.POLLIN)
        self._read(attempt)

    def _on_begun(self, attempt: Attempt) -> None:
        going = self.going.get(attempt)
        if going is not None:
            going.begun = True
            self._make_ahead()
        if going is not None and going.ending.reason:  # it was stopped before it was there
            self.pool.submit(self.engine.kill, going.id, "SIGKILL")

    def _on_refused(self, attempt: Attempt, reason: str, message: str) -> None:
        going = self.going.get(attempt)
        if going is not None:
            going.ending.refused = (reason, message)
            self._end(attempt, self.ledger.result(self.deployment.run_id, *attempt) if going.id else None)

    def _on_event(self, action: str, container: str, attributes: Mapping[str, str]) -> None:
        attempt = self.by_id.get(container)
        if attempt is None:
            return
        going = self.going[attempt]
        if action == "oom":
            going.ending.oom = True
        elif action == "kill" and not going.ending.reason:
            going.ending.signal = str(attributes.get("signal", "9"))
        elif action in ("die", "died"):
            self._died(attempt)
        elif action in ("destroy", "remove"):
            going.ending.gone = True
            self._died(attempt)

    def _on_asked(self, attempt: Attempt, state: dict[str, Any] | None, said: str, result: StepResult | None) -> None:
        going = self.going.get(attempt)
        if going is None:
            return
        if state is None:
            going.ending.gone = True
        elif state.get("Running"):
            going.asked, going.died_at = False, 0.0
            return
        else:
            going.ending.code = int(state.get("ExitCode") or 0)
            going.ending.gone = going.ending.gone or state.get("Status") == REMOVING
            going.ending.oom = going.ending.oom or bool(state.get("OOMKilled"))
        self._end(attempt, result, said)

    def _on_deaf(self) -> None:
        self.given_up_at = time.monotonic() + PATIENCE

    def _on_hears(self) -> None:
        self.given_up_at = float("inf")
        self.pool.submit(self._take_stock)

    def _on_stock(self, states: Mapping[str, str]) -> None:
        for container, attempt in list(self.by_id.items()):
            if states.get(container) not in ("running", "created", "restarting", "paused"):
                self._died(attempt)

    # -- ends ----------------------------------------------------------------------------------------------------------

    def _read(self, attempt: Attempt) -> None:
        going = self.going[attempt]
        if going.printed is None:
            return
        if text := going.printed.read():
            self.pending.append(LogLines(*attempt, text))
        if going.printed.over:
            self._let_go(going)
            # The worker's last deed but one is its result, its last to close what it prints to. The engine needs a
            # while longer to say so, and the next step need not wait for that.
            result = self.ledger.result(self.deployment.run_id, *attempt)
            if result is not None and result.status == SUCCEEDED:
                self._end(attempt, result)
            elif going.died_at:
                self._inquire(attempt)

    def _died(self, attempt: Attempt) -> None:
        going = self.going[attempt]
        if not going.died_at:
            going.died_at = time.monotonic()
            if going.printed is None:
                self._inquire(attempt)

    def _inquire(self, attempt: Attempt) -> None:
        going = self.going[attempt]
        if not going.asked:
            going.asked = True
            result = self.ledger.result(self.deployment.run_id, *attempt)
            self.pool.submit(self._ask, attempt, going.id, result)

    def _end(self, attempt: Attempt, result: StepResult | None, said: str = "") -> None:
        going = self.going.pop(attempt)
        self._let_go(going)
        self.by_id.pop(going.id, None)
        if going.id:
            removal = self.pool.submit(self._remove, going.id)
            self.removals.add(removal)
            removal.add_done_callback(self.removals.discard)
        self.pending.append(told(*attempt, going.ending, result, said))

    def _let_go(self, going: Going) -> None:
        if going.printed is not None:
            descriptor = going.printed.fileno()
            self.poller.unregister(descriptor)
            del self.by_descriptor[descriptor]
            going.printed.close()
            going.printed = None

    def _take_over(self, listed: Mapping[str, Any]) -> bool:
        """Whether this container's attempt goes on here, or its end is still to be told."""
        attempt, container = _attempt_of(listed), str(listed["Id"])
        result = self.ledger.result(self.deployment.run_id, *attempt)
        runs = listed.get("State") == "running"
        if listed.get("State") not in ("running", "exited") or (result and _is_told(result, runs)):
            return False  # it never began, or its failure is old news
        going = self.going[attempt] = Going(self.deployment.steps[attempt[0]])
        going.begun = True
        going.id = container
        self.containers.add(container)
        self.by_id[container] = attempt
        if runs:
            self._on_made(attempt, container, Printed(self.engine.attach(container, logs=True)))
        else:
            if text := self.engine.logs(container):
                self.pending.append(LogLines(*attempt, text))
            self._died(attempt)
        return True

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        for attempt, going in list(self.going.items()):
            if now >= self.given_up_at:
                going.ending.refused = ("engine", f"the Docker Engine at {self.engine.host} stopped answering")
                self._end(attempt, self.ledger.result(self.deployment.run_id, *attempt))
                continue
            if now >= going.kill_at and going.id:
                going.kill_at = now + GRACE
                self.pool.submit(self.engine.kill, going.id, "SIGKILL")
            if going.died_at and now >= going.died_at + SETTLE:
                self._inquire(attempt)

    def _patience(self, timeout: float | None) -> float | None:
        """Seconds to wait at most: until the walk has something to do, or this launcher has."""
        now = time.monotonic()
        due = [self.given_up_at, *(going.kill_at for going in self.going.values())]
        due += [going.died_at + SETTLE for going in self.going.values() if going.died_at and not going.asked]
        waits = [max(0.0, when - now) for when in due if when != float("inf")]
        return min([*waits, *([] if timeout is None else [timeout])], default=None)


def _made_ahead(ahead: Future[str] | None) -> str:
    """The container that was made for an attempt before it could start; empty when there is none."""
    # It was handed to the threads before whoever asks, and so is made or being made. What went wrong is found again.
    return "" if ahead is None or ahead.exception() is not None else ahead.result()


def _is_told(result: StepResult, runs: bool) -> bool:
    """Whether a failure is on record; that of an engine which had gone silent says nothing of a container that runs."""
    error = result.error
    return result.status != SUCCEEDED and not (runs and error is not None and error.reason == "engine")


def _attempt_of(listed: Mapping[str, Any]) -> Attempt:
    """Which attempt a container is, by its labels."""
    labels = listed.get("Labels") or {}
    return str(labels.get(STEP, "")), int(labels.get(ATTEMPT) or 0)

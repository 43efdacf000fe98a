"""The contract between a plan and an engine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

from runner.checks import Check
from runner.errors import EngineError
from runner.plan.changes import Change
from runner.plan.deployment import DeployedStep, Deployment, deployment_to_json
from runner.records import Artifact, Event, LogLines, StepResult
from runner.spec.common import Spec


class Support(StrEnum):
    """Who carries a capability out."""

    NATIVE = "native"  # the engine itself
    WORKER = "worker"  # our worker, inside the step's process
    CONTROLLER = "controller"  # our walk of the DAG
    NO = "no"


class Capabilities(NamedTuple):
    """What a flavor can do, and who does it. What is `no` is refused while planning."""

    schedule: Support = Support.NO
    retry: Support = Support.NO
    timeout: Support = Support.NO
    cpu: Support = Support.NO
    memory: Support = Support.NO
    gpu: Support = Support.NO
    disk: Support = Support.NO
    shm: Support = Support.NO
    parallel: Support = Support.NO
    foreach: Support = Support.NO
    when: Support = Support.NO
    expand: Support = Support.NO
    cancel: Support = Support.NO
    logs: Support = Support.NO


class Traits(NamedTuple):
    """What a flavor is like to live with, a word or two each."""

    setup: str = "-"
    scale: str = "-"
    cost: str = "-"
    monitoring: str = "-"


class Refusal(NamedTuple):
    """Something a flavor cannot do. `path` leads to the value in the pipeline: ("steps", "fit", "resources").

    To the help of a `code` that begins with `cannot-` the flavors that can are added: see `portability.cannot_honour`.
    """

    path: tuple[str, ...]
    code: str
    message: str
    help: str | None = None


class Bundle(NamedTuple):
    """Everything that will be sent to the engine: file name → document, as plain data."""

    run_id: str
    flavor: str
    documents: dict[str, Any]
    deployment: Deployment


class Submission(NamedTuple):
    """A small serialisable handle to what was started."""

    run_id: str
    flavor: str
    handle: dict[str, Any] = {}


class StepSeen(NamedTuple):
    """What an engine says of a step: a status of `records` (pending, running, succeeded, failed, cancelled, skipped),
    and in its own words why it failed or what it waits for; empty where there is nothing to say."""

    status: str
    message: str = ""


class Seen(NamedTuple):
    """What an engine that walks the DAG itself says of a run right now: a status of `records` (running, succeeded,
    failed, cancelled), in its own words why, and the steps that it tells of, by their names in the pipeline."""

    status: str
    message: str = ""
    steps: Mapping[str, StepSeen] = {}


class LedgerLike(Protocol):
    """What an orchestrator needs of the ledger: the records of a run in the artifact store."""

    @property
    def settings(self) -> dict[str, Any]:
        """The artifact store's, for jobs."""
        ...

    @property
    def remote(self) -> bool:
        """Whether each look into it is a request over the network."""
        ...

    def result(self, run_id: str, step: str, attempt: int) -> StepResult | None: ...
    def started(self, run_id: str, step: str, attempt: int) -> dict[str, Any] | None: ...
    def traces(self, run_id: str) -> dict[str, dict[int, set[str]]]: ...
    def write_result(self, result: StepResult) -> None: ...
    def write_blueprint(self, deployment: Deployment) -> str: ...
    def claims(self, run_id: str) -> list[dict[str, Any]]: ...
    def claim(self, run_id: str, number: int, handle: Mapping[str, Any]) -> dict[str, Any]: ...
    def attempts(self, run_id: str, step: str) -> list[int]: ...
    def has_all(self, artifacts: Iterable[Artifact]) -> bool: ...
    def cached(self, key: str, expires_after: float | None) -> StepResult | None: ...
    def deployment(self, run_id: str) -> Deployment: ...
    def events(self, run_id: str) -> list[Event] | None: ...
    def cancel_requested(self, run_id: str) -> bool: ...
    def log_path(self, run_id: str, step: str, attempt: int, make: bool = True) -> str | None: ...
    def log(self, run_id: str, step: str, attempt: int) -> str: ...
    def put_log(self, run_id: str, step: str, attempt: int, text: str) -> None: ...


class StackLike(Protocol):
    """What an orchestrator is given beside the deployment.

    `done` are the steps of this run that are finished already: step → output → artifact, or None for a new run;
    `folder` is the project's state folder, `.runner`; `secret` gives the value of a secret that the settings refer to,
    as it can be had on this machine, and raises a RunnerError.
    """

    @property
    def ledger(self) -> LedgerLike: ...
    @property
    def folder(self) -> Path: ...
    @property
    def done(self) -> Mapping[str, Mapping[str, Artifact]] | None: ...
    @property
    def secret(self) -> Callable[[str], str]: ...


class Silent(EngineError):
    """The engine did not answer this time, and may the next."""


class NoSettings(Spec):
    """Nothing can be set."""


class Remains(NamedTuple):
    """What is there of a run in an engine. `folder` is the state folder of its project, where that is known; `what`
    says it in words, `remove` is the engine's own command that removes it."""

    run_id: str
    folder: str
    what: str
    remove: str


class BaseOrchestrator:
    """One engine. Subclasses declare `Settings`, `StepSettings` and `capabilities`, and translate and run deployments.

    The least one overrides `prepare_or_run_pipeline`; the full one overrides `compile`, `submit`, `watch`, `logs` and
    `cancel`. `compile` and `refusals` touch no engine and need no SDK.

    `remote`    steps do not run on this machine: they cannot reach an artifact store that is a folder of it
    `needs_image` each step runs in an image; it is there before the flavor is asked to run it, as `step.container` says
    `detaches`  what is submitted goes on without whoever submitted it: the engine walks the DAG, or a controller of
                ours does that there
    `controller_needs` where that is a controller of ours: the requirements that its image has beside runner's own and
                its stores'
    `available` False for a flavor whose documents are checked and planned for, and which cannot run anything yet
    `compiles`  whether `compile` gives the engine's documents, although nothing may be run yet
    `serves_many` one compiled document serves many runs: an engine that starts them fills in `deployment.runtime`
    `on_failure` what it can do when a step has failed
    `advice`    capability → what to write instead of a setting that it does not honour
    """

    flavor: ClassVar[str] = ""
    Settings: ClassVar[type[Spec]] = NoSettings
    StepSettings: ClassVar[type[Spec]] = NoSettings
    capabilities: ClassVar[Capabilities] = Capabilities()
    traits: ClassVar[Traits] = Traits()
    remote: ClassVar[bool] = False
    needs_image: ClassVar[bool] = False
    detaches: ClassVar[bool] = False
    controller_needs: ClassVar[tuple[str, ...]] = ()
    available: ClassVar[bool] = True
    compiles: ClassVar[bool] = True
    serves_many: ClassVar[bool] = False
    on_failure: ClassVar[tuple[str, ...]] = ("fail_fast", "continue")
    advice: ClassVar[Mapping[str, str]] = {}
    requests: Mapping[str, int] = {}
    """What `control` has asked of its engine's API so far: verb and object → how many times."""

    def __init__(self, settings: Spec | None = None) -> None:
        self.settings: Any = settings if settings is not None else self.Settings()

    @classmethod
    def capabilities_of(cls, settings: Any) -> Capabilities:
        """What it can do with these Settings: `capabilities`, unless some setting changes that."""
        return cls.capabilities

    def refusals(self, steps: Iterable[DeployedStep], project: str) -> Iterator[Refusal]:
        """What of these steps this flavor cannot honour beyond what `capabilities` tell, on whatever machine. Pure.

        Nothing, unless overridden. `project` is the project's root folder.
        """
        yield from ()

    def beside(self, steps: Iterable[DeployedStep], components: Mapping[str, Mapping[str, Any]]) -> Iterator[Refusal]:
        """What this flavor cannot do with the stack's other components: kind → flavor and fields, empty for none. Pure.

        A path leads to a value of a step, or to one in the stack: ("secret_store", "namespace"). Asked without steps
        where a stack is looked at alone. Nothing, unless overridden.
        """
        yield from ()

    def lacks(self, steps: Iterable[DeployedStep], project: str) -> Iterator[Refusal]:
        """What these steps need and this machine or installation does not have right now. Nothing, unless overridden.

        Asked before a run is planned, and not where documents are only validated.
        """
        yield from ()

    def checks(self, secret: Callable[[str], str]) -> Iterator[Check]:
        """What `runner doctor` tries: is the engine there, are there credentials, do they suffice? Nothing by default.

        Each thing is really tried, within seconds, and yielded as it is known; `secret` gives the value of a secret
        that the settings refer to. An SDK is imported in here. Errors become checks with a `help`.
        """
        yield from ()

    def inside(self, components: Mapping[str, Mapping[str, Any]], image: str | None) -> Iterator[Check]:
        """What `runner doctor` tries from inside of the engine, when `checks` found nothing wrong: whether it can run
        an image of the stack, and whether the stack's stores open there. Nothing, unless overridden.

        `components` are the stack's others, kind → flavor and fields; `image` is one of it that has runner, None where
        none is known. What is started is gone when this has ended, or is closed, and that takes a minute or so at most.
        """
        yield from ()

    def provision(self, dry_run: bool) -> Iterator[Change]:
        """Make what runs need to have in the engine, and tell of each object what is new in it; `runner apply` does.

        A second time nothing is changed. With `dry_run` nothing is, and the engine says what would be. Nothing, unless
        overridden. Raises EngineError.
        """
        yield from ()

    def remains(self) -> Iterator[Remains]:
        """What of runs is in the engine right now, whichever project they belong to. Nothing, unless overridden.

        `runner doctor` names what belongs to no run that is going.
        """
        yield from ()

    def compile(self, deployment: Deployment) -> Bundle:
        """The engine's own documents. Pure: no network, no SDK, no clock."""
        return Bundle(deployment.run_id, self.flavor, {"deployment.json": deployment_to_json(deployment)}, deployment)

    def submit(self, bundle: Bundle, stack: StackLike) -> Submission:
        """Start it. Sent twice with one run id, it starts one run."""
        raise EngineError(f"flavor '{self.flavor}' cannot submit")

    def watch(self, submission: Submission, stack: StackLike) -> Iterator[Event | LogLines]:
        """Everything that happens, until the run has ended. May be called again elsewhere with a stored submission."""
        raise EngineError(f"flavor '{self.flavor}' cannot watch")

    def seen(self, submission: Submission, stack: StackLike) -> Seen | None:
        """What the engine says of a run right now, by one look; None for an engine that the run's ledger knows better.

        For engines that walk the DAG themselves, where nobody of ours sees a run end. Raises Silent when it did not
        answer this time, EngineError when it will not.
        """
        return None

    def logs(self, submission: Submission, step: str, stack: StackLike) -> Iterator[str]:
        """Lines that a step printed so far, of its last attempt."""
        for attempt in stack.ledger.attempts(submission.run_id, step)[-1:]:
            yield from stack.ledger.log(submission.run_id, step, attempt).splitlines()

    def cancel(self, submission: Submission, stack: StackLike) -> None:
        """Stop everything of this run.

        Steps that `worker_command` starts see by themselves that the run is to be cancelled: an orchestrator that has
        only `prepare_or_run_pipeline` need not do anything here.
        """
        if type(self).prepare_or_run_pipeline is not BaseOrchestrator.prepare_or_run_pipeline:
            return
        raise EngineError(f"flavor '{self.flavor}' cannot cancel")

    def control(self, submission: Submission, stack: StackLike) -> Iterator[Event | LogLines]:
        """Walk a run from inside of the engine, from where its ledger and the engine say it is, to its end.

        Called where the controller runs, for flavors with `controller_needs`.
        """
        raise EngineError(f"flavor '{self.flavor}' has no controller")

    def is_gone(self, deployment: Deployment, host: str) -> bool:
        """Whether a controller of this run that called itself so (its host's name) is over for certain.

        Asked by the next one, which otherwise waits for a silence that is long enough. False for who is no controller.
        """
        return False

    def url(self, submission: Submission) -> str | None:
        """Where a person can look at the run in the engine's own interface."""
        return None

    def prepare_or_run_pipeline(self, deployment: Deployment, stack: StackLike) -> Iterator[Event | LogLines] | None:
        """Compile, submit and watch in one.

        An own one may also run the steps and return nothing: then the ledger tells what happens (see `carry.py`).
        """
        yield from self.watch(self.submit(self.compile(deployment), stack), stack)
        return None


class AttemptEnded(NamedTuple):
    """An attempt is over.

    `reason` is a key of REASONS when the launcher knows why; `code` the exit code, negative for a signal; `result` what
    it left in the ledger, where the launcher has it at hand.
    """

    step: str
    attempt: int
    code: int = 0
    reason: str = ""
    message: str = ""
    result: StepResult | None = None


class AttemptBegan(NamedTuple):
    """An attempt that had to wait for its turn now runs, since `time`: seconds since 1970, UTC."""

    step: str
    attempt: int
    time: float


class AttemptWaits(NamedTuple):
    """What an attempt that was started waits for, in the engine's words; told once for each of them."""

    step: str
    attempt: int
    message: str


class Adopted(NamedTuple):
    """An attempt that an earlier walk started, and that was taken over; `began` is seconds since 1970, UTC."""

    step: str
    attempt: int
    began: float


class Launcher(ABC):
    """What an engine without a DAG of its own gives to the walk: attempts that start, end and can be stopped."""

    @abstractmethod
    def fits(self, step: DeployedStep) -> bool:
        """Whether there is room for this step beside what runs now."""

    @abstractmethod
    def start(self, step: DeployedStep, job: Any) -> None:
        """Start one attempt (`job` is a StepJob); returns at once."""

    def adopt(self, wanted: Callable[[str, int], bool]) -> list[Adopted]:
        """Take over the attempts of this run that an earlier walk started and whose end nobody has told.

        Their lines and their ends come by `poll`, as those of attempts that were started here. One of which
        `wanted(step, attempt)` is not true is ended and forgotten before this returns. None, unless overridden: for
        engines whose attempts end with the walk.
        """
        return []

    foresees: ClassVar[bool] = False
    """Whether `foresee` is of use: only then the walk looks ahead."""

    def foresee(self, step: DeployedStep, job: Any) -> None:  # noqa: B027  (most have nothing to get ready)
        """This attempt can start as soon as what runs now has succeeded: what can be got ready, may be.

        Returns at once. `start` follows with the same step and attempt, or nothing does. The job's inputs name steps
        where their artifacts are not known yet; a worker looks them up.
        """

    begins_later: ClassVar[bool] = False
    """Whether an attempt may have to wait after `start`: then `poll` tells AttemptBegan, and from there on its timeout
    counts. Before, it may tell AttemptWaits."""

    @abstractmethod
    def poll(self, timeout: float | None) -> Sequence[AttemptEnded | AttemptBegan | AttemptWaits | LogLines]:
        """What happened; waits for something to happen, at most `timeout` seconds."""

    @abstractmethod
    def stop(self, step: str, attempt: int, reason: str) -> None:
        """End an attempt with everything it started; its AttemptEnded, with this reason, still comes by `poll`.

        Nothing is done about an attempt that is over.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop what still runs and let go of everything."""

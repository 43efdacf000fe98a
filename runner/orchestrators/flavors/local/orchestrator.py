"""The local flavor's orchestrator: what this machine can give, and the walk over its launcher."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

from runner.checks import Check
from runner.orchestrators.base import (
    BaseOrchestrator,
    Bundle,
    Capabilities,
    Refusal,
    StackLike,
    Submission,
    Support,
    Traits,
)
from runner.orchestrators.flavors.local.environments import Environments, install_command, unmet
from runner.orchestrators.flavors.local.hosts import LocalLauncher, walk_mark
from runner.orchestrators.flavors.local.machine import Machine, this_machine
from runner.orchestrators.flavors.local.settings import LocalSettings, LocalStepSettings
from runner.orchestrators.walk import walk
from runner.plan.deployment import DeployedStep
from runner.processes import kill_marked
from runner.records import Event, LogLines
from runner.requirements import requirements_of
from runner.spec.common import format_memory
from runner.spec.pipeline import IMAGE_DIGESTS

READY = 8  # the most forked processes that wait for work; more steps at a time wait for the next fork


class LocalOrchestrator(BaseOrchestrator):
    """Runs steps as processes of this machine; needs no engine beside `runner` itself."""

    flavor = "local"
    Settings = LocalSettings
    StepSettings = LocalStepSettings
    traits = Traits("none", "one machine", "free", "runner")
    capabilities = Capabilities(
        schedule=Support.CONTROLLER,
        retry=Support.CONTROLLER,
        timeout=Support.CONTROLLER,
        cpu=Support.CONTROLLER,
        memory=Support.WORKER,
        gpu=Support.CONTROLLER,
        parallel=Support.CONTROLLER,
        foreach=Support.CONTROLLER,
        when=Support.CONTROLLER,
        expand=Support.CONTROLLER,
        cancel=Support.CONTROLLER,
        logs=Support.CONTROLLER,
    )

    def refusals(self, steps: Iterable[DeployedStep], project: str) -> Iterator[Refusal]:
        """What no machine can do with processes alone."""
        for step in steps:
            yield from _of_an_image(step)
            if "gpu_type" in step.resources:
                yield Refusal(
                    ("steps", step.name, "resources", "gpu_type"),
                    "cannot-honour",
                    f"step '{step.name}' sets gpu_type, and flavor 'local' does not know what its accelerators are",
                    "leave it out",
                )
            if self.settings.isolation == "none" and "memory" in step.resources:
                yield Refusal(
                    ("steps", step.name, "resources", "memory"),
                    "cannot-enforce",
                    f"step '{step.name}' is limited to {format_memory(step.resources['memory'])} of memory, "
                    "which nobody can enforce without a process of its own",
                    "take `isolation: process` (the default), or leave `memory` out",
                )

    def lacks(self, steps: Iterable[DeployedStep], project: str) -> Iterator[Refusal]:
        """What this machine does not have, and requirements that the current environment does not meet."""
        machine = this_machine(os.environ)
        known: dict[tuple[str, ...], list[str]] = {}
        for step in steps:
            yield from _too_much(step, machine)
            yield from _another_python(step)
            if step.settings.get("environment", "current") == "current":
                requirements = tuple(requirements_of(step.image, project))
                if requirements not in known:
                    known[requirements] = unmet(requirements)
                yield from _unmet(step, known[requirements])

    def checks(self, secret: Callable[[str], str]) -> Iterator[Check]:
        """What this machine gives to steps."""
        machine = this_machine(os.environ)
        gpus = f"accelerators {', '.join(machine.gpus)}" if machine.gpus else "no accelerators"
        memory = f"{machine.memory / 1e9:.1f} GB of memory"
        yield Check("machine", True, f"{len(machine.cpus)} processors, {memory}, {gpus}")

    def submit(self, bundle: Bundle, stack: StackLike) -> Submission:
        """Nothing is started yet: on this machine the one who watches is the one who walks."""
        return Submission(bundle.run_id, self.flavor)

    def watch(self, submission: Submission, stack: StackLike) -> Iterator[Event | LogLines]:
        """Walk the run to its end, from where its ledger says it is."""
        deployment = stack.ledger.deployment(submission.run_id)
        kill_marked(
            "RUNNER_WALK", walk_mark(stack.folder, deployment.run_id)
        )  # of a walk that was killed: no step runs twice at once
        machine = this_machine(os.environ)
        launcher = LocalLauncher(
            ledger=stack.ledger,
            run_id=deployment.run_id,
            project=deployment.project,
            folder=stack.folder,
            machine=machine,
            isolate=self.settings.isolation == "process",
            steps=deployment.steps.values(),
            ready=min(self.settings.max_parallel + 2, READY),
            environments=Environments(
                stack.folder / "environments", deployment.project, str(stack.ledger.settings.get("flavor", "local"))
            ),
        )
        yield from walk(deployment, stack.ledger, launcher, max_parallel=self.settings.max_parallel, done=stack.done)

    def cancel(self, submission: Submission, stack: StackLike) -> None:
        """Whoever walks the run is asked through the ledger; what a dead walk left is killed."""
        kill_marked("RUNNER_WALK", walk_mark(stack.folder, submission.run_id))


def _too_much(step: DeployedStep, machine: Machine) -> Iterator[Refusal]:
    has = {
        "cpu_count": (len(machine.cpus), f"{len(machine.cpus)} processors"),
        "memory": (machine.memory, f"{machine.memory / 1024**3:.1f}GiB of memory"),
        "gpu_count": (len(machine.gpus), f"{len(machine.gpus)} visible accelerators"),
    }
    for field, (most, words) in has.items():
        wanted = step.resources.get(field, 0)
        if wanted > most:
            shown = format_memory(wanted) if field == "memory" else f"{wanted:g}"
            yield Refusal(
                ("steps", step.name, "resources", field),
                "not-enough",
                f"step '{step.name}' asks for {field} {shown}, and this machine has {words}",
                "ask for less, or run it on a stack whose engine has more",
            )


def _of_an_image(step: DeployedStep) -> Iterator[Refusal]:
    """What of `settings.image` has no meaning for a process of this machine, rather than leaving it out unsaid."""
    for field in step.image:
        if field not in ("requirements", "python", *IMAGE_DIGESTS):
            yield Refusal(
                ("steps", step.name, "settings", "image", field),
                "cannot-honour",
                f"step '{step.name}' sets settings.image.{field}: flavor 'local' runs without an image",
                "leave it out: of `image`, 'local' honours `requirements`",
            )


def _another_python(step: DeployedStep) -> Iterator[Refusal]:
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    wanted = step.image.get("python", running)
    if wanted != running and not f"{wanted}.".startswith(f"{running}."):
        yield Refusal(
            ("steps", step.name, "settings", "image", "python"),
            "another-python",
            f"step '{step.name}' sets settings.image.python '{wanted}', and this interpreter is {running}",
            "leave it out, or run it on a stack whose engine runs images",
        )


def _unmet(step: DeployedStep, requirements: Sequence[str]) -> Iterator[Refusal]:
    if requirements:
        yield Refusal(
            ("steps", step.name, "settings", "image", "requirements"),
            "unmet-requirements",
            f"step '{step.name}' needs {', '.join(map(repr, requirements))}, which this environment does not have",
            f"install them: {shlex.join(install_command(requirements))} — or give the step an environment of its own: "
            "settings: {local: {environment: venv}}",
        )

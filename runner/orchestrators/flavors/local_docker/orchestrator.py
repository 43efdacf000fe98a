"""The local_docker flavor's orchestrator: what the engine can give, and the walk over its launcher."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from runner import integrations
from runner.checks import Check
from runner.docker_engine import engine_check
from runner.errors import EngineError
from runner.orchestrators.base import (
    BaseOrchestrator,
    Bundle,
    Capabilities,
    Refusal,
    Remains,
    StackLike,
    Submission,
    Support,
    Traits,
)
from runner.orchestrators.container import FOLDER, RUN_ID, image_of, mark_of
from runner.orchestrators.flavors.local_docker import lacking, translate
from runner.orchestrators.flavors.local_docker.engine import Info, Refused, connect, info_of
from runner.orchestrators.flavors.local_docker.launcher import DockerLauncher
from runner.orchestrators.flavors.local_docker.settings import LocalDockerSettings, LocalDockerStepSettings
from runner.orchestrators.walk import walk
from runner.plan.deployment import DeployedStep, Deployment
from runner.records import Event, LogLines


class LocalDockerOrchestrator(BaseOrchestrator):
    """Runs each step in a container of its own on this machine; needs a Docker Engine."""

    flavor = "local_docker"
    Settings = LocalDockerSettings
    StepSettings = LocalDockerStepSettings
    needs_image = True
    traits = Traits("Docker Engine", "one machine", "free", "runner, docker ps")
    capabilities = Capabilities(
        schedule=Support.CONTROLLER,
        retry=Support.CONTROLLER,
        timeout=Support.CONTROLLER,  # the walk stops the container
        cpu=Support.NATIVE,
        memory=Support.NATIVE,
        gpu=Support.NATIVE,
        disk=Support.NO,  # a container's size is limited by few storage drivers, and not by the usual one
        shm=Support.NATIVE,
        parallel=Support.CONTROLLER,
        foreach=Support.CONTROLLER,
        when=Support.CONTROLLER,
        expand=Support.CONTROLLER,
        cancel=Support.CONTROLLER,
        logs=Support.NATIVE,
    )

    def refusals(self, steps: Iterable[DeployedStep], project: str) -> Iterator[Refusal]:
        """Accelerators by their types, and what run_args say beside what the step says."""
        for step in steps:
            yield from translate.refusals(step, self.settings.run_args, self.settings.network)

    def beside(self, steps: Iterable[DeployedStep], components: Mapping[str, Mapping[str, Any]]) -> Iterator[Refusal]:
        """Stores at an address that in a container means the container."""
        yield from translate.out_of_reach(components, self.settings.network, self.settings.run_args)

    def lacks(self, steps: Iterable[DeployedStep], project: str) -> Iterator[Refusal]:
        """What the engine does not have: processors and memory, networks, runtimes."""
        yield from lacking.lacking(self.settings, steps, os.environ)

    def checks(self, secret: Callable[[str], str]) -> Iterator[Check]:
        """The Docker Engine, the package that talks to it, and what of the engine the stack names."""
        yield integrations.sdk("docker")
        engine = engine_check("engine", self.settings.docker_host, os.environ)
        yield engine
        if engine.ok:
            yield from lacking.checks(self.settings, os.environ)

    def remains(self) -> Iterator[Remains]:
        """Containers of runs."""
        engine = connect(self.settings.docker_host, os.environ)
        try:
            found: dict[tuple[str, str], list[str]] = {}
            for each in engine.marked():
                labels = each["Labels"]
                found.setdefault((labels.get(RUN_ID, ""), labels.get(FOLDER, "")), []).append(each["Id"][:12])
        except Refused as error:
            raise EngineError(error.message, "is it up? try: docker ps") from error
        finally:
            engine.close()
        for (run_id, folder), ids in found.items():
            what = f"{len(ids)} container{'s' if len(ids) > 1 else ''}"
            yield Remains(run_id, folder, what, f"docker rm -f {' '.join(ids)}")

    def compile(self, deployment: Deployment) -> Bundle:
        """What the Docker SDK's containers.run is given for each step."""
        made = translate.documents(deployment, self.settings.run_args, self.settings.network)
        return Bundle(deployment.run_id, self.flavor, {"containers.json": made}, deployment)

    def submit(self, bundle: Bundle, stack: StackLike) -> Submission:
        """Nothing is started yet: the one who watches is the one who walks. Raises EngineError when none could."""
        deployment = bundle.deployment
        info_of(self.settings.docker_host, os.environ)
        stores = {"artifact_store": deployment.artifact_store, "secret_store": deployment.secret_store}
        for refusal in self.beside((), stores):
            raise EngineError(refusal.message, refusal.help)
        for step in deployment.steps.values():
            if not image_of(step):
                raise EngineError(
                    f"step '{step.name}' has no image", "name a ready one: settings: {image: {image: NAME:TAG}}"
                )
        return Submission(bundle.run_id, self.flavor)

    def watch(self, submission: Submission, stack: StackLike) -> Iterator[Event | LogLines]:
        """Walk the run to its end, from where its ledger and the engine say it is."""
        settings = self.settings
        deployment = stack.ledger.deployment(submission.run_id)
        info = info_of(settings.docker_host, os.environ)
        launcher = DockerLauncher(
            engine=connect(settings.docker_host, os.environ),
            info=info,
            deployment=deployment,
            ledger=stack.ledger,
            run_args=settings.run_args,
            network=settings.network,
            user=_user(info),
            folder=str(stack.folder.absolute()),
            environ=os.environ,
            threads=settings.max_parallel + 1,
        )
        yield from walk(deployment, stack.ledger, launcher, max_parallel=settings.max_parallel, done=stack.done)

    def cancel(self, submission: Submission, stack: StackLike) -> None:
        """Whoever walks the run is asked through the ledger; what a dead walk left is removed."""
        engine = connect(self.settings.docker_host, os.environ)
        try:
            for each in engine.marked(mark_of(submission.run_id, stack.ledger.settings)):
                engine.remove(each["Id"])
        except Refused as error:
            raise EngineError(error.message, "is it up? try: docker ps") from error
        finally:
            engine.close()


def _user(info: Info) -> str:
    """Whom the files in mounted folders belong to: whoever runs this. An engine without root rights calls him root."""
    return "0:0" if info.rootless else f"{os.getuid()}:{os.getgid()}"

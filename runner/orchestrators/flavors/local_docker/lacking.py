"""What a stack and its steps ask of the engine, and the engine does not have: found out before anything starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from runner.checks import Check
from runner.docker_engine import NotThere, address, ask
from runner.errors import EngineError, nearest
from runner.orchestrators.base import Refusal
from runner.orchestrators.flavors.local_docker.engine import Info, info_of
from runner.orchestrators.flavors.local_docker.settings import LocalDockerSettings
from runner.plan.deployment import DeployedStep
from runner.spec.common import format_memory

BUILT_IN = ("default", "bridge", "host", "none")
"""Networks that every engine has, and what run_args.network_mode may say beside the name of one."""
_OF_CONTAINER = "container:"
_STACKS = ("orchestrator", "run_args")


def lacking(
    settings: LocalDockerSettings, steps: Iterable[DeployedStep], environ: Mapping[str, str]
) -> Iterator[Refusal]:
    """What these steps and this stack need and the engine does not have.

    An engine that does not answer is told of when it is needed, and one that nothing is asked of is not asked.
    """
    steps = list(steps)
    try:
        yield from _networks(settings, steps, environ)
        if any(_asks(settings, step) for step in steps):
            info = info_of(settings.docker_host, environ)
            for step in steps:
                yield from too_much(step, info)
            yield from _runtimes(settings, steps, info)
    except EngineError:
        return


def checks(settings: LocalDockerSettings, environ: Mapping[str, str]) -> Iterator[Check]:
    """The network and the runtime that the stack itself names, for an engine that answers."""
    if name := settings.network or _network_of(settings.run_args):
        found = list(_networks(settings, (), environ))
        yield _check("network", f"'{name}' is there", found)
    if runtime := settings.run_args.get("runtime"):
        found = list(_runtimes(settings, (), info_of(settings.docker_host, environ)))
        yield _check("runtime", f"the engine has '{runtime}'", found)


def too_much(step: DeployedStep, info: Info) -> Iterator[Refusal]:
    """What of a step's resources the engine's machine does not have."""
    has = {
        "cpu_count": (info.cpus, f"{info.cpus} processors"),
        "memory": (info.memory, f"{info.memory / 1024**3:.1f}GiB of memory"),
    }
    for field, (most, words) in has.items():
        wanted = step.resources.get(field, 0)
        if most and wanted > most:
            shown = format_memory(wanted) if field == "memory" else f"{wanted:g}"
            yield Refusal(
                ("steps", step.name, "resources", field),
                "not-enough",
                f"step '{step.name}' asks for {field} {shown}, and the engine's machine has {words}",
                "ask for less, or run it on a stack whose engine has more",
            )


def _asks(settings: LocalDockerSettings, step: DeployedStep) -> bool:
    runtime = "runtime" in settings.run_args or "runtime" in step.settings.get("run_args", {})
    return runtime or "cpu_count" in step.resources or "memory" in step.resources


def _networks(
    settings: LocalDockerSettings, steps: Iterable[DeployedStep], environ: Mapping[str, str]
) -> Iterator[Refusal]:
    named: dict[tuple[str, ...], str | None]
    named = {("orchestrator", "network"): settings.network, (*_STACKS, "network_mode"): _network_of(settings.run_args)}
    for step in steps:
        named[_path(step, "network_mode")] = _network_of(step.settings.get("run_args", {}))
    missing: dict[str, Refusal | None] = {}
    for path, name in named.items():
        if name and name not in BUILT_IN:
            if name not in missing:
                missing[name] = _missing_network(settings, name, environ)
            if (refusal := missing[name]) is not None:
                yield refusal._replace(path=path)


def _missing_network(settings: LocalDockerSettings, name: str, environ: Mapping[str, str]) -> Refusal | None:
    host = address(settings.docker_host, environ)
    try:
        ask(host, f"/networks/{quote(name, safe='')}", environ)
    except NotThere:
        known = [str(each["Name"]) for each in ask(host, "/networks", environ)]
        guess = nearest(name, known)
        near = f"did you mean '{guess}'? " if guess else ""
        help = f"{near}it has: {', '.join(sorted(known))}; or make it: docker network create {name}"
        return Refusal((), "no-network", f"the engine has no network '{name}'", help)
    return None


def _runtimes(settings: LocalDockerSettings, steps: Iterable[DeployedStep], info: Info) -> Iterator[Refusal]:
    named: dict[tuple[str, ...], str | None] = {(*_STACKS, "runtime"): settings.run_args.get("runtime")}
    for step in steps:
        named[_path(step, "runtime")] = step.settings.get("run_args", {}).get("runtime")
    for path, name in named.items():
        # A shim of containerd, or a program by its path, need not be among those that are configured.
        if name and info.runtimes and name not in info.runtimes and not set(name) & set("./"):
            guess = nearest(name, info.runtimes)
            near = f"did you mean '{guess}'? " if guess else ""
            help = f"{near}it has: {', '.join(sorted(info.runtimes))}; others are named in its daemon.json"
            yield Refusal(path, "no-runtime", f"the engine has no runtime '{name}'", help)


def _path(step: DeployedStep, argument: str) -> tuple[str, ...]:
    return ("steps", step.name, "settings", "local_docker", "run_args", argument)


def _network_of(run_args: Mapping[str, Any]) -> str | None:
    mode = run_args.get("network_mode")
    return None if not mode or mode in BUILT_IN or str(mode).startswith(_OF_CONTAINER) else str(mode)


def _check(name: str, well: str, found: list[Refusal]) -> Check:
    return Check(name, False, found[0].message, found[0].help) if found else Check(name, True, well)

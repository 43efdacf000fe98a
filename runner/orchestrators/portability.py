"""Which flavors can honour what: what one cannot is refused, and those that can are named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from runner.errors import EngineError
from runner.orchestrators import registry
from runner.orchestrators.base import BaseOrchestrator, Refusal, Support
from runner.plan.deployment import DeployedStep
from runner.spec.pipeline import IMAGE_DIGESTS

# What a step may ask for, as a path in it → the capability that carries it out.
CAPABILITY = {
    ("resources", "cpu_count"): "cpu",
    ("resources", "memory"): "memory",
    ("resources", "gpu_count"): "gpu",
    ("resources", "gpu_type"): "gpu",
    ("resources", "disk"): "disk",
    ("resources", "shm"): "shm",
    ("retry",): "retry",
    ("timeout",): "timeout",
}
YES = "yes"
OTHER = "-"  # a setting of another flavor

Path = tuple[str, ...]


def cannot_honour(
    orchestrator: BaseOrchestrator,
    steps: Iterable[DeployedStep],
    root: str,
    components: Mapping[str, Mapping[str, Any]] | None = None,
) -> Iterator[Refusal]:
    """What this flavor, set up like this, cannot honour of these steps, with the flavors that can. Pure.

    `root` is the project's root folder, `components` those of the stack: kind → flavor and fields.
    """
    steps = list(steps)
    by_name = {step.name: step for step in steps}
    asked = _Asked(type(orchestrator), root)
    for refusal in [*refusals(orchestrator, steps), *orchestrator.refusals(steps, root)]:
        # `cannot-honour`, `cannot-enforce`: the others are about how this flavor was told, which none helps with.
        about = refusal.code.startswith("cannot-") and refusal.path[:1] == ("steps",)
        step = by_name.get(refusal.path[1]) if about else None
        others = asked.told(step, refusal.path) if step is not None else ""
        yield refusal._replace(help="; ".join(filter(None, (refusal.help, others))) or None)
    if components is not None:
        yield from (found for found in orchestrator.beside(steps, components) if found.path[:1] == ("steps",))


def refusals(orchestrator: BaseOrchestrator, steps: Iterable[DeployedStep]) -> Iterator[Refusal]:
    """What the steps ask for and the flavor's capabilities say it cannot do."""
    can = orchestrator.capabilities_of(orchestrator.settings)
    name = orchestrator.flavor or type(orchestrator).__name__
    missing = {path: capability for path, capability in CAPABILITY.items() if getattr(can, capability) is Support.NO}
    for step in steps if missing else ():
        for path, capability in missing.items():
            if _value(step, path):
                yield Refusal(
                    ("steps", step.name, *path),
                    "cannot-honour",
                    f"step '{step.name}' sets {path[-1]}, which flavor '{name}' cannot honour",
                    orchestrator.advice.get(capability, "leave it out"),
                )


def on_failure(orchestrator: BaseOrchestrator, wanted: str) -> Iterator[Refusal]:
    """What the pipeline wants to happen when a step has failed, where this flavor does not do that."""
    if wanted in orchestrator.on_failure:
        return
    able = [name for name in registry.BUILTINS if wanted in registry.flavor(name).on_failure]
    message = f"the pipeline sets on_failure: {wanted}, which flavor '{orchestrator.flavor}' cannot honour"
    known = " or ".join(orchestrator.on_failure)
    yield Refusal(("on_failure",), "cannot-honour", message, f"set {known}; flavors that can: {', '.join(able)}")


def unreachable_store(
    flavor: type[BaseOrchestrator], name: str, artifact_store: Mapping[str, Any] | None
) -> Refusal | None:
    """A stack whose steps run elsewhere and whose artifacts are in a folder of this machine.

    `name` is the flavor as the stack names it, `artifact_store` the store's fields, None when it is left out. The
    refusal's path leads to the store in the stack's document.
    """
    where = artifact_store.get("flavor") if artifact_store else "local"
    if not flavor.remote or where not in ("local", "memory"):
        return None
    left_out = "" if artifact_store else ", where artifacts go when no artifact_store is named"
    message = f"steps of flavor '{name}' do not run on this machine and cannot reach a folder of it{left_out}"
    return Refusal(("artifact_store",), "unreachable-store", message, f"take one that they can: {_REMOTE_STORES}")


_REMOTE_STORES = "s3, gcs or azure, as in artifact_store: {flavor: s3, path: s3://bucket/prefix}"


def require_available(orchestrator: BaseOrchestrator) -> None:
    """Raise EngineError for a flavor that is checked and planned for, and cannot run anything yet."""
    if not orchestrator.available:
        ready = [name for name in registry.BUILTINS if registry.flavor(name).available]
        verbs = "`validate`, `plan` and `compile`" if orchestrator.compiles else "`validate` and `plan`"
        raise EngineError(
            f"this version of runner cannot run anything on flavor '{orchestrator.flavor}' yet",
            f"{verbs} work with it; flavors that can run now: {', '.join(ready)}",
        )


# -- one pipeline on all flavors ---------------------------------------------------------------------------------------


class Row(NamedTuple):
    """One setting of some steps: its path in a step, its value, and for each flavor who honours it, or `no`."""

    steps: tuple[str, ...]
    setting: Path
    value: Any
    cells: tuple[str, ...]


class Report(NamedTuple):
    """What of a pipeline each flavor honours: `rows` have a cell for each of `flavors`; `refusals` say why not."""

    flavors: tuple[str, ...]
    rows: tuple[Row, ...]
    refusals: tuple[tuple[str, Refusal], ...]
    steps: tuple[str, ...]


def report(
    steps: Iterable[DeployedStep],
    settings_of: Callable[[str, type[BaseOrchestrator]], Mapping[str, Mapping[str, Any]]],
    written: Mapping[str, Mapping[str, Mapping[str, Any]]],
    flavors: Mapping[str, type[BaseOrchestrator]],
    root: str,
) -> Report:
    """What each flavor, with default settings, honours of these steps. Pure.

    `settings_of` gives a flavor's settings of each step with defaults; `written` has the settings that were written:
    step → flavor → setting → value.
    """
    steps = list(steps)
    refused: dict[str, list[Refusal]] = {}
    for name, flavor in flavors.items():
        settings = settings_of(name, flavor)
        own = [step._replace(settings=dict(settings.get(step.name, {}))) for step in steps]
        refused[name] = list(cannot_honour(as_it_comes(flavor), own, root))
    missing = {
        (name, refusal.path[:length])
        for name, found in refused.items()
        for refusal in found
        for length in range(3, len(refusal.path) + 1)
    }
    groups: dict[tuple[Path, str, tuple[str, ...]], tuple[list[str], Any]] = {}
    for step in steps:
        for path, value in _used(step, written.get(step.name, {})):
            cells = tuple(
                "no" if (name, ("steps", step.name, *path)) in missing else _cell(name, flavor, path)
                for name, flavor in flavors.items()
            )
            groups.setdefault((path, repr(value), cells), ([], value))[0].append(step.name)
    rows = tuple(Row(tuple(names), path, value, cells) for (path, _, cells), (names, value) in groups.items())
    told = tuple((name, refusal) for name, found in refused.items() for refusal in found)
    return Report(tuple(flavors), rows, told, tuple(step.name for step in steps))


def as_it_comes(flavor: type[BaseOrchestrator]) -> BaseOrchestrator:
    """A flavor with the defaults of its Settings; those that are required are left unset."""
    return flavor(flavor.Settings.model_construct())


def _used(step: DeployedStep, written: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[Path, Any]]:
    for path in CAPABILITY:
        if value := _value(step, path):
            yield path, value
    for field, value in step.image.items():
        if field not in IMAGE_DIGESTS:
            yield ("settings", "image", field), value
    for flavor, fields in written.items():
        yield from ((("settings", flavor, field), value) for field, value in fields.items())


def _cell(name: str, flavor: type[BaseOrchestrator], path: Path) -> str:
    if path in CAPABILITY:
        can = flavor.capabilities_of(flavor.Settings.model_construct())
        return WORDS[getattr(can, CAPABILITY[path])]
    return YES if path[1] in ("image", name) else OTHER


WORDS = {Support.NATIVE: "native", Support.WORKER: "worker", Support.CONTROLLER: "runner", Support.NO: "no"}


# -- who can -----------------------------------------------------------------------------------------------------------


class _Asked:
    """The built-in flavors but one, asked about a step as they come; each question once."""

    def __init__(self, refusing: type[BaseOrchestrator], root: str) -> None:
        self.refusing = refusing
        self.root = root
        self.answers: dict[tuple[Path, str], list[str]] = {}

    def told(self, step: DeployedStep, path: Path) -> str:
        """Which flavors would not refuse what stands at this path of the step."""
        if path[2:3] == ("settings",) and path[3:4] != ("image",):
            return ""  # a setting of its own means nothing to another flavor
        able = self.able(step, path)
        return f"flavors that can: {', '.join(able)}" if able else "no built-in flavor can"

    def able(self, step: DeployedStep, path: Path) -> list[str]:
        key = (path[2:], repr((step.resources, step.image, step.retry, step.timeout)))
        if key not in self.answers:
            self.answers[key] = [name for name in registry.BUILTINS if self._can(name, step, path)]
        return self.answers[key]

    def _can(self, name: str, step: DeployedStep, path: Path) -> bool:
        flavor = registry.flavor(name)
        if flavor is self.refusing:
            return False
        other = as_it_comes(flavor)
        step = step._replace(settings=flavor.StepSettings().model_dump(mode="json"))
        return all(found.path != path for found in [*refusals(other, [step]), *other.refusals([step], self.root)])


def _value(step: DeployedStep, path: Path) -> Any:
    return step.resources.get(path[1]) if path[0] == "resources" else getattr(step, path[0])

"""Code that steps begin in and that `.dockerignore` keeps from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from runner.images.ignore import decisive
from runner.images.recipe import BAKED, travels
from runner.images.tree import ignored
from runner.orchestrators.base import Refusal
from runner.plan.deployment import DeployedStep
from runner.plan.modules import Modules


def left_out(steps: Iterable[DeployedStep], root: Path) -> Iterator[Refusal]:
    """A refusal for each step whose own module, or a package around it, does not travel with the project's code.

    An image that is ready with its code, or is made from another folder, may have it in itself.
    """
    if not (patterns := ignored(root)):
        return
    modules = Modules(root)
    for step in steps:
        if "context" in step.image or ("image" in step.image and travels(step.image) == BAKED):
            continue
        module = step.entrypoint.partition(":")[0]
        for file in filter(None, map(modules.file, [*modules.packages(module), module])):
            name = file.relative_to(root).as_posix()
            pattern = decisive(name, patterns)
            if pattern is not None and not pattern.takes_back:
                message = f"'{name}', which step '{step.name}' begins in, is left out by .dockerignore"
                help = f"take '{pattern.text}' out of it, line {pattern.line}, or write '!{name}' below that"
                yield Refusal(("steps", step.name, "entrypoint"), "left-out", message, help)
                break

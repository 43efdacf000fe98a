"""Flavor names and where their classes live; nothing is imported before it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runner import plugins

if TYPE_CHECKING:
    from runner.orchestrators.base import BaseOrchestrator

GROUP = "runner.flavors"
BASE = "runner.orchestrators.base:BaseOrchestrator"
BUILTINS = {
    "local": "runner.orchestrators.flavors.local.orchestrator:LocalOrchestrator",
}


def names() -> list[str]:
    """Every flavor that can be named without an import path."""
    return plugins.names(BUILTINS, GROUP)


def flavor(name: str, root: Path | None = None) -> type[BaseOrchestrator]:
    """The class of a flavor; an import path may start at `root`. Raises plugins.UnknownPlugin when there is none."""
    found = plugins.load(name, BUILTINS, GROUP, "orchestrator flavor", root)
    if not (isinstance(found, type) and issubclass(found, plugins.resolve(BASE, "class"))):
        help = "derive it from `runner.orchestrators.base.BaseOrchestrator`"
        raise plugins.UnknownPlugin(f"orchestrator flavor '{name}' is no subclass of BaseOrchestrator", help)
    return found

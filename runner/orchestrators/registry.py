"""Flavor names and where their classes live; nothing is imported before it is asked for."""

from __future__ import annotations

from runner import plugins
from runner.errors import EngineError
from runner.orchestrators.base import BaseOrchestrator

GROUP = "runner.flavors"
BUILTINS = {
    "local": "runner.orchestrators.flavors.local.orchestrator:LocalOrchestrator",
}


def names() -> list[str]:
    """Every flavor that can be named without an import path."""
    return plugins.names(BUILTINS, GROUP)


def flavor(name: str) -> type[BaseOrchestrator]:
    """The class of a flavor. Raises plugins.UnknownPlugin, or EngineError when it is no BaseOrchestrator."""
    found = plugins.load(name, BUILTINS, GROUP, "orchestrator flavor")
    if not (isinstance(found, type) and issubclass(found, BaseOrchestrator)):
        raise EngineError(f"orchestrator flavor '{name}' is no subclass of BaseOrchestrator")
    return found

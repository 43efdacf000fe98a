"""Integrations as tables: what they are for, what they need, and what of it is there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from runner.integrations import INTEGRATIONS, Needed
from runner.report.words import table


def integrations_table(found: Mapping[str, Iterable[Needed]], width: int) -> str:
    """A line for each distribution of each integration."""
    rows = []
    for name, distributions in found.items():
        title, served = name, serves(name)
        for each in distributions:
            rows.append((title, served, each.requirement, each.installed or "-", each.state))
            title = served = ""
    return table(("name", "for", "needs", "installed", "state"), rows, width=width, gives_way=("for",))


def serves(name: str) -> str:
    """What an integration is for, in words: `orchestrator kubernetes`."""
    return ", ".join(f"{kind.replace('_', ' ')} {flavor}" for kind, flavor in INTEGRATIONS[name].serves)


def integrations_facts(found: Mapping[str, Iterable[Needed]]) -> list[dict[str, Any]]:
    """The same as plain data."""
    return [
        {
            "name": name,
            "for": [{"kind": kind, "flavor": flavor} for kind, flavor in INTEGRATIONS[name].serves],
            "needs": [each._asdict() for each in distributions],
        }
        for name, distributions in found.items()
    ]

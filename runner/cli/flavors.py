"""`runner flavors`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runner.cli.options import echo_json, examples, format_option
from runner.errors import UsageError
from runner.orchestrators import registry
from runner.orchestrators.base import BaseOrchestrator, Support
from runner.plugins import UnknownPlugin
from runner.project import find_project
from runner.report.words import table
from runner.spec.common import Spec
from runner.spec.pipeline import NOT_YET

BY = {
    Support.NATIVE: "the engine",
    Support.WORKER: "the step's own process",
    Support.CONTROLLER: "runner",
    Support.NO: "not supported",
}


@click.command(epilog=examples("runner flavors", "runner flavors local", "runner flavors local --format json"))
@click.argument("name", required=False)
@format_option("text", "json")
def flavors(name: str | None, format_: str) -> None:
    """Show the orchestrator flavors, or one's settings and what it can do.

    A flavor is a kind of engine that runs steps. A stack names one in `orchestrator`: a built-in one, one of an
    installed package, or a class of your own as `package.module:ClassName`.
    """
    names = [name] if name else registry.names()
    facts = {each: _facts(_flavor(each)) for each in names}
    if format_ == "json":
        echo_json(facts[name] if name else facts)
    elif name:
        print("\n\n".join(_sections(name, facts[name])))
    else:
        print(table(("flavor", "what it is"), [(each, fact["help"]) for each, fact in facts.items()]))


def _flavor(name: str) -> type[BaseOrchestrator]:
    try:
        return registry.flavor(name, find_project(Path.cwd()).root)
    except UnknownPlugin as error:
        raise UsageError(error.message, error.help) from error


def _facts(flavor: type[BaseOrchestrator]) -> dict[str, Any]:
    return {
        "help": (flavor.__doc__ or "").strip().partition("\n")[0],
        "settings": _fields(flavor.Settings),
        "step_settings": _fields(flavor.StepSettings),
        "capabilities": {name: str(support) for name, support in flavor.capabilities._asdict().items()},
    }


def _fields(model: type[Spec]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = model.model_json_schema().get("properties", {})
    return {name: {key: value for key, value in field.items() if key != "title"} for name, field in found.items()}


def _sections(name: str, facts: dict[str, Any]) -> list[str]:
    parts = [f"{name}: {facts['help']}"]
    for title, key in (("its settings in a stack", "settings"), (f"settings.{name} of a step", "step_settings")):
        if facts[key]:
            rows = [
                (field, str(about.get("default", "-")), about.get("description", ""))
                for field, about in facts[key].items()
            ]
            parts.append(f"{title}\n{table(('name', 'default', 'meaning'), rows)}")
    can = [(what, _by(what, Support(support))) for what, support in facts["capabilities"].items()]
    parts.append("what it can do, and who does it\n" + table(("capability", "by"), can))
    return parts


def _by(capability: str, support: Support) -> str:
    not_yet = any(capability in words for words in NOT_YET.values())
    return "not supported yet" if not_yet else BY[support]

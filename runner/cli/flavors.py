"""`runner flavors`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from runner.cli.options import echo_json, examples, format_option
from runner.cli.output import columns
from runner.errors import UsageError
from runner.orchestrators import registry
from runner.orchestrators.base import BaseOrchestrator
from runner.plugins import UnknownPlugin
from runner.project import find_project
from runner.project.components import flavor_names
from runner.report.flavors import flavor_text, flavors_text
from runner.spec.common import Spec
from runner.spec.pipeline import NOT_YET
from runner.spec.stack import COMPONENT_KINDS


@click.command(
    epilog=examples("runner flavors", "runner flavors kubernetes", "runner flavors kubernetes --format json")
)
@click.argument("name", required=False)
@format_option("text", "json")
def flavors(name: str | None, format_: str) -> None:
    """Show the orchestrator flavors and what each can do, or one's settings too.

    A flavor is a kind of engine that runs steps. A stack names one in `orchestrator`: a built-in one, one of an
    installed package, or a class of your own as `package.module:ClassName`.
    """
    names = [name] if name else registry.in_order()
    facts = {each: _facts(_flavor(each)) for each in names}
    if format_ == "json":
        echo_json(facts[name] if name else facts)
    elif name:
        print(flavor_text(name, facts[name], columns(sys.stdout)))
    else:
        print(flavors_text(facts))


def _flavor(name: str) -> type[BaseOrchestrator]:
    try:
        return registry.flavor(name, find_project(Path.cwd()).root)
    except UnknownPlugin as error:
        for kind in COMPONENT_KINDS[1:]:
            if name in flavor_names(kind) and name not in registry.names():
                verb = kind.replace("_", "-")
                help = f"its fields: runner {verb} register NAME --flavor={name} --help"
                raise UsageError(f"'{name}' is no orchestrator flavor but one of {verb}s", help) from error
        raise UsageError(error.message, error.help) from error


def _facts(flavor: type[BaseOrchestrator]) -> dict[str, Any]:
    capabilities = {name: str(support) for name, support in flavor.capabilities._asdict().items()}
    return {
        "help": (flavor.__doc__ or "").strip().partition("\n")[0],
        "available": flavor.available,
        "compiles": flavor.compiles,
        "remote": flavor.remote,
        "traits": flavor.traits._asdict(),
        "settings": _fields(flavor.Settings),
        "step_settings": _fields(flavor.StepSettings),
        "capabilities": capabilities,
        "not_yet": [name for name in capabilities if any(name in words for words in NOT_YET.values())],
    }


def _fields(model: type[Spec]) -> dict[str, dict[str, Any]]:
    schema = model.model_json_schema()
    found: dict[str, dict[str, Any]] = schema.get("properties", {})
    return {
        name: {
            "type": _type(field),
            "required": name in schema.get("required", ()),
            **{key: value for key, value in field.items() if key not in ("title", "type")},
        }
        for name, field in found.items()
    }


def _type(field: Mapping[str, Any]) -> str:
    """A field's type in a word or two, from its schema."""
    if "enum" in field or "const" in field:
        return " or ".join(map(str, field.get("enum", [field.get("const")])))
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_type(part) for part in field["anyOf"] if part.get("type") != "null"))
    if "$ref" in field:
        return "mapping"
    return _TYPES.get(field.get("type", ""), "anything")


_TYPES: Mapping[str, str] = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "mapping",
}

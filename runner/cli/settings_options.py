"""A flavor's Settings as options of a command: `--kubernetes_context`, with its type, default and help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from runner.errors import UsageError
from runner.plugins import UnknownPlugin
from runner.project.components import flavor_names, settings_of
from runner.project.folder import find_project
from runner.project.typed import typed
from runner.spec.common import Spec

PREFIX = "setting_"  # of the parameters' names: a field may have the name of one of the command's own options


class SettingsCommand(click.Command):
    """A command of one kind of component whose options are those of the flavor on its command line.

    `flavor_of` says which flavor that is, from the arguments as they were typed; None when they do not tell.
    """

    kind = ""
    required = True

    def flavor_of(self, arguments: Sequence[str]) -> str | None:
        """The flavor that these arguments are about."""
        return option_value(arguments, "--flavor", "-f")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        self.params = [each for each in self.params if not (each.name or "").startswith(PREFIX)]
        flavor = self.flavor_of(args)
        if flavor is None and self.required and not {"-h", "--help"}.intersection(args) and not ctx.resilient_parsing:
            raise UsageError("say which flavor it is: --flavor=…", f"known: {', '.join(flavor_names(self.kind))}")
        if flavor:
            self.params += options_of(_settings(self.kind, flavor), required=self.required)
        return super().parse_args(ctx, args)


def _settings(kind: str, flavor: str) -> type[Spec]:
    try:
        return settings_of(kind, flavor, find_project(Path.cwd()))
    except UnknownPlugin as error:
        raise UsageError(error.message, error.help) from error


def options_of(settings: type[Spec], *, required: bool) -> list[click.Parameter]:
    """An option for each field, spelled as in a document or with dashes."""
    schema = settings.model_json_schema().get("properties", {})
    return [
        click.Option(
            list(dict.fromkeys([f"{PREFIX}{name}", f"--{name}", f"--{name.replace('_', '-')}"])),
            metavar=_metavar(schema.get(name, {})),
            help=_help(field.description or "", schema.get(name, {}))
            # Not told by click, which names the first one that is missing and no other.
            + ("  [required]" if required and field.is_required() else ""),
        )
        for name, field in settings.model_fields.items()
    ]


def given_fields(settings: type[Spec], options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that were given as options, as values of the types that the Settings take."""
    given = {
        name.removeprefix(PREFIX): text
        for name, text in options.items()
        if name.startswith(PREFIX) and text is not None
    }
    return {name: typed(settings, name, text) for name, text in given.items()}


def option_value(arguments: Sequence[str], *names: str) -> str | None:
    """The value of an option among arguments that nobody has parsed yet."""
    for place, argument in enumerate(arguments):
        for name in names:
            if argument == name:
                return arguments[place + 1] if place + 1 < len(arguments) else None
            if name.startswith("--") and argument.startswith(f"{name}="):
                return argument.partition("=")[2]
    return None


def flavors(kind: str) -> Any:
    """What a shell completes after `--flavor`."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        return [name for name in flavor_names(kind) if name.startswith(incomplete)]

    return complete


def _metavar(field: Mapping[str, Any]) -> str:
    kinds = [field, *field.get("anyOf", ())]
    if choices := next((kind["enum"] for kind in kinds if "enum" in kind), None):
        return "|".join(map(str, choices))
    words = {"integer": "N", "number": "N", "boolean": "true|false", "array": "A,B", "object": "{K: V}"}
    return next((words[kind["type"]] for kind in kinds if kind.get("type") in words), "TEXT")


def _help(description: str, field: Mapping[str, Any]) -> str:
    default = field.get("default")
    return description if default in (None, "", [], {}) else f"{description}  [default: {default}]"

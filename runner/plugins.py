"""One door for every extension: a literal table of built-ins, then installed entry points, then import paths."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from runner.errors import RunnerError, nearest


class UnknownPlugin(RunnerError):
    """No built-in, no entry point, no importable path has this name."""

    exit_code = 3


def names(builtins: Mapping[str, str], group: str) -> list[str]:
    """Every name that `load` knows: built-ins and entry points of `group`, in order."""
    return sorted({*builtins, *_entry_points(group)})


def load(name: str, builtins: Mapping[str, str], group: str, noun: str) -> Any:
    """The object behind a name: a built-in, an entry point of `group`, or `package.module:attribute`.

    Raises UnknownPlugin that says what was looked for.
    """
    if target := builtins.get(name):
        return _import(target, noun)
    if ":" in name:
        return _import(name, noun)
    if entry := _entry_points(group).get(name):
        return _import(entry, noun)
    guess = nearest(name, known := names(builtins, group))
    raise UnknownPlugin(
        f"unknown {noun} '{name}'",
        (f"did you mean '{guess}'? " if guess else "") + f"installed: {', '.join(known)}",
    )


def _import(target: str, noun: str) -> Any:
    module_name, _, attribute = target.partition(":")
    try:
        return getattr(import_module(module_name), attribute)
    except ModuleNotFoundError as error:
        raise UnknownPlugin(f"{noun} '{target}' cannot be imported: there is no module '{error.name}'") from error
    except AttributeError as error:
        raise UnknownPlugin(f"{noun} '{target}' cannot be imported: '{module_name}' has no '{attribute}'") from error


def _entry_points(group: str) -> dict[str, str]:
    from importlib.metadata import entry_points  # a tenth of a second on large environments: only for unknown names

    return {entry.name: entry.value for entry in entry_points(group=group)}

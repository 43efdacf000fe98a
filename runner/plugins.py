"""One door for every extension: a literal table of built-ins, then installed entry points, then import paths."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from runner.errors import RunnerError, nearest


class UnknownPlugin(RunnerError):
    """No built-in, no entry point, no importable path has this name, or what has it is something else."""

    exit_code = 3


def names(builtins: Mapping[str, str], group: str) -> list[str]:
    """Every name that `load` knows: built-ins and entry points of `group`, in order."""
    return sorted({*builtins, *_entry_points(group)})


def load(name: str, builtins: Mapping[str, str], group: str, noun: str, root: Path | None = None) -> Any:
    """The object behind a name: a built-in, an entry point of `group`, or `package.module:attribute`.

    Import paths are looked for among what is installed, then from `root`. Raises UnknownPlugin that says what was
    looked for.
    """
    if target := builtins.get(name):
        return resolve(target, noun)
    if ":" in name:
        if root is not None and str(root) not in sys.path:
            sys.path.append(str(root))  # it stays, for what the plugin imports later; last, so that it hides nothing
        return resolve(name, noun)
    if entry := _entry_points(group).get(name):
        return resolve(entry, noun)
    guess = nearest(name, known := names(builtins, group))
    raise UnknownPlugin(
        f"unknown {noun} '{name}'",
        (f"did you mean '{guess}'? " if guess else "") + f"installed: {', '.join(known)}",
    )


def resolve(target: str, noun: str) -> Any:
    """The object at an import path. Raises UnknownPlugin that says what is missing."""
    module_name, _, attribute = target.partition(":")
    module = _module(module_name, f"{noun} '{target}' cannot be imported")
    if not hasattr(module, attribute):
        guess = nearest(attribute, (name for name in vars(module) if not name.startswith("_")))
        raise UnknownPlugin(
            f"{noun} '{target}' cannot be imported: '{module_name}' has no '{attribute}'",
            f"did you mean '{module_name}:{guess}'?" if guess else f"define it in '{module_name}'",
        )
    return getattr(module, attribute)


def _module(name: str, failed: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        own = f"{name}.".startswith(f"{error.name}.")
        help = "it is looked for from the project's root and among what is installed" if own else f"'{name}' imports it"
        raise UnknownPlugin(f"{failed}: there is no module '{error.name}'", help) from error
    except (Exception, SystemExit) as error:  # whatever the user's own module does while it is imported
        raise UnknownPlugin(f"{failed}: {type(error).__name__}: {error}", f"look at {_place(error)}") from error


def _place(error: BaseException) -> str:
    import traceback  # only for the mistake

    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}:{frame.lineno}"


def _entry_points(group: str) -> dict[str, str]:
    from importlib.metadata import entry_points  # a tenth of a second on large environments: only for unknown names

    return {entry.name: entry.value for entry in entry_points(group=group)}

"""Entrypoints as functions: modules imported from the project's root, or what is wrong with them. Runs their code."""

from __future__ import annotations

import contextlib
import importlib
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from runner.errors import nearest

Wrong = tuple[str, str, str | None]
"""Code, message and help of a problem."""
MODULE_CODES = frozenset({"unknown-module", "import-failed"})


def import_all(entrypoints: Iterable[str], root: Path) -> dict[str, Callable[..., Any] | Wrong]:
    """Entrypoint → its function, or what is wrong; each module is imported once. What it prints goes to stderr."""
    modules: dict[str, ModuleType | Wrong] = {}
    found: dict[str, Callable[..., Any] | Wrong] = {}
    with _first_on_path(root), contextlib.redirect_stdout(sys.stderr):
        for entrypoint in dict.fromkeys(entrypoints):
            name, _, attribute = entrypoint.partition(":")
            if name not in modules:
                modules[name] = _import(name, root)
            module = modules[name]
            found[entrypoint] = module if isinstance(module, tuple) else _function(module, name, attribute)
    return found


@contextlib.contextmanager
def _first_on_path(root: Path) -> Iterator[None]:
    before = list(sys.path)
    sys.path.insert(0, str(root.resolve()))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before


def _function(module: ModuleType, name: str, attribute: str) -> Callable[..., Any] | Wrong:
    if not hasattr(module, attribute):
        functions = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        word = nearest(attribute, functions)
        known = f"it has: {', '.join(functions[:12])}" if functions else "it has no functions"
        return "unknown-function", f"module '{name}' has no '{attribute}'", f"did you mean '{word}'?" if word else known
    function = getattr(module, attribute)
    if not callable(function):
        message = f"'{name}:{attribute}' is no function: it is of type '{type(function).__name__}'"
        return "not-callable", message, "name a function of that module"
    return function  # type: ignore[no-any-return]


def _import(module: str, root: Path) -> ModuleType | Wrong:
    try:
        return importlib.import_module(module)
    except KeyboardInterrupt:
        raise
    except SystemExit as error:
        message = f"importing '{module}' ended the program: it calls sys.exit({error.code!r})"
        return "import-failed", message, _help(error, root, "put that under `if __name__ == '__main__':`")
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}."):
            return "unknown-module", f"there is no module '{error.name}'", _instead(error.name, root)
        line = traceback.format_exception_only(error)[-1].strip()
        return "import-failed", f"importing '{module}' failed: {line}", _help(error, root, _missing(error, root))


def _missing(error: BaseException, root: Path) -> str | None:
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    top = error.name.partition(".")[0]
    own = (root / top).exists() or (root / f"{top}.py").exists()
    return _instead(error.name, root) if own else "install it into this environment"


def _help(error: BaseException, root: Path, advice: str | None) -> str | None:
    place = _place(error, root)
    return ": ".join(part for part in (f"at {place}" if place else None, advice) if part) or None


def _place(error: BaseException, root: Path) -> str | None:
    """The innermost line of the project's own code, `steps/load.py:12`."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_shown(error.filename, root)}:{error.lineno}"
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename, root)]
    return f"{_shown(own[-1].filename, root)}:{own[-1].lineno}" if own else None


def _is_own(file: str, root: Path) -> bool:
    return Path(file).is_relative_to(root.resolve()) and "site-packages" not in Path(file).parts


def _shown(file: str, root: Path) -> str:
    return str(Path(file).relative_to(root.resolve())) if Path(file).is_relative_to(root.resolve()) else file


def _instead(missing: str, root: Path) -> str:
    """What there is in the folder where the module was looked for."""
    *packages, last = missing.split(".")
    found = [path for path in root.joinpath(*packages).glob("[!_.]*") if path.suffix == ".py" or path.is_dir()]
    names = sorted({path.stem for path in found if path.stem.isidentifier()})
    if word := nearest(last, names):
        return f"did you mean '{'.'.join([*packages, word])}'?"
    folder = "/".join(packages) or "the project's root"
    return f"looked for from the project's root; in {folder}: {', '.join(names[:12]) or 'no modules'}"

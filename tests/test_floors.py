"""A room imports rooms below it only, siblings do not know each other, and no imports go in a circle."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = [
    {"errors", "checks", "spec", "records", "processes"},
    {"document", "plan", "plugins", "integrations", "docker_engine", "requirements"},
    {"validate", "run_store", "catalog", "artifact_store", "secret_store", "images", "report", "orchestrators"},
    {"project", "engine", "worker", "testing"},
    {"scheduler", "web"},
    {"cli"},
]
# Who may know a neighbour, and why.
NEIGHBOURS = {
    ("engine", "project"): "the engine's verbs begin with a project",
    ("testing", "engine"): "the suite opens a stack as the engine does",
}
THIRD_PARTY = {
    "pydantic": {"spec", "document", "validate", "plan", "orchestrators", "project", "artifact_store"},
    "ruamel": {"document"},
    "_ruamel_yaml": {"document"},
    "jsonschema": {"validate"},
    "click": {"cli"},
    "rich": {"cli"},
    "sqlite3": {"run_store", "catalog"},
    "cloudpickle": {"artifact_store"},
    "packaging": {"orchestrators", "integrations", "requirements"},
}
LEAN = (
    "worker",
    "artifact_store",
    "secret_store",
    "records",
    "errors",
    "processes",
    "checks",
    "integrations",
    "docker_engine",
    "requirements",
    "plan.deployment",
    "plan.fingerprint",
    "plan.secrets",
)
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "runner").rglob("*.py"))
    if "template" not in path.parts
}


def _imports(module: str) -> list[tuple[str, bool]]:
    """Every module that a module imports, and whether it does so inside a function."""
    tree = ast.parse(MODULES[module].read_text("utf-8"))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    found = []
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in names]
        found += [(name, id(node) in inside) for name in names]
    return found


def _room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def _floor(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


@pytest.mark.parametrize("module", [name for name in MODULES if _room(name) and not name.endswith("__main__")])
def test_imports_go_down(module: str) -> None:
    room = _room(module)
    for name, _ in _imports(module):
        other = _room(name) if name.startswith("runner.") else ""
        if not other or other == room:
            continue
        down = _floor(other) < _floor(room)
        assert down or (room, other) in NEIGHBOURS, f"{module} ({room}) may not import {name} ({other})"


@pytest.mark.parametrize("module", list(MODULES))
def test_third_party_packages_stay_in_their_rooms(module: str) -> None:
    for name, _ in _imports(module):
        rooms = THIRD_PARTY.get(name.split(".")[0])
        assert rooms is None or _room(module) in rooms, f"{module} may not import {name}"


@pytest.mark.parametrize("module", [m for m in MODULES if m.removeprefix("runner.").startswith(LEAN)])
def test_what_a_worker_loads_needs_the_standard_library_only(module: str) -> None:
    for name, inside in _imports(module):
        top = name.split(".")[0]
        assert inside or top == "runner" or top in __import__("sys").stdlib_module_names, f"{module} imports {name}"


@pytest.mark.parametrize("flavor", [m for m in MODULES if m.startswith("runner.orchestrators.flavors.")])
def test_a_flavor_knows_the_contract_and_no_other_flavor(flavor: str) -> None:
    own = ".".join(flavor.split(".")[:4])
    for name, _ in _imports(flavor):
        if name.startswith("runner.orchestrators.flavors."):
            assert name.startswith(own), f"{flavor} imports the flavor {name}"
        assert _room(name) not in ("run_store", "engine", "project"), f"{flavor} imports {name}"


def test_no_circles() -> None:
    graph = {module: {name for name, _ in _imports(module) if name in MODULES and name != module} for module in MODULES}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"imports go in a circle: {' → '.join((*path[path.index(module) :], module))}"
        if module in done:
            return
        for name in graph[module]:
            visit(name, (*path, module))
        done.add(module)

    for module in MODULES:
        visit(module, ())

"""Names of extensions: built-in, installed, or an import path."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.plugins import UnknownPlugin, load, names

BUILTINS = {"join": "os.path:join"}
GROUP = "runner.tests.plugins"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """Write a module that is found from the project's root only; gives its name."""
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
        return name

    return write


def told(name: str, root: Path | None = None) -> tuple[str, str | None]:
    with pytest.raises(UnknownPlugin) as caught:
        load(name, BUILTINS, GROUP, "thing", root)
    return caught.value.message, caught.value.help


def install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution with an entry point, as pip would leave it in a folder."""
    info = folder / "plugins_of_ours-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugins-of-ours\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nsplit = os.path:split\n")
    monkeypatch.syspath_prepend(str(folder))


def test_a_builtin_by_its_name() -> None:
    import os.path

    assert load("join", BUILTINS, GROUP, "thing") is os.path.join


def test_an_import_path() -> None:
    assert load("json:dumps", BUILTINS, GROUP, "thing").__name__ == "dumps"


def test_an_entry_point_of_an_installed_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch)
    assert load("split", BUILTINS, GROUP, "thing").__name__ == "split"
    assert names(BUILTINS, GROUP) == ["join", "split"]


def test_an_import_path_from_the_projects_root(tmp_path: Path, module: Callable[[str, str], str]) -> None:
    name = module("plugin_in_root", "class Mine: ...\n")
    assert load(f"{name}:Mine", BUILTINS, GROUP, "thing", tmp_path).__name__ == "Mine"
    assert sys.path[-1] == str(tmp_path)  # behind all that is installed


def test_the_root_is_added_once(tmp_path: Path, module: Callable[[str, str], str]) -> None:
    name = module("plugin_twice", "class Mine: ...\n")
    for _ in range(2):
        load(f"{name}:Mine", BUILTINS, GROUP, "thing", tmp_path)
    assert sys.path.count(str(tmp_path)) == 1


def test_an_unknown_name_is_told_the_nearest() -> None:
    assert told("jion") == ("unknown thing 'jion'", "did you mean 'join'? installed: join")
    assert told("xyz") == ("unknown thing 'xyz'", "installed: join")


def test_a_module_that_is_not_there() -> None:
    message, help = told("no_such_module_of_ours:X")
    assert message == "thing 'no_such_module_of_ours:X' cannot be imported: there is no module 'no_such_module_of_ours'"
    assert help == "it is looked for from the project's root and among what is installed"


def test_a_module_that_imports_what_is_not_there(tmp_path: Path, module: Callable[[str, str], str]) -> None:
    name = module("plugin_needs", "import no_such_sdk\n")
    message, help = told(f"{name}:X", tmp_path)
    assert message.endswith("there is no module 'no_such_sdk'")
    assert help == "'plugin_needs' imports it"


def test_a_module_without_that_name(tmp_path: Path, module: Callable[[str, str], str]) -> None:
    name = module("plugin_names", "class Orchestrator: ...\n_hidden = 1\n")
    assert told(f"{name}:Orchestrater", tmp_path)[1] == "did you mean 'plugin_names:Orchestrator'?"
    assert told(f"{name}:Xyz", tmp_path)[1] == "define it in 'plugin_names'"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("x = 1\nraise RuntimeError('boo')\n", 2, "RuntimeError: boo"),
        ("x = (\n", 1, "SyntaxError: '(' was never closed"),
        ("import sys\nsys.exit(3)\n", 2, "SystemExit: 3"),
        ("import os\nos.nothing\n", 2, "AttributeError: module 'os' has no attribute 'nothing'"),
    ],
)
def test_a_module_that_breaks_while_it_is_imported(
    tmp_path: Path, module: Callable[[str, str], str], text: str, line: int, said: str
) -> None:
    name = module("plugin_broken", text)
    message, help = told(f"{name}:X", tmp_path)
    assert said in message
    assert help == f"look at {tmp_path / 'plugin_broken.py'}:{line}"

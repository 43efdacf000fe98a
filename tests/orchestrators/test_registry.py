"""Flavors by name: built-in, installed, or by import path."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runner.orchestrators import registry
from runner.orchestrators.base import BaseOrchestrator
from runner.plugins import UnknownPlugin

ORCHESTRATOR = """
from runner.orchestrators.base import BaseOrchestrator
class Installed(BaseOrchestrator):
    flavor = "installed"

    def prepare_or_run_pipeline(self, deployment, stack):
        yield from ()
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution that brings a flavor, as pip would leave it in a folder on the path."""
    info = tmp_path / "a_flavor_of_ours-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: a-flavor-of-ours\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{registry.GROUP}]\nours = a_flavor_of_ours:Installed\nodd = json:dumps\n")
    (tmp_path / "a_flavor_of_ours.py").write_text(ORCHESTRATOR)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "a_flavor_of_ours", raising=False)


@pytest.mark.parametrize("name", registry.BUILTINS)
def test_every_builtin_loads_and_knows_its_name(name: str) -> None:
    assert registry.flavor(name).flavor == name


def test_an_installed_flavor_is_found_by_its_entry_point(installed: None) -> None:
    assert registry.flavor("ours").flavor == "installed"
    assert {"local", "ours"} <= set(registry.names())


def test_an_import_path_from_the_projects_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "flavor_in_root.py").write_text(ORCHESTRATOR)
    assert issubclass(registry.flavor("flavor_in_root:Installed", tmp_path), BaseOrchestrator)


@pytest.mark.parametrize("name", ["odd", "json:dumps", "json:JSONDecoder"])
def test_what_is_no_orchestrator_is_refused(installed: None, name: str) -> None:
    with pytest.raises(UnknownPlugin, match="is no subclass of BaseOrchestrator") as caught:
        registry.flavor(name)
    assert caught.value.help == "derive it from `runner.orchestrators.base.BaseOrchestrator`"


def test_nothing_heavy_is_imported_before_it_is_asked_for() -> None:
    code = "import sys, runner.orchestrators.registry; sys.exit('runner.orchestrators.flavors' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

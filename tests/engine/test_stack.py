"""From an artifact store's settings to a stack in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.engine.stack import open_stack
from runner.errors import StateError


def test_a_new_run_has_no_done_steps(tmp_path: Path) -> None:
    stack = open_stack({"flavor": "local", "path": str(tmp_path)}, tmp_path)
    assert (stack.done, stack.folder, stack.ledger.settings["path"]) == (None, tmp_path, str(tmp_path))


def test_an_unknown_flavor_is_named(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="'floppy'"):
        open_stack({"flavor": "floppy"}, tmp_path)

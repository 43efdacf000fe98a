"""From an artifact store's settings to a stack in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.engine.stack import open_stack
from runner.errors import RunnerError


def test_a_new_run_has_no_done_steps(tmp_path: Path) -> None:
    stack = open_stack({"flavor": "local", "path": str(tmp_path)}, tmp_path)
    assert (stack.done, stack.folder, stack.ledger.settings["path"]) == (None, tmp_path, str(tmp_path))


def test_an_unknown_flavor_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match="'floppy'"):
        open_stack({"flavor": "floppy"}, tmp_path)


def test_a_store_with_a_secret_reads_it_from_the_stacks_secret_store(
    s3_settings: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "secrets.env").write_text("KEY_IN_FILE=something\n")
    (tmp_path / "secrets.env").chmod(0o600)
    fields = s3_settings | {"access_key_id": "an-id", "secret_access_key": "${secrets.KEY_IN_FILE}"}
    secret_store = {"flavor": "file", "path": "secrets.env"}
    stack = open_stack(fields, tmp_path, secret_store=secret_store, root=str(tmp_path))
    assert stack.ledger.run_ids() == []
    assert stack.ledger.settings["secret_access_key"] == "${secrets.KEY_IN_FILE}"
    with pytest.raises(RunnerError, match="KEY_IN_FILE"):
        open_stack(fields, tmp_path).ledger.run_ids()

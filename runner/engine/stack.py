"""What an orchestrator is given to work with: the ledger, the state folder, and what is finished already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from runner.artifact_store.ledger import Ledger
from runner.artifact_store.stores import open_store
from runner.records import Artifact
from runner.secret_store.stores import secrets_of


class OpenStack(NamedTuple):
    """A stack in use. `done` is None for a new run: then nobody has to look for what an earlier walk left."""

    ledger: Ledger
    folder: Path
    done: Mapping[str, Mapping[str, Artifact]] | None = None
    secret: Callable[[str], str] = secrets_of({})


def open_stack(
    artifact_store: dict[str, Any],
    folder: Path,
    done: Mapping[str, Mapping[str, Artifact]] | None = None,
    *,
    secret_store: dict[str, Any] | None = None,
    root: str = "",
) -> OpenStack:
    """Open the artifact store of a stack. Raises StoreError when it cannot be.

    `secret_store` is where the references to secrets in the settings of the store, and of the orchestrator, are looked
    up as they connect; `root` the project's folder.
    """
    secret = secrets_of(secret_store or {}, root)
    return OpenStack(Ledger(open_store(artifact_store, secret)), folder, done, secret)

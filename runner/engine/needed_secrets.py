"""Secrets that are looked for before anything starts, where that is a look at this machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from runner.orchestrators.base import BaseOrchestrator, Refusal
from runner.plan.deployment import DeployedStep
from runner.plan.secrets import secret_names
from runner.secret_store.base import SecretStoreError
from runner.secret_store.stores import secrets_of

HERE = ("env", "file")
"""Stores that are asked without a network. Steps that run elsewhere may have another environment and other files."""


def missing_secrets(
    orchestrator: BaseOrchestrator, secret_store: Mapping[str, Any], root: str, steps: Iterable[DeployedStep]
) -> Iterator[Refusal]:
    """A refusal for each value of a step that names a secret which cannot be had, where that can be known here.

    `root` is the project's folder.
    """
    if orchestrator.remote or secret_store.get("flavor", "env") not in HERE:
        return
    secret = secrets_of(secret_store, root)
    for step in steps:
        for part, values in (("parameters", step.parameters), ("environment", step.environment)):
            for key, value in values.items():
                for name in secret_names(value):
                    try:
                        secret(name)
                    except SecretStoreError as error:
                        yield Refusal(("steps", step.name, part, key), "no-secret", error.message, error.help)

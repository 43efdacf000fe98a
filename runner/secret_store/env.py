"""Secrets as environment variables of whoever runs the step."""

from __future__ import annotations

import os

from runner.secret_store.base import SecretMissing, SecretStore


class EnvSecretStore(SecretStore):
    """`TOKEN` is the variable TOKEN, with `prefix` before it."""

    def get(self, name: str) -> str:
        variable = f"{self.settings.get('prefix', '')}{name}"
        value = os.environ.get(variable)
        if value is None:
            where = f"the secret store is the environment, which has no variable {variable}"
            raise SecretMissing(name, where, f"set it before the command: {variable}=…")
        return value

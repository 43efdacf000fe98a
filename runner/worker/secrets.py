"""Where references in a job become values: secrets and the run id, inside the step's own process."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

# One `$` is a reference; of several one is taken away, which is how a text says that it is none.
_REFERENCE = re.compile(r"(\$+)\{(?:(secrets)\.([A-Za-z_][A-Za-z0-9_]*)|run\.id)\}")


class SecretMissing(Exception):
    """A secret that the job names is not in the secret store."""


class Resolver:
    """Fills in `${secrets.NAME}` and `${run.id}`; remembers the values of secrets so that they can be masked."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.secrets: set[str] = set()
        self.on_secret: Callable[[], None] | None = None

    def fill(self, value: Any) -> Any:
        """A copy of a JSON value with every reference in its strings replaced; `$${run.id}` becomes `${run.id}`."""
        if isinstance(value, str):
            return _REFERENCE.sub(self._replacement, value) if "${" in value else value
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        return value

    def mask(self, text: str) -> str:
        """The text without any secret's value."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _replacement(self, match: re.Match[str]) -> str:
        dollars, kind, name = match.groups()
        if len(dollars) > 1:
            return match[0][1:]
        if kind is None:
            return self.run_id
        if (value := os.environ.get(name)) is None:
            raise SecretMissing(
                f"secret '{name}' is not set: the secret store is the environment, which has no variable {name}"
            )
        if value:
            self.secrets.add(value)
            if self.on_secret is not None:
                self.on_secret()
        return value

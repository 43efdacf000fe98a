"""Where references in a job become values: secrets and the run id, inside the step's own process."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from runner.plan.deployment import StepJob
from runner.plan.secrets import REFERENCE
from runner.secret_store.stores import secrets_of


class Resolver:
    """Fills in `${secrets.NAME}` and `${run.id}`, and knows in which forms the values of secrets must not be seen.

    Secrets come from the store of these settings (the environment for none), which is opened when the first is asked
    for; each is fetched once. `on_secret` is called when `secrets`, the forms, has grown, before a value is handed on.
    """

    def __init__(self, run_id: str = "", settings: Mapping[str, Any] | None = None, root: str = "") -> None:
        self.run_id = run_id
        self.secrets: set[str] = set()
        self.on_secret: Callable[[], None] | None = None
        self._store = (settings or {}, root)
        self._look_up = secrets_of(*self._store)
        self._known: set[str] = set()

    def begin(self, job: StepJob) -> Resolver:
        """Turn to a job. What was fetched for an earlier one is kept when its store is the same; all stays masked."""
        self.run_id = job.run_id
        if self._store != (job.secret_store, job.project):
            self._store = (job.secret_store, job.project)
            self._look_up = secrets_of(*self._store)
        return self

    def secret(self, name: str) -> str:
        """The value of a secret. Raises SecretStoreError."""
        value = self._look_up(name)
        if value and value not in self._known:
            from runner.worker.masking import forms_of  # most steps have no secret

            self._known.add(value)
            self.secrets |= forms_of(value)
            if self.on_secret is not None:
                self.on_secret()
        return value

    def fill(self, value: Any) -> Any:
        """A copy of a JSON value with every reference in its strings replaced; `$${run.id}` becomes `${run.id}`."""
        if isinstance(value, str):
            return REFERENCE.sub(self._replacement, value) if "${" in value else value
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        return value

    def mask(self, text: str) -> str:
        """The text without any secret's value."""
        if not self.secrets:
            return text
        from runner.worker.masking import masked

        return masked(text, self.secrets)

    def _replacement(self, match: re.Match[str]) -> str:
        dollars, kind, name = match.groups()
        if len(dollars) > 1:
            return match[0][1:]
        return self.run_id if kind is None else self.secret(name)

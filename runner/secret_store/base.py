"""The contract of a secret store: a value for a name, or an error that says what to do. Standard library only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from runner.errors import EngineError


class SecretStoreError(EngineError):
    """The store could not be reached, refused, or holds something that is no secret's value. Never tells a value."""


class SecretMissing(SecretStoreError):
    """The store has no secret of this name. `where` says where it was looked for."""

    def __init__(self, name: str, where: str, help: str | None = None) -> None:
        super().__init__(f"secret '{name}' is not set: {where}", help)
        self.name = name


class SecretStore(ABC):
    """Secrets by name. Subclasses live in `runner.secret_store`, or anywhere that an import path leads to.

    `settings` are the store's plain fields as a stack has them, without a secret's value; `root` is the project's
    folder, where relative paths start. Nothing is opened before `get`. A store of one's own has the model of its
    fields, a subclass of `runner.spec.common.Spec`, in `Settings`: `runner validate` looks at it, a worker does not.
    """

    Settings: ClassVar[Any] = None

    def __init__(self, settings: Mapping[str, Any], root: str = "") -> None:
        self.settings = settings
        self.root = root

    @abstractmethod
    def get(self, name: str) -> str:
        """The secret's value. Raises SecretMissing when there is none, SecretStoreError when the store fails."""


def sdk_missing(package: str, extra: str) -> SecretStoreError:
    """What is said when a store's SDK cannot be imported."""
    return SecretStoreError(
        f"the secret store needs the package '{package}', which is not installed where the step runs",
        f"install it: runner integrations install {extra}; a step with an environment or an image of its own names "
        f"'{package}' in its requirements",
    )

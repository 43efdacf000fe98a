"""From a secret store's settings to the store, and to a function that looks secrets up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from runner.errors import RunnerError
from runner.secret_store.base import SecretStore, SecretStoreError

GROUP = "runner.secret_stores"
BUILTINS = {
    "env": "runner.secret_store.env:EnvSecretStore",
    "file": "runner.secret_store.file:FileSecretStore",
    "aws": "runner.secret_store.aws:AwsSecretStore",
    "gcp": "runner.secret_store.gcp:GcpSecretStore",
    "kubernetes": "runner.secret_store.kubernetes:KubernetesSecretStore",
}
SHORTEST = 4
"""Characters that a secret must have, if it has any: a shorter value stands in many a text by chance. To mask it would
garble the logs, and not to mask it would print it; so it is refused."""


def open_secret_store(settings: Mapping[str, Any], root: str = "") -> SecretStore:
    """The store of these plain fields, the environment for none; `root` is the project's folder.

    A flavor is a built-in one, an entry point of the group `runner.secret_stores`, or `package.module:ClassName`.
    Nothing is connected yet. Raises SecretStoreError for a flavor that is none.
    """
    flavor = settings.get("flavor", "env")
    if target := BUILTINS.get(flavor):
        module, _, name = target.partition(":")
        store: SecretStore = getattr(import_module(module), name)(settings, root)
        return store
    from pathlib import Path

    from runner import plugins  # a step's process asks for a store of one's own only

    try:
        found = plugins.load(flavor, BUILTINS, GROUP, "secret store flavor", Path(root) if root else None)
    except RunnerError as error:
        raise SecretStoreError(error.message, error.help) from None
    if not (isinstance(found, type) and issubclass(found, SecretStore)):
        help = "derive it from `runner.secret_store.base.SecretStore`"
        raise SecretStoreError(f"secret store flavor '{flavor}' is no subclass of SecretStore", help)
    return found(settings, root)


def secrets_of(settings: Mapping[str, Any], root: str = "") -> Callable[[str], str]:
    """A function from a secret's name to its value: the store is opened at its first call, each name fetched once.

    It raises SecretStoreError, also for a value too short to be kept out of texts.
    """
    values: dict[str, str] = {}
    stores: list[SecretStore] = []

    def secret(name: str) -> str:
        if name not in values:
            if not stores:
                stores.append(open_secret_store(settings, root))
            values[name] = _long_enough(name, stores[0].get(name))
        return values[name]

    return secret


def _long_enough(name: str, value: str) -> str:
    if 0 < len(value) < SHORTEST:
        raise SecretStoreError(
            f"secret '{name}' has fewer than {SHORTEST} characters: it cannot be told apart from other text, and so "
            "could not be masked in what a step prints",
            "store a longer value; what is this short and not secret can be a parameter",
        )
    return value

"""From an artifact store's settings to the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runner.artifact_store.base import ArtifactStore
from runner.artifact_store.local import LocalArtifactStore

if TYPE_CHECKING:
    pass

FLAVORS = {
    "s3": "runner.artifact_store.s3:S3ArtifactStore",
    "gcs": "runner.artifact_store.gcs:GcsArtifactStore",
    "azure": "runner.artifact_store.azure:AzureArtifactStore",
}
"""Built-in flavors beside `local`; others come by entry points of GROUP, or by an import path."""
GROUP = "runner.artifact_stores"


def open_store(settings: dict[str, Any], secret: Callable[[str], str] | None = None) -> ArtifactStore:
    """The store of `ArtifactStore.settings`; relative paths must have been made absolute.

    Nothing is asked over a network yet. A value that is `${secrets.NAME}` is what `secret(NAME)` gives when the store
    connects; by default the environment's variable. Raises plugins.UnknownPlugin for a flavor that nobody has.

    A flavor of one's own is a class that is called with settings and `secret` and gives an ArtifactStore.
    """
    flavor = settings.get("flavor", "local")
    if flavor == "local":
        return LocalArtifactStore(settings["path"])
    from runner import plugins  # a local store, which every worker opens, does without

    store: ArtifactStore = plugins.load(flavor, FLAVORS | {"local": ""}, GROUP, "artifact store flavor")(
        settings, secret
    )
    return store

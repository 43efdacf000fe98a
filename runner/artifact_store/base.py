"""The contract of an artifact store: whole objects under keys. Standard library only: every worker loads this file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from runner.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path


class ObjectMissing(KeyError):
    """No object under this key."""


class StoreError(StateError):
    """The store refused or failed: full, read-only, out of reach. `help` says what to do."""


class ArtifactStore(ABC):
    """Objects under keys like `runs/r1/deployment.json`. An object is there whole, or it is not there.

    Every method raises StoreError when the store itself fails, `get` and its kin ObjectMissing for a key that is not
    there.
    """

    remote: ClassVar[bool] = False
    """Whether a request to it goes over a network and costs something: who polls it then looks less often."""

    def prepare(self) -> None:  # noqa: B027  (a store may have nothing to prepare)
        """Import what using it needs, without using it: for a process that will fork others which do."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Flavor and fields, enough for `open_store` to open the same store from another process."""

    @abstractmethod
    def put(self, key: str, data: bytes) -> None:
        """Write an object, replacing one that is there."""

    @abstractmethod
    def put_if_absent(self, key: str, data: bytes) -> bool:
        """Write an object unless there is one; says whether it was written. Of two writers at once one wins."""

    @abstractmethod
    def put_file(self, key: str, path: Path) -> None:
        """Move or copy a local file in; afterwards `path` may be gone. Does nothing when the object is there already
        with the same size (keys of large values are digests of their content)."""

    @abstractmethod
    def get(self, key: str) -> bytes: ...

    def copy(self, source: str, target: str) -> None:
        """Let `target` be what `source` is now, whatever it was before."""
        self.put(target, self.get(source))

    @abstractmethod
    def fetch(self, key: str) -> Path:
        """A local file with the object's content, for reading or mapping only: nobody may change it."""

    @abstractmethod
    def size(self, key: str) -> int | None:
        """Bytes of the object, or None when there is none."""

    @abstractmethod
    def list(self, prefix: str) -> Iterator[str]:
        """Keys that start with `prefix` (which ends in `/` or is empty), in order."""

    def names(self, prefix: str) -> Iterator[str]:
        """What comes right after `prefix` (which ends in `/` or is empty) in its keys, up to the next `/`: each once,
        in order. Stores that can answer it without listing every key override it."""
        last = None
        for key in self.list(prefix):
            name = key[len(prefix) :].partition("/")[0]
            if name != last:
                yield name
            last = name

    @abstractmethod
    def delete(self, prefix: str) -> None:
        """Remove the object of this key, or all below it when it ends in `/`; nothing when there is none."""

    @abstractmethod
    def scratch(self) -> Path:
        """A folder for files on their way in, on the same file system where that makes `put_file` a rename."""

    def sweep(self) -> None:  # noqa: B027  (a store may have nothing to sweep)
        """Remove what killed processes left in `scratch` long ago. Called as a run starts; never raises."""

    def log_file(self, key: str, make: bool = True) -> str | None:
        """A local file that can be appended to and is this object at once; None where there is no such thing.

        With `make` its folders are there afterwards.
        """
        return None

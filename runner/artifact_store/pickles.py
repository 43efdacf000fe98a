"""The values that have no other form: pickles. They come back only where the same code is installed."""

from __future__ import annotations

import sys
from typing import Any

from runner.artifact_store.base import ArtifactStore, StoreError
from runner.artifact_store.objects import CannotLoad, CannotSave, Sink, Stored, artifact, get_buffer, type_name
from runner.records import Artifact

_PROTOCOL = 5


def save_pickle(value: Any, store: ArtifactStore) -> Artifact:
    """Pickle a value; what the standard library's pickle cannot take (functions and classes without an import path) by
    cloudpickle. Raises CannotSave."""
    stored = _save_standard(value, store) or _save_cloudpickle(value, store)
    return artifact(stored, "pickle", type_name(value), {"python": "{}.{}".format(*sys.version_info)})


def load_pickle(saved: Artifact, store: ArtifactStore) -> Any:
    import pickle  # most steps do without, and the worker stays lean

    buffer = get_buffer(saved, store)
    try:
        return pickle.loads(buffer)  # noqa: S301  (its digest is that of what our worker wrote)
    except MemoryError:
        raise
    except Exception as error:
        python = "{}.{}".format(*sys.version_info)
        written = saved.meta.get("python", python)
        help = "what the value is made of must be importable where it is read"
        if written != python:
            help = f"it was written by Python {written}, and this is {python}"
        message = (
            f"the artifact '{saved.uri}' ({saved.python_type}) cannot be unpickled: {type(error).__name__}: {error}"
        )
        raise CannotLoad(message, help) from error


def _save_standard(value: Any, store: ArtifactStore) -> Stored | None:
    import pickle  # as above

    with Sink(store) as sink:
        watcher = _MainWatcher(sink)
        try:
            pickle.Pickler(watcher, _PROTOCOL).dump(value)
        except (StoreError, MemoryError):
            raise
        except Exception:  # cloudpickle tries, and its message is the one that counts
            return None
        return None if watcher.seen else sink.close_into_store()


def _save_cloudpickle(value: Any, store: ArtifactStore) -> Stored:
    import cloudpickle

    with Sink(store) as sink:
        try:
            cloudpickle.dump(value, sink, protocol=_PROTOCOL)
        except (StoreError, MemoryError):
            raise
        except Exception as error:
            raise CannotSave(type_name(value), f"{error}" or type(error).__name__) from error
        return sink.close_into_store()


class _MainWatcher:
    """Passes a pickle on and sees whether it names something of `__main__`, which is another module where it is loaded.

    Names come in frames of some 64 KiB, whole; larger pieces are data.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.seen = False

    def write(self, data: bytes | memoryview) -> int:
        if len(data) < 256 * 1024 and b"__main__" in bytes(data):
            self.seen = True
        return self._sink.write(data)

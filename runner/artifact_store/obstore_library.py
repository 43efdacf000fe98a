"""obstore, the library that asks S3, for this very process: its threads do not survive a fork, so a child loads anew.

Once it has been used, a forked child that uses it waits for ever for threads that only its parent has. They belong to
the loaded library and not to its objects. A child whose parent used it loads a second copy, which the system's loader
takes for another library when it is another file.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType
from typing import Any

from runner.artifact_store.base import StoreError

_NATIVE = "obstore._obstore"
_used: dict[str, Any] = {"by": 0, "parents": []}  # a library that is let go of would wait for its threads


def library() -> ModuleType:
    """The module `obstore`, to be used by this process and not by children that it forks later."""
    me = os.getpid()
    if _used["by"] not in (0, me):
        _load_anew()
    _used["by"] = me
    import obstore

    return obstore


def _load_anew() -> None:
    parents = {name: each for name, each in sys.modules.items() if name.partition(".")[0] == "obstore"}
    for name in parents:
        del sys.modules[name]
    try:
        _load_copy_of(str(parents[_NATIVE].__file__))
    except (ImportError, OSError) as error:
        sys.modules.update(parents)
        raise StoreError(
            f"this process was forked from one that used S3, and cannot load what is needed for it anew: {error}",
            "start it instead of forking it, as in multiprocessing.set_start_method('spawn')",
        ) from error
    _used["parents"].append(parents)


def _load_copy_of(path: str) -> None:
    copy = os.memfd_create("obstore")
    try:
        with open(path, "rb") as file:
            while os.sendfile(copy, file.fileno(), None, 1 << 30):
                pass
        # Not /proc/self: the loader knows libraries by their names too, and a parent's may have had the same number.
        here = f"/proc/{os.getpid()}/fd/{copy}"
        spec = spec_from_file_location(_NATIVE, here, loader=ExtensionFileLoader(_NATIVE, here))
        assert spec is not None and spec.loader is not None
        module = sys.modules[_NATIVE] = module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        os.close(copy)
    module.__file__ = path  # for this one's own children

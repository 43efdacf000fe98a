"""The rest is pickled."""

from __future__ import annotations

import datetime
import fractions
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.materializers import CannotLoad, CannotSave, load, save

Go = Callable[[Any], tuple[str, Any]]

VALUES = [(1, "a"), {1, 2}, {1: 2}, 1j, datetime.date(2020, 1, 1), fractions.Fraction(1, 3), ValueError, 10**5000]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_come_back(there_and_back: Go, value: Any) -> None:
    kind, again = there_and_back(value)
    assert (kind, again, type(again)) == ("pickle", value, type(value))


def test_a_function_without_a_name(there_and_back: Go) -> None:
    kind, again = there_and_back(lambda x: x + 1)
    assert (kind, again(1)) == ("pickle", 2)


def test_large_parts_are_streamed(there_and_back: Go) -> None:
    value = (numpy.arange(500_000), b"x" * 2_000_000, "rest")
    kind, again = there_and_back(value)
    assert kind == "pickle"
    assert (again[0] == value[0]).all()
    assert again[1:] == value[1:]


def test_meta_tells_the_python(store: LocalArtifactStore) -> None:
    assert save((1,), store).meta == {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}


MAIN = """
import sys
from pathlib import Path
from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.materializers import save
class Mine:
    def __init__(self): self.x = 5
print(*save(Mine(), LocalArtifactStore(Path(sys.argv[1])))[:4])
"""


def test_a_class_of_main_comes_back_elsewhere(store: LocalArtifactStore, tmp_path: Path) -> None:
    words = [sys.executable, "-c", MAIN, store.settings["path"]]
    uri, kind, size, digest = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
    artifact = save(1, store)._replace(uri=uri, type=kind, size=int(size), digest=digest)
    assert load(artifact, store, tmp_path).x == 5


class Stubborn:
    def __reduce__(self) -> Any:
        raise ValueError("not me")


def test_a_value_that_refuses(store: LocalArtifactStore) -> None:
    with pytest.raises(CannotSave, match="Stubborn' cannot be saved: not me"):
        save(Stubborn(), store)


class Fragile:
    def __setstate__(self, state: Any) -> None:
        raise ValueError("no more")

    def __getstate__(self) -> Any:
        return {"x": 1}


def test_a_value_that_does_not_come_back(store: LocalArtifactStore, tmp_path: Path) -> None:
    artifact = save(Fragile(), store)
    with pytest.raises(CannotLoad, match="cannot be unpickled: ValueError: no more"):
        load(artifact, store, tmp_path)
    with pytest.raises(CannotLoad) as caught:
        load(artifact._replace(meta={"python": "2.7"}), store, tmp_path)
    assert caught.value.help and "written by Python 2.7" in caught.value.help

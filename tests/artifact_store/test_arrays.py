"""NumPy arrays come back equal, of the same dtype and order, writable."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest

from runner.artifact_store.arrays import can_save_array
from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.materializers import load, save

LARGE = numpy.arange(400_000).reshape(400, 1000)
ARRAYS = {
    "one": numpy.array(5),
    "none": numpy.zeros((0, 3)),
    "small": numpy.arange(6.0).reshape(2, 3),
    "fortran": numpy.asfortranarray(numpy.arange(6).reshape(2, 3)),
    "strided": numpy.arange(10)[::3],
    "reversed": numpy.arange(10)[::-1],
    "transposed": numpy.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
    "bool": numpy.array([True, False]),
    "text": numpy.array(["a", "bcd"]),
    "bytes": numpy.array([b"a", b"bcd"]),
    "complex": numpy.array([1j]),
    "half": numpy.array([0.5], dtype=numpy.float16),
    "big endian": numpy.array([1, 2], dtype=">i4"),
    "dates": numpy.array(["2020-01-01"], dtype="datetime64[ns]"),
    "record": numpy.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8", (2,))]),
    "large": LARGE,
    "large fortran": numpy.asfortranarray(LARGE),
    "large strided": LARGE[::2, ::2].repeat(4, axis=0)[:, ::-1],
    "large record": numpy.zeros(200_000, dtype=[("a", "i4"), ("b", "f8")]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back(store: LocalArtifactStore, tmp_path: Path, name: str) -> None:
    value = ARRAYS[name]
    artifact = save(value, store)
    again = load(artifact, store, tmp_path)
    assert artifact.type == "numpy"
    assert type(again) is numpy.ndarray
    assert (again.dtype, again.shape) == (value.dtype, value.shape)
    assert again.flags.f_contiguous or not value.flags.f_contiguous
    numpy.testing.assert_array_equal(again, value)


@pytest.mark.parametrize("name", ["small", "large"])
def test_they_are_writable_and_the_object_stays(store: LocalArtifactStore, tmp_path: Path, name: str) -> None:
    artifact = save(ARRAYS[name], store)
    load(artifact, store, tmp_path)[:] = 0
    numpy.testing.assert_array_equal(load(artifact, store, tmp_path), ARRAYS[name])


def test_the_content_is_what_numpy_reads(store: LocalArtifactStore) -> None:
    numpy.testing.assert_array_equal(numpy.load(store.fetch(save(LARGE, store).uri)), LARGE)


def test_meta_tells_shape_and_dtype(store: LocalArtifactStore) -> None:
    assert save(LARGE, store).meta == {"shape": [400, 1000], "dtype": "int64"}


def test_a_map_is_saved_as_an_array(store: LocalArtifactStore, tmp_path: Path) -> None:
    numpy.save(tmp_path / "x.npy", LARGE)
    again = load(save(numpy.load(tmp_path / "x.npy", mmap_mode="r"), store), store, tmp_path)
    assert type(again) is numpy.ndarray


OTHERS: dict[str, Any] = {
    "objects": numpy.array([object(), 1], dtype=object),
    "named record": numpy.rec.array([(1, 2)], dtype=[("a", "i4"), ("b", "i4")]),
    "masked": numpy.ma.array([1, 2], mask=[True, False]),
    "no width": numpy.zeros(3, dtype="V0"),
    "names beyond latin": numpy.zeros(1, dtype=[("名", "i4")]),
    "list": [1],
}


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_not_for_npy(name: str) -> None:
    assert not can_save_array(OTHERS[name])


MEMORY = """
import resource, sys
from pathlib import Path
import numpy
from runner.artifact_store.local import LocalArtifactStore
from runner.artifact_store.materializers import load, save
used = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
store, order = LocalArtifactStore(Path(sys.argv[1])), sys.argv[2]
value = numpy.ones((1 << 12, 1 << 12), order=order if order in "CF" else "C")
before = used()
artifact = save(value if order in "CF" else value[:, ::2], store)
load(artifact, store, Path("unused"))
print(used() - before)
"""


@pytest.mark.parametrize("order", ["C", "F", "strided"])
def test_no_copy_is_made_of_128_mib(store: LocalArtifactStore, order: str) -> None:
    words = [sys.executable, "-c", MEMORY, store.settings["path"], order]
    assert int(subprocess.run(words, capture_output=True, text=True, check=True).stdout) < 60

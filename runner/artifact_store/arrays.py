"""NumPy arrays as `.npy` contents, without a second copy of a large one in memory.

The format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import io
from typing import Any

from runner.artifact_store.base import ArtifactStore
from runner.artifact_store.objects import CannotLoad, Sink, artifact, get_buffer, loaded
from runner.records import Artifact


def can_save_array(value: Any) -> bool:
    """Whether `.npy` gives back just this array: a plain one, of a dtype that the format can name."""
    numpy = loaded("numpy")
    if (
        numpy is None
        or type(value) not in (numpy.ndarray, numpy.memmap)
        or value.dtype.hasobject
        or not value.dtype.itemsize
    ):
        return False
    format = numpy.lib.format
    try:
        description = format.dtype_to_descr(value.dtype)
        repr(description).encode("latin1")  # what the header's versions 1 and 2 hold
        return bool(format.descr_to_dtype(description) == value.dtype)
    except (TypeError, ValueError):
        return False


def save_array(value: Any, store: ArtifactStore) -> Artifact:
    meta = {"shape": list(value.shape), "dtype": str(value.dtype)}
    with Sink(store) as sink:
        _write(value, sink)
        return artifact(sink.close_into_store(), "numpy", "numpy.ndarray", meta)


def load_array(saved: Artifact, store: ArtifactStore) -> Any:
    """A writable array; a large one lies over a private map of the object: only what is touched takes memory."""
    try:
        import numpy
    except ImportError as error:
        raise CannotLoad(
            f"the artifact '{saved.uri}' is a NumPy array, and numpy is not installed", "install numpy"
        ) from error
    buffer = get_buffer(saved, store)
    shape, fortran, dtype, start = _header(numpy, buffer)
    writable = bytearray(buffer) if isinstance(buffer, bytes) else buffer
    return numpy.ndarray(shape, dtype, writable, start, order="F" if fortran else "C")


def _write(value: Any, sink: Sink) -> None:
    format = loaded("numpy").lib.format
    plain = value.flags.c_contiguous or value.flags.f_contiguous
    if not plain or value.dtype.names is not None:  # in blocks of 16 MiB, each copied
        format.write_array(sink, value, allow_pickle=False)
        return
    header = io.BytesIO()
    format.write_array_header_1_0(header, format.header_data_from_array_1_0(value))
    sink.write(header.getvalue())
    in_order = value if value.flags.c_contiguous else value.T
    sink.write(in_order.reshape(-1).view("u1"))


def _header(numpy: Any, buffer: Any) -> tuple[tuple[int, ...], bool, Any, int]:
    """Shape, whether it is in Fortran order, dtype, and where the numbers begin."""
    format = numpy.lib.format
    file = io.BytesIO(buffer[: 1024 * 1024])
    version = format.read_magic(file)
    read = format.read_array_header_1_0 if version == (1, 0) else format.read_array_header_2_0
    shape, fortran, dtype = read(file, max_header_size=1024 * 1024)
    return shape, fortran, dtype, file.tell()

"""Data frames of pandas and polars as Parquet, when Parquet gives back the same columns."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from runner.artifact_store.base import ArtifactStore
from runner.artifact_store.objects import CannotLoad, artifact, get_file, loaded, put_scratch, scratch_file
from runner.artifact_store.refusals import refused
from runner.records import Artifact

if TYPE_CHECKING:
    from pathlib import Path


def frame_type(value: Any) -> str | None:
    """`pandas` or `polars` when the value is just a data frame of theirs, not of a subclass."""
    for name in ("pandas", "polars"):
        module = loaded(name)
        if module is not None and type(value) is getattr(module, "DataFrame", None):
            return name
    return None


def save_frame(value: Any, type: str, store: ArtifactStore) -> Artifact | None:
    """Save as Parquet; None when Parquet cannot hold this frame, or would give back other types."""
    descriptor, path = scratch_file(store)
    os.close(descriptor)
    try:
        written = _write_pandas(value, path) if type == "pandas" else _write_polars(value, path)
        if not written:
            return None
        return artifact(put_scratch(path, store), type, f"{type}.DataFrame", {"shape": list(value.shape)})
    finally:
        path.unlink(missing_ok=True)


def load_frame(saved: Artifact, store: ArtifactStore) -> Any:
    path = get_file(saved, store)
    try:
        if saved.type == "polars":
            import polars

            return polars.read_parquet(path, memory_map=False)
        import pandas  # noqa: F401  (pyarrow asks for it later, and says less when it is missing)
        import pyarrow.parquet

        return pyarrow.parquet.read_table(path, partitioning=None).to_pandas()
    except ImportError as error:
        help = f"install {error.name or saved.type} where this step runs"
        raise CannotLoad(f"the artifact '{saved.uri}' is a {saved.type} data frame: {error}", help) from error


def _write_pandas(value: Any, path: Path) -> bool:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return False
    try:
        table = pyarrow.Table.from_pandas(value)
        if any(pyarrow.types.is_nested(kind) for kind in table.schema.types):  # lists would come back as arrays
            return False
        pyarrow.parquet.write_table(table, path)
        again = pyarrow.parquet.read_schema(path).empty_table().to_pandas()
        return _types(value) == _types(again) and _categories_held(value, path, pyarrow.parquet)
    except OSError as error:
        raise refused(error, f"cannot write '{path}'", path.parent) from error
    except (
        Exception
    ):  # ArrowInvalid, ArrowTypeError, ValueError for names that occur twice, whatever an extension type raises
        return False


def _types(value: Any) -> tuple[Any, ...]:
    """Names and types of a frame's columns and index; of categories only that they are some."""
    index = value.index.dtypes if value.index.nlevels > 1 else [value.index.dtype]
    columns = list(zip(value.columns, (str(each) for each in value.dtypes), strict=True))
    return columns, list(value.columns.names), [str(each) for each in index], list(value.index.names)


def _categories_held(value: Any, path: Path, parquet: Any) -> bool:
    categories = value.select_dtypes("category")
    if categories.columns.empty:
        return True
    back = parquet.read_table(path, columns=[str(name) for name in categories.columns], partitioning=None).to_pandas()
    return all(a == b for a, b in zip(categories.dtypes, back[categories.columns].dtypes, strict=True))


def _write_polars(value: Any, path: Path) -> bool:
    polars = loaded("polars")
    try:
        value.write_parquet(path)
        return bool(polars.read_parquet_schema(path) == value.schema)
    except OSError as error:
        raise refused(error, f"cannot write '{path}'", path.parent) from error
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException:  # a panic of polars is no Exception
        return False

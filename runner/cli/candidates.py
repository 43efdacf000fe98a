"""What a shell may offer to complete: pipeline files, names of steps, ids of runs. Any trouble offers nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click

from runner.document.read import read_file
from runner.engine.history import recent
from runner.project import find_project

SUFFIXES = (".yaml", ".yml", ".toml")


def pipelines(context: click.Context, incomplete: str) -> list[str]:
    """Documents in `pipelines/` and folders on the way to others."""
    with suppress(OSError):
        return sorted(found for found in _documents(incomplete) if found.startswith(incomplete))
    return []


def _documents(incomplete: str) -> Iterator[str]:
    head = incomplete.rpartition("/")[0]
    folders = [Path(head)] if head else [Path(), Path("pipelines")]
    for folder in folders:
        if folder.is_dir():
            for path in folder.iterdir():
                if path.suffix in SUFFIXES:
                    yield str(path)
                elif path.is_dir() and not path.name.startswith((".", "__")):
                    yield f"{path}/"


def steps(context: click.Context, incomplete: str) -> list[str]:
    """The steps of the pipeline on this command line."""
    # While an option still waits for its value, click has not yet told arguments apart.
    given = [context.params.get("pipeline"), *context.args]
    with suppress(Exception):
        pipeline = next(Path(each) for each in given if each and str(each).endswith(SUFFIXES))
        documents, _ = read_file(pipeline)
        names = [name for document in documents for name in document.node.plain().get("steps", {})]
        return [name for name in names if name.startswith(incomplete)]
    return []


def runs(context: click.Context, incomplete: str) -> list[str]:
    """The newest runs of this project."""
    with suppress(Exception):
        known = ["last", *(run.run_id for run in recent(find_project(Path.cwd()), 50))]
        return [run_id for run_id in known if run_id.startswith(incomplete)]
    return []

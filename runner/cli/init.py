"""`runner init`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from runner.cli.options import examples
from runner.cli.output import writing
from runner.errors import UsageError

SUFFIX = ".in"  # so that no tool takes the template's files for ours


@click.command(epilog=examples("runner init", "runner init demo && cd demo && runner run pipelines/hello.yaml"))
@click.argument("folder", metavar="[DIR]", default=".", type=click.Path(file_okay=False, path_type=Path))
def init(folder: Path) -> None:
    """Write a project that validates, runs and tests at once.

    No file is overwritten: when one is in the way, nothing is written.
    """
    written = write_project(folder)
    print(f"wrote {len(written)} files in {folder}/:")
    print("\n".join(f"  {name}" for name in written))
    there = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    print(f"run it: {there}runner run pipelines/hello.yaml")


def write_project(folder: Path) -> list[str]:
    """Write the template's files; returns their names. Raises UsageError when any of them is there already."""
    template = dict(_files(files("runner.cli") / "template"))
    in_the_way = [name for name in template if (folder / name).exists()]
    if in_the_way:
        raise UsageError(f"{folder} has files that are in the way: {', '.join(in_the_way)}", "choose another folder")
    with writing(folder):
        for name, text in template.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text.replace("@name@", _project_name(folder)))
    return list(template)


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(SUFFIX):
            yield prefix + entry.name.removesuffix(SUFFIX), entry.read_text()


def _project_name(folder: Path) -> str:
    words = re.sub(r"[^A-Za-z0-9]+", "-", folder.resolve().name).strip("-").lower()
    return words or "project"

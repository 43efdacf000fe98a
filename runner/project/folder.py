"""A project's folder, and the files of documents in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from runner.document.read import neighbour
from runner.errors import UsageError

MARKERS = ("runner.toml", "pyproject.toml")
SUFFIXES = (".yaml", ".yml", ".toml")


class Project(NamedTuple):
    """A project's folder. Its state is in `.runner` beside its `pyproject.toml` or `runner.toml`."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / ".runner"

    def shown(self, path: Path) -> str:
        """A file's name as messages show it: from the current folder where that is shorter."""
        for base in (Path.cwd(), self.root):
            if path.is_absolute() and path.is_relative_to(base):
                return str(path.relative_to(base))
        return str(path)


def find_project(start: Path) -> Project:
    """The project that a folder belongs to: the nearest one upward with a marker file, else the folder itself."""
    folder = start.resolve()
    for candidate in (folder, *folder.parents):
        if any((candidate / marker).exists() for marker in MARKERS):
            return Project(candidate)
    return Project(folder)


def is_project(project: Project) -> bool:
    """Whether anything in this folder says that it is one."""
    there = ("pipelines", "stacks", project.state.name, *MARKERS)
    return any((project.root / name).exists() for name in there)


def files_of(project: Project, paths: Sequence[Path]) -> list[Path]:
    """The documents' files among these paths; folders are searched. Raises UsageError for a path that is not there."""
    chosen = list(paths) or [folder for name in ("pipelines", "stacks") if (folder := project.root / name).is_dir()]
    if not chosen:
        raise UsageError(
            f"there is no folder 'pipelines' or 'stacks' in '{project.root}'", "name the files to validate"
        )
    found: list[Path] = []
    for path in chosen:
        if path.is_dir():
            found += sorted(_documents_below(path))
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"there is no file or folder '{path}'", neighbour(path))
    return list(dict.fromkeys(found))


def stack_files(project: Project) -> list[Path]:
    """The files of the project's `stacks` folder."""
    folder = project.root / "stacks"
    return files_of(project, [folder]) if folder.is_dir() else []


def _documents_below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]  # a `.venv` has thousands
        wanted = [name for name in names if name.endswith(SUFFIXES) and name not in MARKERS and name[0] != "."]
        paths = [Path(place, name) for name in wanted]
        yield from (path for path in paths if path.is_file())

"""The modules of a project: which file an import means, and the names it binds."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

_OURS = Path(__file__).resolve().parent.parent
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\.?")


class Import(NamedTuple):
    """One name of an import statement.

    `import a.b` is Import("a.b"), `import a.b as c` has the alias; `from ..a import b` is Import("a", "b", level=2) and
    `from a import *` Import("a", "*").
    """

    module: str
    name: str | None = None
    level: int = 0
    alias: str | None = None

    @property
    def binds(self) -> str:
        """The name by which the code around it knows what was imported."""
        return self.alias or self.name or self.module.partition(".")[0]


class Modules:
    """The modules whose files stand below `root`, where imports start, or below `root/src` when there is one."""

    def __init__(self, root: Path) -> None:
        self._folders = [folder for folder in (root, root / "src") if folder.is_dir()]
        self._files: dict[str, Path | None] = {}

    def has(self, module: str) -> bool:
        """Whether this is a module of the project with a file of its own; a folder without `__init__` is none."""
        return self.file(module) is not None

    def file(self, module: str) -> Path | None:
        """The file that an import of the module reads, or None when it is not the project's."""
        if module not in self._files:
            self._files[module] = self._find(module)
        return self._files[module]

    def is_python(self, module: str) -> bool:
        file = self.file(module)
        return file is not None and file.suffix == ".py"

    def content(self, module: str) -> bytes:
        """The bytes of its file; none when it cannot be read."""
        file = self.file(module)
        try:
            return file.read_bytes() if file else b""
        except OSError:
            return b""

    def packages(self, module: str) -> Iterator[str]:
        """The packages of the project that are imported before it: `a` and `a.b` for `a.b.c`."""
        parts = module.split(".")
        names = (".".join(parts[:end]) for end in range(1, len(parts)))
        return (name for name in names if self.has(name))

    def absolute(self, module: str, wanted: Import) -> Import:
        """An import that stands in `module`, without dots before it."""
        if not wanted.level:
            return wanted
        file = self.file(module)
        parts = module.split(".")
        own = len(parts) + (file is not None and file.stem == "__init__")
        base = parts[: max(own - wanted.level, 0)]
        return wanted._replace(module=".".join([*base, *filter(None, [wanted.module])]), level=0)

    def executed(self, wanted: Import) -> Iterator[str]:
        """The modules of the project that an absolute import runs."""
        yield from self.packages(wanted.module)
        names = [wanted.module, f"{wanted.module}.{wanted.name}"] if wanted.name else [wanted.module]
        yield from (name for name in names if self.has(name))

    def bound(self, wanted: Import) -> list[str]:
        """The modules that an absolute `import a.b`, `import a.b as c` or `from a.b import *` opens to any name."""
        around = [] if wanted.name or wanted.alias else list(self.packages(wanted.module))
        return [*around, *([wanted.module] if self.has(wanted.module) or self._is_folder(wanted.module) else [])]

    def within(self, modules: Iterable[str], attributes: Collection[str] | None) -> Iterator[str]:
        """These modules, and those below them that are reached by attributes of these names; None: by any name."""
        todo = list(modules)
        while todo:
            module = todo.pop()
            yield module
            if not self._is_folder(module):
                continue
            if attributes is None:
                yield from self._below(module)
            else:
                names = (f"{module}.{name}" for name in attributes)
                todo += [name for name in names if self.has(name)]

    def mentioned(self, texts: Iterable[str], near: str | None) -> set[str]:
        """Modules that may be imported by a name that is put together at run time.

        Those that a text names or imports, with everything below where it ends in a dot; and those of the same
        top-level package as `near`, or the top-level modules beside it.
        """
        words: set[str] = set()
        for text in texts:
            if _DOTTED.fullmatch(text) or "import" in text:
                words.update(match[0] for match in _DOTTED.finditer(text))
        found = {name for name in (word.rstrip(".") for word in words) if self.has(name)}
        found.update(*(self._below(word.rstrip(".")) for word in words if word.endswith(".")))
        if near is not None:
            package = near.partition(".")[0]
            found.update(self._below(package) or self._beside(package))
        return found

    def _is_folder(self, module: str) -> bool:
        file = self.file(module)
        if file is not None:
            return file.stem == "__init__"
        return any(folder.joinpath(*module.split(".")).is_dir() for folder in self._folders)

    def _below(self, package: str) -> list[str]:
        roots = [(folder, folder.joinpath(*package.split("."))) for folder in self._folders]
        files = [(folder, file) for folder, place in roots if place.is_dir() for file in place.rglob("*.py")]
        return [name for name in (_module_name(folder, file) for folder, file in files) if self.has(name)]

    def _beside(self, module: str) -> list[str]:
        file = self.file(module)
        return [other.stem for other in file.parent.glob("*.py")] if file else []

    def _find(self, module: str) -> Path | None:
        if not module:
            return None
        for folder in self._folders:
            place = folder.joinpath(*module.split("."))
            for file in _candidates(place):
                if file.is_file():
                    return None if _OURS in file.resolve().parents else file
        return None


def _candidates(place: Path) -> Iterator[Path]:
    # In the order in which Python looks.
    yield place / "__init__.py"
    for suffix in EXTENSION_SUFFIXES:
        yield place.with_name(place.name + suffix)
    yield place.with_name(place.name + ".py")


def _module_name(folder: Path, file: Path) -> str:
    parts = file.relative_to(folder).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

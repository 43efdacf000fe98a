"""The code that a step depends on, as a digest: its function and whatever of the project that may reach.

A module is cut into units: its top-level statements, and each name of an import by itself. A unit depends on the units
that define the names in it, in this module and in the modules of the project that it imports from. Whatever acts when
its module is imported (a call, a loop, a decorator of the project's …) always counts. When in doubt, more counts:
`import helpers`, `from helpers import *` and modules that look names up at run time (`globals()`, `importlib` …)
count whole. Comments and formatting never count; docstrings are values, and do.

Modules outside of the project do not count: the requirements that the image declares stand for them.
The digest is the same on every machine with the same minor version of Python.
"""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from runner.plan.modules import Import, Modules
from runner.plan.syntax import IMPORTERS, LOOKUPS, QUIET, Facts, Unit, facts_of, texts_in, units_of

WHOLE, TOUCHED = -1, -2
_WORDS = re.compile("|".join(sorted(LOOKUPS)).encode())
Item = tuple[str, int]
"""A unit of a module by its place, or all of the module (WHOLE), or what importing it does (TOUCHED)."""


class Source(NamedTuple):
    """A module of the project, cut into units.

    `defined` has the places of the units that bind a name; `lookups` by which of LOOKUPS, or
    by a `__getattr__` of its own, it reaches names that stand nowhere in it;
    `opaque` its bytes when they cannot be read as Python.
    """

    units: tuple[Unit, ...] = ()
    defined: dict[str, list[int]] = {}
    lookups: frozenset[str] = frozenset()
    opaque: bytes = b""


class CodeIndex:
    """The code of one project as it is now; each file is read once. `root` is the folder that imports start from."""

    def __init__(self, root: Path) -> None:
        self._modules = Modules(root)
        self._sources: dict[str, Source] = {}
        self._facts: dict[Item, Facts] = {}
        self._edges: dict[Item, tuple[Item, ...]] = {}
        self._groups: dict[frozenset[Item], bytes] = {}
        self._digests: dict[str, str] = {}

    def digest(self, entrypoint: str) -> str:
        """The SHA-256 of the code that `package.module:function` depends on, in hex.

        When there is no such file in the project it is the digest of the name; never raises for what is in the code.
        """
        found = self._digests.get(entrypoint)
        if found is None:
            found = self._digests[entrypoint] = self._digest(entrypoint)
        return found

    def _digest(self, entrypoint: str) -> str:
        module, _, function = entrypoint.partition(":")
        whole = hashlib.sha256(f"code 1\0{entrypoint}".encode())
        if self._modules.has(module):
            units = self._reach(self._name(module, function), through_groups=False)
            whole.update(self._hash(units))
            whole.update(self._group(frozenset(item for item in units if item[1] < 0)))
        return whole.hexdigest()

    def _group(self, items: frozenset[Item]) -> bytes:
        # What importing modules does, and modules that are used whole, many steps share: followed once.
        found = self._groups.get(items)
        if found is None:
            found = self._groups[items] = self._hash(self._reach(items, through_groups=True))
        return found

    def _reach(self, start: Iterable[Item], *, through_groups: bool) -> set[Item]:
        seen = set(start)
        todo = list(seen)
        while todo:
            item = todo.pop()
            if item[1] >= 0 or through_groups:
                following = [other for other in self._depends(item) if other not in seen]
                seen.update(following)
                todo += following
        return seen

    def _hash(self, items: Iterable[Item]) -> bytes:
        result = hashlib.sha256()
        for module, place in sorted(items):
            if place >= 0:
                result.update(f"{module}\0".encode())
                result.update(self._fact((module, place)).digest)
            elif self._source(module).opaque:
                result.update(module.encode() + b"\0" + hashlib.sha256(self._source(module).opaque).digest())
        return result.digest()

    def _depends(self, item: Item) -> tuple[Item, ...]:
        found = self._edges.get(item)
        if found is None:
            find = {WHOLE: self._whole, TOUCHED: self._touched}.get(item[1], self._unit)
            found = self._edges[item] = tuple(dict.fromkeys(find(item)))
        return found

    def _whole(self, item: Item) -> Iterator[Item]:
        module, _ = item
        yield module, TOUCHED
        for place in range(len(self._source(module).units)):
            yield module, place

    def _touched(self, item: Item) -> Iterator[Item]:
        """What importing the module does: to the packages around it, to what it imports, and by its own statements."""
        module, _ = item
        source = self._source(module)
        yield from ((package, TOUCHED) for package in self._modules.packages(module))
        yield from ((module, place) for place, unit in enumerate(source.units) if unit.acts)
        for unit in source.units:
            for wanted in self._imports(module, unit.imports):
                yield from ((other, TOUCHED) for other in self._modules.executed(wanted))
                if wanted.name == "*":
                    yield from self._starred(wanted.module)
        if source.lookups:
            yield module, WHOLE
            near = module if source.lookups & IMPORTERS else None
            yield from ((other, WHOLE) for other in self._modules.mentioned(texts_in(source.units), near))

    def _starred(self, module: str) -> Iterator[Item]:
        """All that `from module import *` may bind: of a package also the modules that its `__all__` names."""
        if self._modules.has(module):
            yield module, WHOLE
            below = {f"{module}.{text}" for text in texts_in(self._source(module).units) if text.isidentifier()}
            yield from ((other, WHOLE) for other in below if self._modules.has(other))

    def _unit(self, item: Item) -> Iterator[Item]:
        module, _ = item
        yield module, TOUCHED
        facts = self._fact(item)
        source = self._source(module)
        places = [place for name in facts.names for place in source.defined.get(name, ())]
        yield from ((module, place) for place in places)
        nearby = [wanted for place in places for wanted in source.units[place].imports]
        for wanted in self._imports(module, [*facts.imports, *nearby]):
            yield from self._imported(wanted, None if wanted.binds in facts.bare else facts.attributes)

    def _imported(self, wanted: Import, attributes: Collection[str] | None) -> Iterator[Item]:
        """What an import opens to code that takes these attributes of it; None: that may take any."""
        submodule = f"{wanted.module}.{wanted.name}"
        if wanted.name is None or wanted.name == "*":
            opened = self._modules.bound(wanted)
        else:
            opened = [submodule] if self._modules.has(submodule) else []
            if self._modules.has(wanted.module) and (wanted.name in self._source(wanted.module).defined or not opened):
                yield from self._name(wanted.module, wanted.name)
        for module in self._modules.within(opened, attributes):
            yield module, WHOLE

    def _name(self, module: str, name: str) -> list[Item]:
        places = self._source(module).defined.get(name)
        return [(module, TOUCHED), *((module, place) for place in places)] if places else [(module, WHOLE)]

    def _imports(self, module: str, imports: Iterable[Import]) -> Iterator[Import]:
        return (self._modules.absolute(module, wanted) for wanted in imports)

    def _fact(self, item: Item) -> Facts:
        found = self._facts.get(item)
        if found is None:
            module, place = item
            found = self._facts[item] = facts_of(self._source(module).units[place])
        return found

    def _source(self, module: str) -> Source:
        found = self._sources.get(module)
        if found is None:
            found = self._sources[module] = self._read(module)
        return found

    def _read(self, module: str) -> Source:
        content = self._modules.content(module)
        tree = _parse(content) if self._modules.is_python(module) else None
        if tree is None:
            return Source(opaque=content)
        units = tuple(units_of(tree, self._is_quiet))
        defined: dict[str, list[int]] = {}
        for place, unit in enumerate(units):
            for name in unit.defines:
                defined.setdefault(name, []).append(place)
        return Source(units, defined, self._lookups(module, content, units) | {"__getattr__"} & set(defined))

    def _lookups(self, module: str, content: bytes, units: tuple[Unit, ...]) -> frozenset[str]:
        # Looking into every unit takes time, and few modules have these words at all. (Others may be spelt with letters
        # that Python takes for these.)
        if content.isascii() and not _WORDS.search(content):
            return frozenset()
        facts = {(module, place): facts_of(unit) for place, unit in enumerate(units)}
        self._facts.update(facts)
        return frozenset().union(*(fact.lookups for fact in facts.values()))

    def _is_quiet(self, wanted: Import) -> bool:
        top = wanted.module.partition(".")[0]
        return not wanted.level and wanted.name != "*" and top in QUIET and not self._modules.has(top)


def _parse(content: bytes) -> ast.Module | None:
    """The module's tree, or None when this interpreter cannot read it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None

"""A module's syntax tree cut into units: what each defines, what it names, and its digest free of formatting."""

from __future__ import annotations

import ast
import builtins
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

from runner.plan.modules import Import

# Names and attributes by which code reaches other names at run time.
IMPORTERS = frozenset({"__import__", "import_module", "importlib", "runpy", "pkgutil"})
_NAMES = IMPORTERS | {"globals", "locals", "vars", "eval", "exec", "builtins", "__builtins__"}
_ATTRIBUTES = IMPORTERS | {"modules", "f_globals", "__globals__"}
LOOKUPS = _NAMES | _ATTRIBUTES

# Modules whose functions, decorators and base classes do nothing but give a value; and built-ins of that kind.
QUIET = frozenset({
    "__future__", "abc", "attr", "attrs", "collections", "contextlib", "dataclasses", "datetime", "decimal", "enum",
    "fractions", "functools", "itertools", "logging", "math", "operator", "pathlib", "pydantic", "re", "string",
    "types", "typing", "typing_extensions",
})  # fmt: skip
_QUIET_BUILTINS = frozenset({
    "abs", "chr", "divmod", "hash", "hex", "len", "max", "min", "ord", "pow", "repr", "round", "sorted", "sum",
    *(name for name, value in vars(builtins).items() if isinstance(value, type)),
}) - {"map", "filter", "type"}  # fmt: skip

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_IMPORTS = (ast.Import, ast.ImportFrom)
_BLOCKS = (ast.If, ast.Try, ast.TryStar)
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


class Unit(NamedTuple):
    """A top-level statement, or one name of a top-level import.

    `defines` the names it binds; `acts` whether it may do more than that when the module is imported; `imports` the
    imports that happen then.
    """

    node: ast.AST
    defines: frozenset[str]
    acts: bool
    imports: tuple[Import, ...] = ()


class Facts(NamedTuple):
    """What a unit says: its digest, the names, attributes and imports in it, and which of LOOKUPS it uses.

    `bare` are the names that stand anywhere without an attribute taken of them.
    """

    digest: bytes
    names: frozenset[str]
    bare: frozenset[str]
    attributes: frozenset[str]
    imports: tuple[Import, ...]
    lookups: frozenset[str]


def units_of(tree: ast.Module, is_quiet: Callable[[Import], bool]) -> Iterator[Unit]:
    """The units of a module, in order; `is_quiet` tells the imports whose names do nothing but give a value."""
    statements = [(statement, _bound(statement)) for statement in _statements(tree)]
    quiet, loud = set(_QUIET_BUILTINS), set[str]()
    for statement, names in statements:
        imports = imports_in(statement)
        (quiet if imports and all(map(is_quiet, imports)) else loud).update(names)
    quiet -= loud
    for statement, names in statements:
        yield Unit(statement, names, _acts(statement, quiet), tuple(_executed_imports(statement)))


def facts_of(unit: Unit) -> Facts:
    """Walk a unit once. The digest is over its nodes in order, without positions; recursion would end at deep sums."""
    words: list[str] = []
    names: set[str] = set()
    imports: list[Import] = []
    attributes: set[str] = set()
    bare: set[str] = set()
    held: set[ast.AST] = set()
    annotations: list[ast.AST] = []
    todo: list[Any] = [unit.node]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Name):
            names.add(node.id)
            words.append(f"={node.id}")
            if node not in held:
                bare.add(node.id)
        elif isinstance(node, ast.Constant):
            words.append(_constant(node.value))
        elif isinstance(node, ast.AST):
            kind: Any = node.__class__
            words.append(kind.__name__)
            todo += [getattr(node, field, None) for field in _fields(kind)]
            if isinstance(node, ast.Attribute):
                attributes.add(node.attr)
                held.add(node.value)
            elif isinstance(node, _IMPORTS):
                imports += imports_in(node)
            elif (hint := getattr(node, "annotation", None) or getattr(node, "returns", None)) is not None:
                annotations.append(hint)
        elif isinstance(node, list):
            words.append(f"[{len(node)}")
            todo += reversed(node)
        else:
            words.append(repr(node))
    names.update(_quoted_names(annotations))
    lookups = (names & _NAMES) | (attributes & _ATTRIBUTES)
    for wanted in imports:
        lookups |= {wanted.module.partition(".")[0], wanted.name or ""} & LOOKUPS
    digest = hashlib.sha256("\n".join(words).encode("utf-8", "surrogatepass")).digest()
    return Facts(digest, frozenset(names), frozenset(bare), frozenset(attributes), tuple(imports), frozenset(lookups))


def imports_in(node: ast.AST) -> list[Import]:
    """The names of one import statement."""
    if isinstance(node, ast.Import):
        return [Import(alias.name, alias=alias.asname) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [Import(node.module or "", alias.name, node.level, alias.asname) for alias in node.names]
    return []


def texts_in(units: Iterable[Unit]) -> Iterator[str]:
    """Every text in these units."""
    for unit in units:
        for node in ast.walk(unit.node):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            yield from (ast.Import([alias]) for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                yield ast.ImportFrom(statement.module, [alias], statement.level)
        elif not _is_main(statement):
            yield statement


def _is_main(statement: ast.stmt) -> bool:
    # `if __name__ == "__main__":` never runs in a module that is imported.
    if not isinstance(statement, ast.If) or statement.orelse or not isinstance(statement.test, ast.Compare):
        return False
    test = statement.test
    equal = len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq)
    main = isinstance(test.comparators[0], ast.Constant) and test.comparators[0].value == "__main__"
    return equal and main and isinstance(test.left, ast.Name) and test.left.id == "__name__"


def _bound(statement: ast.stmt) -> frozenset[str]:
    """The names of the module that a statement may bind, at any depth outside of functions and classes."""
    names: set[str] = set()
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, _IMPORTS):
            names |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            names.add(node.id)
        elif not isinstance(node, ast.Lambda):
            # `except … as name`, `case [*name]`, `case {**name}`
            names |= {
                value for value in (getattr(node, key, None) for key in ("name", "rest")) if isinstance(value, str)
            }
            todo += ast.iter_child_nodes(node)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        names.add("__doc__")
    return frozenset(names)


def _acts(statement: ast.stmt, quiet: set[str]) -> bool:
    """Whether importing the module may do more by this statement than bind names.

    A call may register something, and so may a decorator or a base class, unless it is known to be quiet: `T =
    TypeVar("T")` and `@dataclass` only matter to those who name them. A call that stands alone always acts.
    """
    if isinstance(statement, ast.ImportFrom):
        return statement.module == "__future__"
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        if isinstance(node, (*_IMPORTS, ast.Pass)):
            continue
        if isinstance(node, ast.Expr):
            if not isinstance(node.value, ast.Constant):
                return True
        elif isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Call)):
            makers, inner = _made_of(node)
            if not all(_is_quiet(maker, quiet) for maker in makers):
                return True
            todo += [*makers, *inner]
        elif isinstance(node, ast.Lambda):
            todo += _defaults(node.args)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if not all(_only_names(target) for target in targets):
                return True
            todo += [node.value] if node.value else []
        elif isinstance(node, ast.AugAssign):
            if not (isinstance(node.target, ast.Name) and node.target.id == "__all__"):
                return True
        elif isinstance(node, ast.stmt) and not isinstance(node, _BLOCKS) and type(node).__name__ != "TypeAlias":
            return True
        else:
            todo += ast.iter_child_nodes(node)
    return False


def _made_of(node: ast.AST) -> tuple[list[ast.expr], list[Any]]:
    """What is called when a function or class is defined, or by a call; and what else is looked into."""
    if isinstance(node, ast.ClassDef):
        return [*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)], node.body
    if isinstance(node, ast.Call):
        return [node.func], [*node.args, *(keyword.value for keyword in node.keywords)]
    if isinstance(node, _FUNCTIONS):
        return node.decorator_list, _defaults(node.args)
    return [], []


def _is_quiet(maker: ast.AST, quiet: set[str]) -> bool:
    """Whether what `a.b[0](x).c` begins with is quiet: a quiet name, or a value that is written out."""
    while isinstance(maker, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        maker = maker.func if isinstance(maker, ast.Call) else maker.value
    if isinstance(maker, ast.Name):
        return maker.id in quiet
    return isinstance(maker, ast.Constant | ast.JoinedStr | ast.List | ast.Tuple | ast.Dict | ast.Set)


def _defaults(arguments: ast.arguments) -> list[ast.expr]:
    return [*arguments.defaults, *(default for default in arguments.kw_defaults if default is not None)]


def _only_names(target: ast.AST) -> bool:
    return not any(isinstance(node, ast.Attribute | ast.Subscript) for node in ast.walk(target))


def _executed_imports(statement: ast.stmt) -> Iterator[Import]:
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        if isinstance(node, _IMPORTS):
            yield from imports_in(node)
        elif not isinstance(node, (*_FUNCTIONS, ast.expr)):
            todo += ast.iter_child_nodes(node)


def _quoted_names(annotations: Iterable[ast.AST]) -> Iterator[str]:
    for annotation in annotations:
        for node in ast.walk(annotation):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from _IDENTIFIER.findall(node.value)


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    # Backwards, because they are taken from the end of a list. Where a name is read or written its place tells.
    return tuple(field for field in reversed(kind._fields) if field not in ("ctx", "type_comment", "kind"))


def _constant(value: object) -> str:
    # Very long numbers have no decimal text.
    return f"int:{value:x}" if type(value) is int else f"{type(value).__name__}:{value!r}"

"""Type annotations judged where they are clear: whether a plain value fits one, and whether one fits another.

A problem must be right, so whatever is not clear passes: type variables, protocols, generics other than the built-in
containers, and values whose class converts or narrows itself.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from numbers import Number
from pathlib import PurePath
from typing import Annotated, Any, Final, Literal, Union

# An annotation that is missing or says nothing.
UNCLEAR: Final = Any
NONE = type(None)
CONTAINERS = (list, dict, set, frozenset, tuple)
# Read-only views of a built-in container, with the same arguments in the same order.
VIEWS = {
    list: (Sequence, Collection, Iterable),
    set: (Collection, Iterable),
    frozenset: (Collection, Iterable),
    dict: (Mapping,),
}

Path = tuple[str | int, ...]


class Misfit(typing.NamedTuple):
    """The part of a value that does not fit: where it is inside the value, itself, and what is taken there."""

    path: Path
    value: Any
    annotation: Any


def misfit(value: Any, annotation: Any, path: Path = ()) -> Misfit | None:
    """The first part of a plain value (as JSON has them) that an argument's annotation does not take, or None.

    An `int` is a `float`, a `bool` is no number, and a `str` is no `Path`: nothing converts a parameter on its way.
    """
    annotation = bare(annotation)
    members = union_members(annotation)
    if members:
        found = [misfit(value, member, path) for member in members]
        if None in found:
            return None
        # The member whose container fits tells more than the union as a whole.
        return next((one for one in found if one and len(one.path) > len(path)), Misfit(path, value, annotation))
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        fits = any(type(value) is type(choice) and value == choice for choice in arguments)
        return None if fits else Misfit(path, value, annotation)
    if not _takes(value, origin or annotation):
        return Misfit(path, value, annotation)
    return next(_parts(value, origin, arguments, path), None)


def fits(given: Any, taken: Any) -> bool:
    """Whether a value annotated `given` may be handed to an argument annotated `taken`; what is unclear may."""
    given, taken = bare(given), bare(taken)
    if members := union_members(given):
        return any(fits(member, taken) for member in members)
    if members := union_members(taken):
        return any(fits(given, member) for member in members)
    if typing.get_origin(given) is Literal:
        return any(misfit(choice, taken) is None for choice in typing.get_args(given))
    if typing.get_origin(taken) is Literal:
        return any(fits(given, type(choice)) for choice in typing.get_args(taken))
    return _class_fits(_class_of(given), _class_of(taken)) and _arguments_fit(given, taken)


def bare(annotation: Any) -> Any:
    """The annotation without `Annotated`, aliases, `Final` and `NewType` around it."""
    while True:
        if annotation is None:
            return NONE
        if typing.get_origin(annotation) in (Annotated, Final, typing.ClassVar, typing.Required, typing.NotRequired):
            annotation = typing.get_args(annotation)[0]
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType" and hasattr(annotation, "__value__"):
            annotation = annotation.__value__
        else:
            return annotation


def union_members(annotation: Any) -> tuple[Any, ...]:
    """The members of a Union, an Optional or `X | Y`; nothing for everything else."""
    return typing.get_args(annotation) if typing.get_origin(annotation) in (Union, types.UnionType) else ()


def named(annotation: Any) -> str:
    """An annotation as one writes it: `list[int]`, `DataFrame`, `str | None`."""
    annotation = bare(annotation)
    if annotation is NONE:
        return "None"
    if members := union_members(annotation):
        return " | ".join(named(member) for member in members)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin is not None and arguments:
        inside = ", ".join("..." if part is ... else named(part) for part in arguments)
        return f"{named(origin)}[{inside}]"
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


def named_value(value: Any) -> str:
    """What a plain value is, for people: `str 'a'`, `int '3'`, `list`, `null`."""
    if value is None:
        return "null"
    if isinstance(value, dict | list):
        return type(value).__name__
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{type(value).__name__} '{text if len(text) <= 60 else text[:59] + '…'}'"


def _takes(value: Any, taken: Any) -> bool:
    """Whether a value's own class is right, its parts aside."""
    if not isinstance(value, NONE | bool | int | float | str | list | dict):
        return True  # not known yet
    if taken in (NONE, bool, str, list, dict):
        return type(value) is taken
    if taken is int:
        return type(value) is int
    if taken is float:
        return type(value) in (int, float)
    return not (isinstance(taken, type) and issubclass(taken, PurePath))


def _parts(value: Any, origin: Any, arguments: tuple[Any, ...], path: Path) -> Iterator[Misfit]:
    if origin is list and arguments and isinstance(value, list):
        parts: Iterable[tuple[str | int, Any]] = enumerate(value)
    elif origin is dict and len(arguments) == 2 and isinstance(value, dict):
        keys = [found for key in value if (found := misfit(key, arguments[0], (*path, key)))]
        yield from keys[:1]
        parts = value.items()
    else:
        return
    for key, part in parts:
        if found := misfit(part, arguments[-1], (*path, key)):
            yield found


def _class_of(annotation: Any) -> type | None:
    """The class behind an annotation, when it has one that can be compared."""
    found = typing.get_origin(annotation) or annotation
    if not isinstance(found, type) or found is Any or getattr(found, "_is_protocol", False):
        return None
    return dict if typing.is_typeddict(found) else found


def _class_fits(given: type | None, taken: type | None) -> bool:
    if given is None or taken is None or given is taken or (given, taken) == (tuple, list):
        return True  # stored as JSON, a tuple comes back as a list
    try:
        if issubclass(given, taken) or issubclass(taken, given):
            return True  # a base class may well hold the right one
        numbers = issubclass(given, Number) and issubclass(taken, Number)
    except TypeError:
        return True
    builtin = given.__module__ == taken.__module__ == "builtins"
    return numbers and (not builtin or _widens(given, taken))


def _widens(given: type, taken: type) -> bool:
    order = (bool, int, float, complex)
    return given in order and taken in order and order.index(given) <= order.index(taken)


def _arguments_fit(given: Any, taken: Any) -> bool:
    container, target = typing.get_origin(given), typing.get_origin(taken)
    have, want = typing.get_args(given), typing.get_args(taken)
    if container not in CONTAINERS or not (container is target or target in VIEWS.get(container, ())):
        return True
    if container is tuple:
        if ... in have or ... in want:
            return fits(have[0], want[0]) if have and want else True
        return len(have) == len(want) and all(map(fits, have, want))
    return len(have) != len(want) or all(map(fits, have, want))

"""A pod's spec as Kubernetes declares it: which fields there are, of which types, and what of them is runner's own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from runner.document.node import UNKNOWN
from runner.errors import nearest
from runner.plan.secrets import VARIABLE, secret_names

POD = "PodSpec"
_QUANTITY = re.compile(r"[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")
_MOST = 12  # names that a help lists

# What runner sets, and where to say it instead.
TAKEN: Mapping[tuple[str, str], str] = {
    (POD, "restartPolicy"): "each attempt is a pod of its own, and never starts again: write `retry` in the step",
    (POD, "activeDeadlineSeconds"): "it follows from the step's `timeout`: write that",
    (POD, "ephemeralContainers"): "Kubernetes takes none in a new pod; `kubectl debug` adds them",
    (POD, "serviceAccount"): "it is an old name: write serviceAccountName",
    ("Step", "name"): "the step's container has its name from runner: leave it out",
    ("Step", "image"): "write it as the step's image: `settings: {image: {image: NAME:TAG}}`",
    ("Step", "imagePullPolicy"): "write image_pull_policy in the stack's orchestrator",
    ("Step", "command"): "the container starts runner's worker, which calls the step's `entrypoint`",
    ("Step", "args"): "the container starts runner's worker, which calls the step's `entrypoint`",
    ("Step", "workingDir"): "the project's code is in the folder that the image starts in",
    ("Step", "restartPolicy"): "each attempt is a pod of its own, and never starts again: write `retry` in the step",
    ("Step", "restartPolicyRules"): "each attempt is a pod of its own: write `retry` in the step",
}


class Wrong(NamedTuple):
    """One mistake. `path` leads to the value, and for a mistake about a key to the mapping that has it."""

    path: tuple[str | int, ...]
    key: str
    code: str
    message: str
    help: str


def wrong(value: Mapping[str, Any], kind: str = POD) -> Iterator[Wrong]:
    """Everything in a step's `pod`, or in another value of a type of Kubernetes', that it does not know, or that is
    runner's own."""
    yield from _mapping(value, kind, ())


def inside(kind: str, key: str) -> str:
    """The type of a field of a type, or of what a mapping holds; empty where there is none."""
    if kind.startswith("{"):
        return kind[1:-1]
    fields = _types().get(kind, {})
    return fields.get(key) or fields.get(f"{key}!") or ""


def element(kind: str) -> tuple[str, str]:
    """The type of a list's entries, and the field by which they are told apart, if any."""
    of, _, key = kind[1:].rpartition("]")
    return of, key


def json_schema(kind: str) -> dict[str, Any]:
    """The fields of a type as a JSON Schema for editors: their names and whether each is text, a list, …"""
    fields = {
        field.rstrip("!"): {"type": [*_json_type(of), "null"]}
        for field, of in _types()[kind].items()
        if (kind, field) not in TAKEN
    }
    return {"type": "object", "properties": fields, "additionalProperties": False}


def _json_type(kind: str) -> tuple[str, ...]:
    return ("array",) if kind.startswith("[") else _JSON.get(kind, ("object",))


@cache
def _types() -> dict[str, dict[str, str]]:
    # Read where a pod is written only: start-up time counts.
    content = json.loads((Path(__file__).parent / "pod_schema.json").read_text("utf-8"))
    types: dict[str, dict[str, str]] = content["types"]
    types[POD] = {**types[POD], "containers": "[Step]"}
    types["Step"] = {field.rstrip("!"): kind for field, kind in types["Container"].items()}
    types[POD].pop("containers!")
    return types


def _value(value: Any, kind: str, path: tuple[str | int, ...]) -> Iterator[Wrong]:
    if value is None or value is UNKNOWN:  # null takes a field away
        return
    if kind.startswith("["):
        yield from _list(value, kind, path) if isinstance(value, list | tuple) else _type(value, "a list", path)
    elif kind == "object" or kind.startswith("{") or kind in _types():
        yield from _mapping(value, kind, path) if isinstance(value, Mapping) else _type(value, "a mapping", path)
    else:
        yield from _scalar(value, kind, path)


def _mapping(value: Mapping[str, Any], kind: str, path: tuple[str | int, ...]) -> Iterator[Wrong]:
    fields = _types().get(kind)
    names = [field.rstrip("!") for field in fields or ()]
    for key, member in value.items():
        if fields is not None and key not in names:
            yield Wrong(path, key, "unknown-key", f"unknown key '{key}'", _known(key, names, kind))
        elif reason := TAKEN.get((kind, key)):
            yield Wrong(path, key, "set-by-runner", f"'{key}' is set by runner", reason)
        elif kind != "object":
            yield from _value(member, inside(kind, key), (*path, key))
    for field in fields or ():
        if field.endswith("!") and value.get(field[:-1]) is None:
            message = f"{_named(path)} has no '{field[:-1]}'"
            yield Wrong(path, "", "missing-key", message, f"add '{field[:-1]}', which Kubernetes demands of {_a(kind)}")
    if kind == "EnvVar" and str(value.get("name", "")).startswith(VARIABLE):
        message = f"variables that begin with '{VARIABLE}' are set by runner"
        yield Wrong((*path, "name"), "", "set-by-runner", message, "they hold what `${secrets.NAME}` refers to")


def _list(value: Any, kind: str, path: tuple[str | int, ...]) -> Iterator[Wrong]:
    of, _ = element(kind)
    for index, each in enumerate(value):
        if of == "Step" and index:
            help = "a helper beside it is an entry of initContainers with `restartPolicy: Always`"
            yield Wrong((*path, index), "", "one-container", "the pod of a step has one container, the step's", help)
            return
        if each is None:
            yield from _type(each, _WORDS.get(of, "a mapping"), (*path, index))
        else:
            yield from _value(each, of, (*path, index))


def _scalar(value: Any, kind: str, path: tuple[str | int, ...]) -> Iterator[Wrong]:
    if isinstance(value, str) and secret_names(value):
        help = "refer to a Secret of the cluster: env: [{name: …, valueFrom: {secretKeyRef: {name: …, key: …}}}]"
        yield Wrong(path, "", "secret-in-a-manifest", "no secret's value stands in a manifest", help)
    elif not isinstance(value, _PYTHON[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield from _type(value, _WORDS[kind], path)
    elif kind == "Quantity" and not (isinstance(value, int | float) or _QUANTITY.fullmatch(value)):
        guess = re.sub("(?i)b$", "", value.replace(" ", ""))
        known = "as in 500m, 2, 512Mi or 8G"
        help = f"did you mean '{guess}'? " if guess != value and _QUANTITY.fullmatch(guess) else ""
        yield Wrong(path, "", "bad-quantity", f"'{value}' is no quantity of Kubernetes", f"{help}write it {known}")


def _type(value: Any, expected: str, path: tuple[str | int, ...]) -> Iterator[Wrong]:
    words = next(words for kinds, words in _FOUND if isinstance(value, kinds))
    what = f"'{_text(value)}'" if isinstance(value, str | int | float) else _named(path)
    help = f'put it in quotes: "{_text(value)}"' if expected == "text" and isinstance(value, int | float) else ""
    yield Wrong(path, "", "wrong-type", f"{what} is {words}, not {expected}", help or f"write {expected}")


def _known(key: str, names: list[str], kind: str) -> str:
    near = nearest(key, names)
    if near:
        return f"did you mean '{near}'?"
    shown = ", ".join([*names[:_MOST], *(["…"] if len(names) > _MOST else [])])
    return f"Kubernetes' fields of {_a(kind)}: {shown}"


def _named(path: tuple[str | int, ...]) -> str:
    *before, last = path
    return f"'{last}'" if isinstance(last, str) else f"entry {last + 1} of '{before[-1]}'"


def _a(kind: str) -> str:
    kind = "Container" if kind == "Step" else kind
    return f"an {kind}" if kind[0] in "AEIO" else f"a {kind}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)


_PYTHON: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "number": int | float,
    "boolean": bool,
    "Quantity": str | int | float,
    "IntOrString": str | int,
}
_JSON: dict[str, tuple[str, ...]] = {name: (name,) for name in ("string", "integer", "number", "boolean")}
_JSON |= {"Quantity": ("string", "number"), "IntOrString": ("string", "integer")}
_WORDS: Mapping[str, str] = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "Quantity": "a quantity",
    "IntOrString": "a whole number or text",
}
_FOUND: tuple[tuple[Any, str], ...] = (
    (bool, "a boolean"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "text"),
    (Mapping, "a mapping"),
    (list | tuple, "a list"),
    (object, "empty"),
)

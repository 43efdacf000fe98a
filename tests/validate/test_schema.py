"""The schema and the models accept and refuse the same documents."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import jsonschema
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ConfigDict, Field

from runner.document.interpolate import interpolate
from runner.document.node import UNKNOWN, Document, Node, planted
from runner.document.read import KINDS, read_file
from runner.orchestrators import registry
from runner.project import all_settings
from runner.spec.common import Integer, Spec, Strings
from runner.spec.pipeline import ImageSettings, PipelineSpec
from runner.spec.resources import ResourcesDocument
from runner.spec.stack import StackSpec, component_model
from runner.validate.bind import bind, not_yet
from runner.validate.schema import BY_IMPORT_PATH, as_text, schemas, write

ROOT = Path(__file__).parents[2]
FLAVORS = {name: registry.flavor(name) for name in registry.BUILTINS}


class CloudSettings(Spec):
    """A flavor with fields of every sort, one of them required."""

    project: str = Field(description="Where it runs.")
    workers: Annotated[Integer, Field(ge=1, lt=100)] = 1
    share: Annotated[float, Field(gt=0, le=1)] | None = None
    labels: dict[str, str] = Field({}, description="Labels.")
    steps: Strings = ()


class OpenSettings(Spec):
    """What a flavor known by its import path might take."""

    model_config = ConfigDict(extra="allow")


# As the command line puts them together, and one more flavor.
COMPONENTS: dict[str, dict[str, type[Spec]]] = {
    **all_settings(),
    "orchestrator": {name: flavor.Settings for name, flavor in FLAVORS.items()},  # whatever else is installed here
}
STEP_SETTINGS = {name: flavor.StepSettings for name, flavor in FLAVORS.items()}
WITH_CLOUD = COMPONENTS | {"orchestrator": COMPONENTS["orchestrator"] | {"cloud": CloudSettings}}
SETTINGS_WITH_CLOUD = STEP_SETTINGS | {"cloud": CloudSettings}
SCHEMAS = schemas(WITH_CLOUD, SETTINGS_WITH_CLOUD)


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    """`pattern` as ECMA-262 has it: `$` is the end, where Python's also stands before a last line break."""
    if isinstance(instance, str) and not re.search(re.sub(r"(?<!\\)\$$", r"\\Z", pattern), instance):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, schema: Any) -> Iterator[Any]:
    for pattern, part in patterns.items() if isinstance(instance, dict) else ():
        for key in [key for key in instance if not list(_pattern(validator, pattern, key, schema))]:
            yield from validator.descend(instance[key], part, path=key, schema_path=pattern)


def _additional(validator: Any, allowed: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if allowed is not False or not isinstance(instance, dict):
        if isinstance(allowed, dict) and isinstance(instance, dict):
            yield from jsonschema.Draft202012Validator.VALIDATORS["additionalProperties"](
                validator, allowed, instance, schema
            )
        return
    for key in instance:
        known = key in schema.get("properties", {})
        if not known and all(list(_pattern(validator, p, key, schema)) for p in schema.get("patternProperties", {})):
            yield jsonschema.ValidationError(f"{key!r} is not allowed")


def _finite(checker: Any, value: Any) -> bool:
    """JSON has no infinities."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value and abs(value) != math.inf


Ecma = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"pattern": _pattern, "patternProperties": _pattern_properties, "additionalProperties": _additional},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("number", _finite),
)
VALIDATORS = {kind: Ecma(schema) for kind, schema in SCHEMAS.items()}


def schema_accepts(plain: Any) -> bool:
    kind = plain.get("kind") if isinstance(plain, dict) else None
    return isinstance(kind, str) and kind in VALIDATORS and VALIDATORS[kind].is_valid(plain)


def models_accept(document: Document) -> bool:
    """Whether binding finds no problem; every parameter counts as declared, and none has a value."""
    document, _ = interpolate(document, {}, ["x", *_parameters(document)], {})
    if document.kind not in VALIDATORS:
        return False
    return not not_yet(document) and not any(_problems(document))


def _parameters(document: Document) -> list[str]:
    section = document.node.child("parameters")
    return list(section.value) if section and isinstance(section.value, dict) else []


def _problems(document: Document) -> Iterator[Any]:
    match document.kind:
        case "pipeline":
            yield from bind(document, PipelineSpec)[1]
            yield from _settings(document, ("settings",))
            steps = document.node.at(("steps",)).value
            for name in steps if isinstance(steps, dict) else ():
                yield from _settings(document, ("steps", name, "settings"))
        case "resources":
            yield from bind(document, ResourcesDocument)[1]
        case "stack":
            yield from bind(document, StackSpec)[1]
            for kind in COMPONENTS:
                if document.node.has((kind,)) and isinstance(document.node.at((kind,)).value, dict):
                    yield from _component(document, kind, (kind,))
        case kind:
            yield from _component(document, str(kind), ())


def _settings(document: Document, path: tuple[str, ...]) -> Iterator[Any]:
    node = document.node.at(path)
    for key in node.value if document.node.has(path) and isinstance(node.value, dict) else ():
        model = {"image": ImageSettings, **SETTINGS_WITH_CLOUD}.get(key, OpenSettings if _is_path(key) else None)
        yield from bind(document, model, (*path, key))[1] if model else [f"unknown settings '{key}'"]


def _component(document: Document, kind: str, path: tuple[str, ...]) -> Iterator[Any]:
    flavor = document.node.at(path).child("flavor")
    value = flavor.value if flavor else None
    known = WITH_CLOUD[kind]
    model = (
        known.get(value, OpenSettings if kind in BY_IMPORT_PATH and _is_path(value) else None)
        if isinstance(value, str)
        else Spec
    )
    in_place = bool(path)
    yield from bind(document, component_model(kind, model, in_place=in_place), path)[1] if model else ["unknown flavor"]


def _is_path(word: Any) -> bool:
    return isinstance(word, str) and bool(re.fullmatch("[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*", word))


def as_document(plain: Any) -> Document:
    return Document("d.yaml", planted(plain, Node(None, 1, 1)), "${")


def is_literal(plain: dict[str, Any]) -> bool:
    """Whether what gives a document its shape is written out; an interpolation there is the schema's to refuse."""
    steps = plain.get("steps")
    places = [plain.get(key) for key in ("kind", "name", "flavor", "steps")]
    places += [part.get("flavor") for part in plain.values() if isinstance(part, dict)]
    places += steps.values() if isinstance(steps, dict) else ()
    return not any(isinstance(value, str) and "${" in value for value in places)


# -- documents that exist ----------------------------------------------------------------------------------------------

EXAMPLES = sorted(
    path for name in ("pipelines", "stacks") for path in (ROOT / name).rglob("*") if path.suffix in (".yaml", ".toml")
)
INVALID = sorted(path for path in (ROOT / "tests/invalid").rglob("*") if path.suffix in (".yaml", ".toml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_both_accept_every_example(path):
    documents, problems = read_file(path)
    assert documents and not problems
    for document in documents:
        assert models_accept(document)
        assert list(VALIDATORS[document.kind].iter_errors(document.node.plain())) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_names_its_schema(path):
    documents, _ = read_file(path)
    header = f"$schema=../schema/{documents[0].kind}.schema.json" if path.suffix == ".yaml" else "../schema/"
    assert header in path.read_text().split("\n")[0]


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.name)
def test_both_judge_wrong_documents_alike(path):
    for document in read_file(path)[0]:
        plain = _unread_as_unknown(document.node.plain())
        if is_literal(plain):
            assert schema_accepts(plain) == models_accept(document), document.name


def _unread_as_unknown(value: Any) -> Any:
    """What could not be read (a tag, an alias) is not judged, as an interpolation is not."""
    if isinstance(value, dict):
        return {key: _unread_as_unknown(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_unread_as_unknown(part) for part in value]
    return "${parameters.x}" if value is UNKNOWN else value


# -- documents that are generated --------------------------------------------------------------------------------------

PIPELINE: dict[str, Any] = {
    "kind": "pipeline",
    "name": "p",
    "description": "d",
    "parameters": {
        "x": {"type": "number", "default": 0.5, "minimum": 0, "exclusiveMaximum": 1, "description": "d", "title": "t"},
        "y": {"type": "array", "items": {"type": "string", "pattern": "a"}, "minItems": 0, "uniqueItems": True},
        "z": {"properties": {"a": {"enum": [1, "a", None]}}, "required": ["a"], "additionalProperties": False},
        "w": {"const": None, "examples": [1], "format": "date", "multipleOf": 0.5, "minLength": 0, "maxLength": 9},
    },
    "environment": {"A": "b"},
    "settings": {
        "image": {"base": "b", "requirements": ["r"], "apt": ["a"], "env": {"A": "b"}, "code": "baked", "python": "3"},
        "local": {"environment": "venv"},
        "cloud": {"project": "p", "workers": 2, "share": 0.5, "labels": {"a": "b"}, "steps": ["a"]},
        "my.package:Flavor": {"anything": [1]},
    },
    "defaults": {
        "resources": "small",
        "retry": {"max_retries": 2},
        "timeout": "1h30m",
        "cache": {"expires_after": "7d"},
    },
    "on_failure": "continue",
    "stack": "s",
    "steps": {
        "a": {
            "entrypoint": "m.n:f",
            "inputs": {"i": "b.c", "j": "b"},
            "parameters": {"k": "${parameters.x}", "l": [1, {"m": None}]},
            "after": ["b"],
            "outputs": ["o"],
            "resources": {"cpu_count": 0.5, "memory": "1.5GiB", "gpu_count": 1, "gpu_type": "g", "disk": "1GB"},
            "retry": {"max_retries": 1000, "delay": "1.5s", "backoff": 1, "max_delay": "1m"},
            "timeout": "${parameters.x}",
            "cache": False,
            "environment": {"A": "${env.B}"},
            "settings": {"image": {"image": "i", "requirements": "r.txt"}, "local": {}},
        },
        "b": {"entrypoint": "m:f"},
    },
}
DOCUMENTS: list[dict[str, Any]] = [
    PIPELINE,
    {"kind": "pipeline", "name": "p", "steps": {"a": {"entrypoint": "m:f"}}},
    {
        "kind": "resources",
        "name": "r",
        "cpu_count": 1,
        "memory": "1GB",
        "gpu_count": 0,
        "shm": "64MiB",
        "gpu_type": "g",
    },
    {"kind": "stack", "name": "s", "description": "d", "orchestrator": "o", "artifact_store": "a"},
    {"kind": "stack", "name": "s", "orchestrator": {"flavor": "local", "max_parallel": 2, "isolation": "none"}},
    {"kind": "stack", "name": "s", "orchestrator": {"flavor": "a.b:C", "x": 1}, "artifact_store": {"flavor": "local"}},
    {"kind": "orchestrator", "name": "o", "flavor": "local", "max_parallel": 2},
    {"kind": "orchestrator", "name": "o", "flavor": "cloud", "project": "p", "workers": 99, "labels": {"a": "b"}},
    {"kind": "orchestrator", "name": "o", "flavor": "a.b:C", "anything": {"x": [1]}},
    {"kind": "artifact_store", "name": "a", "flavor": "local", "path": "p"},
]
WORDS = [
    *(
        "",
        "a",
        "A_b-c",
        "1a",
        "a b",
        "a\n",
        "ä",
        "x" * 63,
        "x" * 64,
        "a.b",
        "a.b\n",
        "m:f",
        "m:f\n",
        "a.b:C",
        "a.b.c",
        "m.n",
    ),
    *("1s", "1h30m", "30m1h", "1.5d", "s", "1", "10", "1 s", "1s\n", "0s", "1GB", "1.5GiB", "GB", "1gb", "1GB\n"),
    *("local", "cloud", "image", "true", "null", "fail_fast", "continue", "none", "venv", "baked", "string", "object"),
    *("${parameters.x}", "a${parameters.x}b", "pipeline", "stack", "resources", "orchestrator", "local\n"),
]
NUMBERS = [
    *(
        0,
        1,
        -1,
        2,
        3,
        99,
        100,
        1000,
        1001,
        10_000,
        10_001,
        100_000,
        100_001,
        10**30,
        -0.0,
        0.0,
        1.0,
        2.0,
        0.5,
        1.5,
        2.5,
    ),
    *(1e-9, 1e300, 100.0, 1000.0, 100000.5, math.inf, -math.inf, math.nan),
]
SCALARS = st.one_of(st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from(WORDS), st.text(max_size=4))
KEYS = st.sampled_from(
    [
        *(word for word in WORDS if "${" not in word),
        *(
            "kind",
            "name",
            "flavor",
            "steps",
            "schedule",
            "foreach",
            "parameters",
            "settings",
            "cpu_count",
            "delay",
            "path",
        ),
        *(
            "expires_after",
            "entrypoint",
            "requirements",
            "items",
            "default",
            "minimum",
            "max_parallel",
            "title",
            "outputs",
        ),
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=4,
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(part, (*path, key))


def _alike(key: Any) -> list[Any]:
    """Values that stand under this key somewhere in the documents."""
    found = [(path, document) for document in DOCUMENTS for path in _places(document) if path and path[-1] == key]
    return [_value_at(document, path) for path, document in found] or [None]


def _value_at(value: Any, path: tuple[Any, ...]) -> Any:
    for part in path:
        value = value[part]
    return value


@st.composite
def changed(draw: st.DrawFn) -> dict[str, Any]:
    """One of the documents with one to three changes anywhere in it."""
    document = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        *way, last = draw(st.sampled_from([path for path in _places(document) if path]))
        holder = document
        for part in way:
            holder = holder[part]
        match draw(st.sampled_from(["replace", "remove", "borrow", "borrow", "add", "rename", "nest"])):
            case "replace":
                holder[last] = draw(VALUES)
            case "remove":
                del holder[last]
            case "borrow":
                holder[last] = copy.deepcopy(draw(st.sampled_from(_alike(last))))
            case "add" if isinstance(holder, dict):
                holder[draw(KEYS)] = draw(VALUES)
            case "rename" if isinstance(holder, dict):
                holder[draw(KEYS)] = holder.pop(last)
            case "nest":
                holder[last] = {draw(KEYS): holder[last]} if draw(st.booleans()) else [holder[last]]
        assume(document)
    return document


@settings(max_examples=600, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(changed())
def test_both_judge_generated_documents_alike(plain):
    assume(isinstance(plain.get("kind"), str) and is_literal(plain))
    assert schema_accepts(plain) == models_accept(as_document(plain))


@pytest.mark.parametrize("plain", DOCUMENTS, ids=lambda plain: plain["kind"])
def test_the_documents_that_are_changed_are_right_at_first(plain):
    assert models_accept(as_document(plain))
    assert list(VALIDATORS[plain["kind"]].iter_errors(plain)) == []


# -- the schemas themselves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SCHEMAS)
def test_each_is_a_schema_of_its_draft(kind):
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[kind])
    assert SCHEMAS[kind]["$id"] == f"{kind}.schema.json"


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_reference_leads_somewhere(kind):
    referred = set(re.findall(r'"#/\$defs/([^"]+)"', as_text(SCHEMAS[kind])))
    assert referred <= set(SCHEMAS[kind]["$defs"])


def test_there_is_one_for_every_kind_that_is_supported():
    assert set(SCHEMAS) == set(KINDS)


def test_help_and_defaults_are_kept_and_titles_are_not():
    retry = SCHEMAS["pipeline"]["$defs"]["Retry"]["properties"]
    assert retry["max_delay"]["default"] == "5m"
    assert retry["max_delay"]["description"] == "No wait is longer."
    assert '"title": "' not in as_text(SCHEMAS["pipeline"])


def test_bounds_behind_a_validator_are_bounds_in_the_schema():
    (whole, *_) = SCHEMAS["pipeline"]["$defs"]["Retry"]["properties"]["max_retries"]["anyOf"]
    assert whole == {"type": "integer", "minimum": 0, "maximum": 1000}


@pytest.mark.parametrize("place", [("name",), ("steps",), ("steps", "a"), ("kind",)])
def test_what_gives_a_document_its_shape_is_written_out(place):
    plain = copy.deepcopy(DOCUMENTS[1])
    holder = plain
    for part in place[:-1]:
        holder = holder[part]
    holder[place[-1]] = "${parameters.x}"
    assert not VALIDATORS["pipeline"].is_valid(plain)


def test_a_flavor_that_is_not_known_is_refused():
    assert not schema_accepts({"kind": "orchestrator", "name": "o", "flavor": "kuberntes"})
    assert schema_accepts({"kind": "orchestrator", "name": "o", "flavor": "a.b:C", "any": 1})


def test_parameters_are_declared_without_interpolation():
    plain = copy.deepcopy(DOCUMENTS[1]) | {"parameters": {"y": {"minimum": "${parameters.x}"}}}
    assert not schema_accepts(plain)
    assert not models_accept(as_document(plain))


def test_what_is_not_known_yet_counts_as_right():
    document = as_document(DOCUMENTS[1] | {"on_failure": "${parameters.x}"})
    filled, _ = interpolate(document, {}, ["x"], {})
    assert filled.node.at(("on_failure",)).value is UNKNOWN
    assert models_accept(document)


def test_files_are_the_same_whatever_the_order_of_flavors(tmp_path):
    backwards = {kind: dict(reversed(flavors.items())) for kind, flavors in reversed(WITH_CLOUD.items())}
    found = schemas(backwards, dict(reversed(SETTINGS_WITH_CLOUD.items())))
    paths = write(found, tmp_path / "schema")
    assert [path.name for path in paths] == sorted(f"{kind}.schema.json" for kind in SCHEMAS)
    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert json.loads(text)["$id"] == path.name
        assert text == as_text(SCHEMAS[path.name.partition(".")[0]])


def test_the_folder_schema_is_as_generated():
    generated = schemas(COMPONENTS, STEP_SETTINGS)
    assert {path.name for path in (ROOT / "schema").iterdir()} == {f"{kind}.schema.json" for kind in generated}
    for kind, schema in generated.items():
        assert (ROOT / "schema" / f"{kind}.schema.json").read_text(encoding="utf-8") == as_text(schema), (
            "run `make schema`"
        )

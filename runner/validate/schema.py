"""JSON Schema (draft 2020-12) of every kind of document, generated from the models, for editors and other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from runner.spec.common import Spec
from runner.spec.pipeline import ImageSettings, PipelineSpec
from runner.spec.resources import ResourcesDocument
from runner.spec.stack import COMPONENT_KINDS, Component, StackSpec, component_model

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
BY_IMPORT_PATH = COMPONENT_KINDS  # the kinds whose flavors may be classes of the user's own
IMPORT_PATH = "^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$"
INTERPOLATION: Schema = {
    "type": "string",
    "pattern": r"\$\{",
    "description": "An interpolation: ${parameters.x}, ${env.NAME}, ${secrets.NAME} or ${run.id}.",
}
INTERPOLATED: Schema = {"$ref": "#/$defs/interpolation"}

# Values that give a document its shape are written out; parameters are declared before anything can be filled in.
FIXED = frozenset({"kind", "name", "flavor"})
FIXED_IN_PIPELINE = FIXED | {"parameters", "steps"}
LITERAL_MODELS = frozenset({"Parameter"})
# What pydantic writes for a bound that stands behind a validator of ours.
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
# What stays beside `anyOf` when the rest of a schema moves into it.
NOTES = ("description", "default", "examples")


class AnySettings(Spec):
    """The fields of a flavor that is known by its import path only."""

    model_config = ConfigDict(extra="allow")


def schemas(
    components: Mapping[str, Mapping[str, type[Spec]]], step_settings: Mapping[str, type[Spec]]
) -> dict[str, Schema]:
    """Kind → its schema. `components`: kind → flavor → Settings; `step_settings`: flavor → StepSettings.

    A flavor that is none of those is refused, unless it is an import path: then its fields are not judged.
    """
    found = {
        "pipeline": _pipeline(step_settings),
        "stack": _stack(components),
        "resources": _document(ResourcesDocument),
    }
    for kind, flavors in components.items():
        found[kind] = _component(kind, flavors)
    return {kind: _titled(kind, schema) for kind, schema in found.items()}


def as_text(schema: Schema) -> str:
    """A schema as the text of its file: the same for the same models, whatever the order they were read in."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def write(schemas: Mapping[str, Schema], folder: Path) -> list[Path]:
    """Write `<kind>.schema.json` for each kind; gives the files' paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind, schema in sorted(schemas.items()):
        path = folder / f"{kind}.schema.json"
        path.write_text(as_text(schema), encoding="utf-8")
        paths.append(path)
    return paths


def _titled(kind: str, schema: Schema) -> Schema:
    definitions = schema.pop("$defs", {}) | {"interpolation": INTERPOLATION}
    return {"$schema": DIALECT, "$id": f"{kind}.schema.json", **schema, "$defs": definitions}


def _pipeline(step_settings: Mapping[str, type[Spec]]) -> Schema:
    schema = _document(PipelineSpec, fixed=FIXED_IN_PIPELINE)
    definitions = schema["$defs"]
    models: dict[str, type[Spec]] = {"image": ImageSettings, **step_settings}
    properties = {name: _part(model, f"settings.{name}", definitions, frozenset()) for name, model in models.items()}
    definitions["settings"] = {
        "type": "object",
        "properties": {name: _interpolated(part) for name, part in properties.items()},
        "patternProperties": {IMPORT_PATH: _interpolated({"type": "object"})},
        "additionalProperties": False,
    }
    for owner in (schema["properties"], definitions["StepSpec"]["properties"]):
        described = {"$ref": "#/$defs/settings", "description": owner["settings"]["description"]}
        owner["settings"] = _interpolated(described)
    return schema


def _stack(components: Mapping[str, Mapping[str, type[Spec]]]) -> Schema:
    schema = _document(StackSpec)
    definitions = schema.setdefault("$defs", {})
    for kind, flavors in components.items():
        if kind not in schema["properties"]:
            continue
        definitions[kind] = _flavors(kind, flavors, definitions, in_place=True)
        choices = schema["properties"][kind]["anyOf"]
        place = next(index for index, choice in enumerate(choices) if choice.get("type") == "object")
        choices[place] = {"$ref": f"#/$defs/{kind}"}
    return schema


def _component(kind: str, flavors: Mapping[str, type[Spec]]) -> Schema:
    definitions: dict[str, Schema] = {}
    return _flavors(kind, flavors, definitions, in_place=False) | {"$defs": definitions}


def _flavors(kind: str, flavors: Mapping[str, type[Spec]], definitions: dict[str, Schema], *, in_place: bool) -> Schema:
    """A component: which flavor it is decides which fields it has."""
    cases = []
    for flavor, settings in sorted(flavors.items(), key=lambda item: item[0]):
        model = component_model(kind, settings, in_place=in_place)
        cases.append(_case({"const": flavor}, _part(model, f"{kind}.{flavor}", definitions)))
    names: Schema = {"anyOf": [{"enum": sorted(flavors)}] if flavors else []}
    if kind in BY_IMPORT_PATH:
        model = component_model(kind, AnySettings, in_place=in_place)
        cases.append(_case({"pattern": IMPORT_PATH}, _part(model, f"{kind}.import-path", definitions)))
        names["anyOf"].append({"type": "string", "pattern": IMPORT_PATH})
    return {
        "type": "object",
        "properties": {"flavor": {"description": Component.model_fields["flavor"].description, **names}},
        "required": ["flavor"],
        "allOf": cases,
    }


def _case(flavor: Schema, then: Schema) -> Schema:
    return {"if": {"properties": {"flavor": flavor}, "required": ["flavor"]}, "then": then}


def _part(model: type[Spec], label: str, definitions: dict[str, Schema], fixed: frozenset[str] = FIXED) -> Schema:
    """A reference to a model's schema, which is put among `definitions` under a name of its own."""
    schema = _document(model, f"{label}.", fixed)
    definitions |= schema.pop("$defs", {})
    definitions[label] = schema
    return {"$ref": f"#/$defs/{label}"}


def _document(model: type[Spec], prefix: str = "", fixed: frozenset[str] = FIXED) -> Schema:
    """A model's schema; the models inside it are named `<prefix><name>`."""
    raw = model.model_json_schema(ref_template=f"#/$defs/{prefix}{{model}}")
    definitions = {
        f"{prefix}{name}": _tidy(part, literal=name in LITERAL_MODELS) for name, part in raw.pop("$defs", {}).items()
    }
    schema = _tidy(raw, fixed=fixed)
    return {**schema, "$defs": definitions} if definitions else schema


def _tidy(raw: Schema, *, literal: bool = False, fixed: frozenset[str] = frozenset()) -> Schema:
    """What pydantic generates, without its titles, closed where the models are, and open to interpolation unless
    `literal`. The properties `fixed` are literal themselves; a step in `steps` is, but not what is in it."""
    schema = {BOUNDS.get(key, key): value for key, value in raw.items() if key != "title"}
    if schema.get("default", ...) in (None, {}, []) or isinstance(schema.get("default"), dict):
        del schema["default"]
    if "oneOf" in schema:
        schema["anyOf"] = schema.pop("oneOf")
    if "anyOf" in schema:
        schema["anyOf"] = _flat([_tidy(part, literal=literal) for part in schema["anyOf"]])
    if "items" in schema:
        schema["items"] = _value(schema["items"], literal)
    if isinstance(schema.get("additionalProperties"), dict):
        schema["additionalProperties"] = _value(schema["additionalProperties"], literal)
    if "properties" in schema:
        schema["properties"] = {
            name: _value(part, literal or name in fixed) for name, part in schema["properties"].items()
        }
    if "patternProperties" in schema:
        schema["patternProperties"] = {
            pattern: _value(part, literal) for pattern, part in schema["patternProperties"].items()
        }
        schema["additionalProperties"] = False
    return schema


def _value(raw: Schema, literal: bool) -> Schema:
    schema = _tidy(raw, literal=literal)
    return schema if literal else _interpolated(schema)


def _interpolated(schema: Schema) -> Schema:
    """The same, or an interpolation; a value that may be any string takes one already."""
    rules = {key: value for key, value in schema.items() if key not in NOTES}
    if not rules or rules == {"type": "string"}:
        return schema
    notes = {key: value for key, value in schema.items() if key in NOTES}
    choices = rules["anyOf"] if list(rules) == ["anyOf"] else [rules]
    if {"type": "string"} in choices:
        return schema
    return notes | {"anyOf": [*choices, INTERPOLATED]}


def _flat(choices: list[Schema]) -> list[Schema]:
    """Choices without choices inside them."""
    return [part for choice in choices for part in (choice["anyOf"] if list(choice) == ["anyOf"] else [choice])]

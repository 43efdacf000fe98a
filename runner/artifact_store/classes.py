"""Instances of dataclasses and pydantic models as the JSON of their fields, when that gives back an equal instance."""

from __future__ import annotations

import importlib
import json
from typing import Any

from runner.artifact_store.base import ArtifactStore
from runner.artifact_store.objects import CannotLoad, artifact, get_bytes, loaded, put_bytes, type_name
from runner.artifact_store.plain import encode_json
from runner.records import Artifact


def save_instance(value: Any, store: ArtifactStore) -> Artifact | None:
    """Save an instance by its fields; None when it is none, or its fields do not make up the whole of it."""
    kind = type(value)
    pydantic = loaded("pydantic")
    if pydantic is not None and isinstance(value, pydantic.BaseModel):
        type_, text = "pydantic", _model_json(value)
    elif hasattr(kind, "__dataclass_fields__"):
        type_, text = "dataclass", _dataclass_json(value)
    else:
        return None
    if text is None or not _importable(kind):
        return None
    meta = {"class": f"{kind.__module__}:{kind.__qualname__}"}
    return artifact(put_bytes(text, store), type_, type_name(value), meta)


def load_instance(saved: Artifact, store: ArtifactStore) -> Any:
    text = get_bytes(saved.uri, saved.digest, store)
    try:
        return _rebuild(saved.type, _import(saved.meta["class"]), text)
    except Exception as error:
        name = saved.meta.get("class", saved.python_type)
        message = f"the artifact '{saved.uri}' cannot become a '{name}' again: {type(error).__name__}: {error}"
        raise CannotLoad(message, "the class must be importable, and take the fields that it had") from error


def _rebuild(type: str, kind: Any, text: bytes) -> Any:
    return kind.model_validate_json(text) if type == "pydantic" else kind(**json.loads(text))


def _dataclass_json(value: Any) -> bytes | None:
    fields = {field.name: getattr(value, field.name, None) for field in loaded("dataclasses").fields(value)}
    if getattr(value, "__dict__", fields).keys() - fields.keys():
        return None
    text = encode_json(fields)
    return text if text is not None and _same("dataclass", value, text) else None


def _model_json(value: Any) -> bytes | None:
    try:
        text: bytes = value.model_dump_json(by_alias=True, round_trip=True, warnings=False).encode()
    except Exception:  # whatever a model's own serializers raise
        return None
    return text if _same("pydantic", value, text) else None


def _same(type_: str, value: Any, text: bytes) -> bool:
    try:
        again = _rebuild(type_, type(value), text)
        return type(again) is type(value) and bool(again == value)
    except Exception:  # whatever the class's own code raises, and comparisons of arrays
        return False


def _importable(kind: type) -> bool:
    found = loaded(kind.__module__)
    for name in kind.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is kind and kind.__module__ != "__main__"


def _import(path: str) -> Any:
    module, _, qualified = path.partition(":")
    found: Any = importlib.import_module(module)
    for name in qualified.split("."):
        found = getattr(found, name)
    return found

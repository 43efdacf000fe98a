"""Writes runner/orchestrators/flavors/kubernetes/pod_schema.json from Kubernetes' own OpenAPI schema.

    python tests/orchestrators/flavors/kubernetes/make_pod_schema.py 1.37

The schemas of every version come with the package kubernetes-validate. Of a pod's spec and all it refers to the names
of fields and their types are kept: `"[EnvVar]name"` is a list of EnvVar whose entries are told apart by their `name`,
`"{string}"` a mapping of texts; `!` ends the name of a field that must be there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate

TARGET = Path(__file__).parents[4] / "runner/orchestrators/flavors/kubernetes/pod_schema.json"
ROOT = "io.k8s.api.core.v1.PodSpec"
PLAIN = {"Time": "string", "MicroTime": "string", "FieldsV1": "object"}


def made(version: str) -> dict[str, Any]:
    """The content of the file for a version of Kubernetes, as in 1.37."""
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{version}.0-local-strict"
    definitions = json.loads((folder / "_definitions.json").read_text("utf-8"))["$defs"]
    types: dict[str, dict[str, str]] = {}
    whole: dict[str, str] = {}
    todo = [ROOT]
    while todo:
        name = todo.pop()
        short = name.rpartition(".")[2]
        assert whole.setdefault(short, name) == name, f"two types are named {short}"
        if short in types:
            continue
        about, types[short] = definitions[name], {}
        for field, schema in sorted(about.get("properties", {}).items()):
            mark = "!" if field in about.get("required", ()) else ""
            types[short][field + mark] = _type(schema, todo)
    source = f"the OpenAPI schema of Kubernetes {version}, as in the package kubernetes-validate; by make_pod_schema.py"
    return {"source": source, "version": version, "types": dict(sorted(types.items()))}


def text(content: dict[str, Any]) -> str:
    """A line a type."""
    lines = [f"    {json.dumps(name)}: {json.dumps(fields)}" for name, fields in content["types"].items()]
    head = "".join(f"  {json.dumps(key)}: {json.dumps(content[key])},\n" for key in ("source", "version"))
    return f'{{\n{head}  "types": {{\n' + ",\n".join(lines) + "\n  }\n}\n"


def _type(schema: dict[str, Any], todo: list[str]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        short: str = name.rpartition(".")[2]
        if short in ("Quantity", "IntOrString"):
            return short
        if short in PLAIN:
            return PLAIN[short]
        todo.append(name)
        return short
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    (kind,) = [each for each in kinds if each != "null"]
    if kind == "array":
        return f"[{_type(schema['items'], todo)}]{schema.get('x-kubernetes-patch-merge-key', '')}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"{{{_type(schema['additionalProperties'], todo)}}}"
    return str(kind)


if __name__ == "__main__":
    TARGET.write_text(text(made(sys.argv[1])), "utf-8")
    print(TARGET, TARGET.stat().st_size)

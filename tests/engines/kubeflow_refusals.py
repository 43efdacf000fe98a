"""What Kubeflow's API server refuses, in its words: requests that are not of its types, documents, arguments.

Of Kubeflow Pipelines 2.17: backend/src/apiserver/{server,resource,template}. Some of what a caller got wrong is
answered with 500, as there. Where the double is stricter than the real one, a comment says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import kfp_server_api as api
from dateutil.parser import isoparse
from google.protobuf import json_format
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
from kfp.pipeline_spec.pipeline_spec_pb2 import ParameterType, PipelineDeploymentConfig, PipelineSpec, PlatformSpec
from kubernetes.utils.quantity import parse_quantity

CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 429: 8, 500: 13, 501: 12, 502: 14, 503: 14, 504: 4}
"""HTTP status → the code of gRPC that the gateway makes it of."""
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
VALUES: Mapping[str, tuple[str, type | tuple[type, ...]]] = {
    "STRING": ("string", str),
    "NUMBER_DOUBLE": ("double or integer", (int, float)),
    "NUMBER_INTEGER": ("double or integer", (int, float)),
    "BOOLEAN": ("bool", bool),
    "LIST": ("list", list),
    "STRUCT": ("struct", dict),
}
"""A parameter's type → what the API server calls it, and the JSON that it takes: an integer may have a fraction."""


class Refused(Exception):
    """An answer other than 200. `message` is what was tried, outermost first; `outside` is what is meant for users."""

    def __init__(self, status: int, message: str, outside: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.outside = status, message, outside or message

    def within(self, *tried: str) -> Refused:
        return Refused(self.status, ": ".join([*tried, self.message]), self.outside)

    def body(self) -> api.GoogleRpcStatus:
        code = CODES.get(self.status, 2)
        detail = {"@type": "type.googleapis.com/google.rpc.Status", "code": code, "message": self.outside}
        return api.GoogleRpcStatus(code=code, message=self.message, details=[detail])


def invalid(message: str) -> Refused:
    return Refused(400, f"Invalid input error: {message}", message)


def internal(tried: str, cause: Refused) -> Refused:
    """What the API server says of an error that it takes for its own, though it is the caller's."""
    return Refused(500, f"InternalServerError: {tried}: {cause.message}", "Internal Server Error")


def not_found(what: str, name: str) -> Refused:
    return Refused(404, f"ResourceNotFoundError: {what} {name} not found.", f"{what} {name} not found.")


def read(kind: str, data: Any, where: str = "") -> Any:
    """The value of the API's own type for this JSON, which may spell a field in snake_case or in lowerCamelCase."""
    if kind == "object":
        return data
    if found := re.fullmatch(r"list\[(.*)\]", kind):
        return [read(found[1], each, where) for each in _of(list, data, where)]
    if found := re.fullmatch(r"dict\(str, (.*)\)", kind):
        return {name: read(found[1], each, where) for name, each in _of(dict, data, where).items()}
    if kind in ("str", "bool"):
        return _of({"str": str, "bool": bool}[kind], data, where)
    if kind == "int":
        return int(data) if isinstance(data, str) and data.lstrip("-").isdigit() else _of(int, data, where)
    if kind == "datetime":
        return isoparse(_of(str, data, where))
    return _model(getattr(api, kind), data, where)


def _model(model: Any, data: Any, where: str) -> Any:
    if allowed := getattr(model, "allowable_values", None):
        data = allowed[data] if isinstance(data, int) and data < len(allowed) else data
        if data not in allowed:
            raise Refused(400, f"proto: invalid value for enum field {where}: {json.dumps(data)}")
        return data
    fields = {spelled: name for name in model.openapi_types for spelled in (name, _camel(name))}
    given = {}
    for spelled, value in _of(dict, data, where).items():
        if spelled not in fields:
            raise Refused(400, f'proto: unknown field "{spelled}"')
        if value is not None:
            given[fields[spelled]] = read(model.openapi_types[fields[spelled]], value, spelled)
    return model(**given)


def _of(kind: type, data: Any, where: str) -> Any:
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise Refused(400, f"proto: invalid value for {kind.__name__} field {where}: {json.dumps(data)}")
    return data


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(each.capitalize() for each in rest)


def parsed(document: Any) -> PipelineSpec:
    """What a run's `pipeline_spec` says: a document, or {"pipeline_spec": that, "platform_spec": Kubernetes' own}."""
    try:
        if "pipeline_spec" not in document:
            return _spec(document)
        if strange := document.keys() - {"pipeline_spec", "platform_spec"}:
            # The real one passes over it.
            raise invalid(f"pipeline spec is invalid: unknown fields {sorted(strange)}")
        spec = _spec(document["pipeline_spec"])
        _platform(document.get("platform_spec", {}), spec)
        return spec
    except json_format.ParseError as error:
        raise _bad_spec(f"unknown template format: {error}") from error


def _spec(document: Mapping[str, Any]) -> PipelineSpec:
    spec = json_format.ParseDict(document, PipelineSpec())
    if not spec.pipeline_info.name or not spec.HasField("root"):
        raise _bad_spec("unknown template format")
    if spec.schema_version != "2.1.0":
        said = f"but the pipeline spec has version {spec.schema_version}"
        raise _bad_spec(f"KFP only supports schema version 2.1.0, {said}")
    if not NAME.fullmatch(spec.pipeline_info.name):
        # Kubernetes says it of the workflow that is to be named so.
        raise Refused(500, "InternalServerError: Failed to create a workflow for ()", "Internal Server Error")
    executors = json_format.ParseDict(document.get("deploymentSpec", {}), PipelineDeploymentConfig()).executors
    for name, component in spec.components.items():
        if component.executor_label and component.executor_label not in executors:
            raise _not_compiled(f'executor with label "{component.executor_label}" not found for {name}')
    for task in spec.root.dag.tasks.values():
        if task.component_ref.name not in spec.components:
            raise _not_compiled(f'component spec for "{task.component_ref.name}" not found')
        # The real one makes a run of this, and of what is no quantity: they fail in Argo, and in the task's driver.
        if task.retry_policy.backoff_factor % 1:
            raise invalid(f"strconv.ParseInt: parsing {task.retry_policy.backoff_factor}: invalid syntax")
    for executor in executors.values():
        _check_quantities(executor.container.resources)
    return spec


def _platform(document: Any, spec: PipelineSpec) -> None:
    """The real one passes over a platform that it cannot read, and finds a wrong setting in the task's driver."""
    platforms = json_format.ParseDict(document, PlatformSpec()).platforms
    for label, settings in platforms["kubernetes"].deployment_spec.executors.items():
        json_format.ParseDict(json_format.MessageToDict(settings), KubernetesExecutorConfig())
        if label not in {component.executor_label for component in spec.components.values()}:
            raise _bad_spec(f"platform spec is invalid: no executor '{label}'")


def _check_quantities(resources: Any) -> None:
    fields = ("resource_cpu_limit", "resource_cpu_request", "resource_memory_limit", "resource_memory_request")
    texts = [getattr(resources, each) for each in fields]
    for text in filter(None, [*texts, resources.accelerator.resource_count]):
        try:
            parse_quantity(text)
        except ValueError as error:
            raise invalid(f"quantities must match the regular expression of Kubernetes: {text!r}") from error


def _bad_spec(said: str) -> Refused:
    cause = Refused(400, f"Failed to fetch a template: InvalidInputError: {said}: pipeline spec is invalid")
    return internal("Failed to create a run due to error fetching manifest", cause)


def _not_compiled(said: str) -> Refused:
    return Refused(
        500, f"Failed to generate the ExecutionSpec: Failed to compile job: {said}", f"Internal error: {said}"
    )


def check_arguments(spec: PipelineSpec, arguments: Mapping[str, Any]) -> None:
    """As `validatePipelineJobInputs` does. There is no limit to their size: that of 10000 bytes was v1beta1's."""
    defined = spec.root.input_definitions.parameters
    for name, about in defined.items():
        if name in arguments:
            _check_value(name, ParameterType.ParameterTypeEnum.Name(about.parameter_type), arguments[name])
        elif not about.is_optional and not about.HasField("default_value"):
            given = "yet has neither default value nor user provided value"
            raise _bad_inputs(f"parameter {name} is not optional, {given}")
    if extra := arguments.keys() - defined.keys():
        raise _bad_inputs(f"parameter(s) provided are not required by pipeline: {', '.join(sorted(extra))}")


def _check_value(name: str, kind: str, value: Any) -> None:
    called, taken = VALUES[kind]
    if not isinstance(value, taken) or (isinstance(value, bool) and kind != "BOOLEAN"):
        said = f"but the parameter value is not of {called.split()[0]} value type"
        raise _bad_inputs(f"input parameter {name} requires type {called}, {said}")


def _bad_inputs(message: str) -> Refused:
    return invalid(message).within("Failed to generate the ExecutionSpec", "invalid pipeline job inputs")

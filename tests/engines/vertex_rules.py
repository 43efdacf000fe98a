"""What Vertex AI is documented to refuse of a PipelineJob, for its double: each rule yields Google's kind of words.

The rules are those of the API's own reference (`pipeline_job.proto`, `pipeline_service.proto`), of the document's
format (`pipeline_spec.proto`, as Kubeflow's SDK has it in `.venv/kfp`), and of the page about a step's machine.
"""

from __future__ import annotations

import functools
import importlib.util
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.cloud import aiplatform_v1
from google.protobuf import json_format

JOB_ID = re.compile("[a-z][-a-z0-9]{0,126}")
LABEL = re.compile("[a-z0-9_-]{0,63}")
QUANTITY = re.compile("[0-9]+([.][0-9]+)?(m|[KMGTP]i?)?")
MOST_CPUS, MOST_MEMORY = 96, 624.0
_UNIT = {"K": 1e-6, "M": 1e-3, "G": 1.0, "T": 1e3, "Ki": 1.024e-6, "Mi": 1.048576e-3, "Gi": 1.073741824, "Ti": 1099.5}


def refusals(job: Any, job_id: str) -> Iterator[str]:
    """Everything that is wrong with a PipelineJob of the API that is to be made under this id."""
    if not JOB_ID.fullmatch(job_id):
        yield f"Invalid pipeline job ID: {job_id}"
    if len(job.display_name) > 128:
        yield "The display name is longer than 128 characters"
    if len(job.labels) > 64:
        yield "There are more than 64 labels"
    for key, value in job.labels.items():
        if not re.match("[a-z]", key) or any(not LABEL.fullmatch(text) for text in (key, value)):
            yield f"Invalid label: {key}={value}"
    if not job.runtime_config.gcs_output_directory.startswith("gs://"):
        yield "runtime_config.gcs_output_directory must be a Cloud Storage path"
    try:
        spec = parsed(document_of(job))
    except json_format.ParseError as error:
        yield f"Failed to parse pipeline_spec: {error}"
        return
    yield from _of_document(spec)
    yield from _of_parameters(spec, job.runtime_config.parameter_values)


def document_of(job: Any) -> dict[str, Any]:
    """A job's `pipeline_spec` as plain data; numbers are floating ones, as in every Struct."""
    return dict(json_format.MessageToDict(aiplatform_v1.PipelineJob.pb(job).pipeline_spec))


def parsed(document: dict[str, Any]) -> Any:
    """A document as the message PipelineSpec. Raises ParseError for what is none."""
    return json_format.ParseDict(document, _format().PipelineSpec())


@functools.cache
def _format() -> Any:
    """Kubeflow's own `pipeline_spec_pb2`, loaded from where that SDK is: the two cannot share an environment."""
    found = list((Path(sys.prefix) / "kfp/lib").glob("python*/site-packages/kfp/pipeline_spec/pipeline_spec_pb2.py"))
    assert found, "there is no .venv/kfp: make .venv/kfp"
    spec = importlib.util.spec_from_file_location("pipeline_spec_pb2", found[0])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it was made by an older compiler of protobuf
        spec.loader.exec_module(module)
    return module


def _of_document(spec: Any) -> Iterator[str]:
    if spec.schema_version not in ("2.0.0", "2.1.0"):
        yield f"Unsupported schema version: {spec.schema_version}"
    if not re.fullmatch("[a-z0-9][a-z0-9-]{0,127}", spec.pipeline_info.name):
        yield f"Invalid pipeline name: {spec.pipeline_info.name}"
    tasks = spec.root.dag.tasks
    if not tasks:
        yield "The pipeline has no tasks"
    for name, task in tasks.items():
        if task.component_ref.name not in spec.components:
            yield f"Task {name} refers to an unknown component: {task.component_ref.name}"
        for other in task.dependent_tasks:
            if other not in tasks:
                yield f"Task {name} depends on an unknown task: {other}"
    known = {each["executorLabel"] for each in map(json_format.MessageToDict, spec.components.values())}
    executors = json_format.MessageToDict(spec.deployment_spec).get("executors", {})
    for label in known - set(executors):
        yield f"There is no executor {label}"
    for label, executor in executors.items():
        yield from _of_container(label, executor.get("container", {}))


def _of_container(label: str, container: dict[str, Any]) -> Iterator[str]:
    if not container.get("image"):
        yield f"{label}: the container has no image"
    resources = container.get("resources", {})
    for field in ("resourceCpuLimit", "resourceCpuRequest", "resourceMemoryLimit", "resourceMemoryRequest"):
        if not QUANTITY.fullmatch(resources.get(field, "1")):
            yield f"{label}: {field} is no quantity: {resources[field]}"
    if resources.get("cpuLimit", 0) > MOST_CPUS or _giga(resources.get("resourceMemoryLimit", "0")) > MOST_MEMORY:
        yield f"{label}: no machine type has so much"
    accelerator = resources.get("accelerator", {})
    for field, kind in (("type", "type"), ("resourceType", "type"), ("count", "count"), ("resourceCount", "count")):
        value = accelerator.get(field)
        if value and kind == "type" and value not in aiplatform_v1.AcceleratorType.__members__:
            yield f"{label}: unknown accelerator type: {value}"
        elif value and kind == "count" and not re.fullmatch("[1-9][0-9]*", str(value)):
            yield f"{label}: the accelerator count is no positive integer: {value}"


def _giga(text: str) -> float:
    number, unit = re.fullmatch("([0-9.]+)([A-Za-z]*)", text).groups()
    return float(number) * _UNIT.get(unit, 1e-9)


def _of_parameters(spec: Any, given: Any) -> Iterator[str]:
    inputs = spec.root.input_definitions.parameters
    for name in given:
        if name not in inputs:
            yield f"The pipeline parameter {name} is not found in the pipeline job input definitions."
    for name, about in inputs.items():
        if name not in given and not about.is_optional:
            yield f"The pipeline parameter {name} is required, and has no value."

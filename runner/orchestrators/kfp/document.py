"""From a deployment to a Kubeflow pipeline document: IR YAML, schema 2.1.0, as plain data. Pure.

A step is a task whose container runs our worker. The tasks hand each other nothing: the worker finds its inputs in the
artifact store, answers from our cache, keeps the log and the timeout, and leaves its result there; the engine knows the
order, the resources and the retries. The format is `pipeline_spec.proto` of the package kfp-pipeline-spec.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from runner.orchestrators.base import Refusal
from runner.orchestrators.container import PYTHON, environment_of, image_of, in_container
from runner.orchestrators.kfp import retries
from runner.orchestrators.kfp.names import pipeline_name, task_names
from runner.orchestrators.quantities import cpu, size, verbatim
from runner.orchestrators.worker import command_of, step_job
from runner.plan.deployment import ENGINE_RUN_ID, RUN_ID, DeployedStep, Deployment, digest_of

SCHEMA, SDK = "2.1.0", "kfp-2.17.0"
"""The format, and whose spelling of it this is: tests hold every field equal to what that SDK writes."""
GIVEN = "{{$}}"
"""Both engines put all inputs of a task in its place, as JSON."""
ENGINES_ID = "{{$.pipeline_job_uuid}}"
"""And here the id that they gave to the run."""
PLACEHOLDER = "{{"
"""What begins a text that the engines would take for something of theirs."""
IMAGE = "${image}"  # in place of an image that is not known yet
_TYPES = {
    "string": "STRING",
    "integer": "NUMBER_INTEGER",
    "number": "NUMBER_DOUBLE",
    "boolean": "BOOLEAN",
    "array": "LIST",
    "object": "STRUCT",
}
_GIGA = 10**9


def pipeline_document(
    deployment: Deployment, accelerator: Callable[[DeployedStep], str], retrying: int
) -> dict[str, Any]:
    """The document. `accelerator` is what a step's accelerators are called, `retrying` how many seconds after its first
    attempt a task may be tried again."""
    names, types = task_names(deployment.steps, deployment.pipeline), parameter_types(deployment)
    own = _arguments(deployment, types)
    components, executors, tasks = {}, {}, {}
    digest = digest_of(deployment)
    for step in deployment.steps.values():
        name, arguments = names[step.name], own.get(step.name, {})
        upstream = [names[other] for other in step.upstream if other in names]
        # Who is first writes down what all of the run was given.
        asked = list(types) if not upstream else [each for each in types if each in arguments.values()]
        inputs = {RUN_ID: "STRING", ENGINE_RUN_ID: "STRING"} | {each: _TYPES[types[each]] for each in asked}
        components[f"comp-{name}"] = {
            "executorLabel": f"exec-{name}",
            "inputDefinitions": {"parameters": {each: {"parameterType": kind} for each, kind in inputs.items()}},
        }
        given = {"deployment": digest, "types": {each: types[each] for each in asked}, "arguments": arguments}
        executors[f"exec-{name}"] = {"container": _container(deployment, step, given, accelerator(step))}
        tasks[name] = _task(step, name, upstream, asked, retrying)
    return {
        "pipelineInfo": {"name": pipeline_name(deployment.pipeline), "displayName": deployment.pipeline},
        "schemaVersion": SCHEMA,
        "sdkVersion": SDK,
        "root": {"dag": {"tasks": tasks}, "inputDefinitions": {"parameters": _inputs(deployment, types)}},
        "components": components,
        "deploymentSpec": {"executors": executors},
    }


def parameter_types(deployment: Deployment) -> dict[str, str]:
    """The parameters that a run may be given values for, with their JSON types; not those that are named as inputs of
    ours, or whose value here the engine would take for something of its own."""
    return {
        name: about["type"]
        for name, about in deployment.runtime.items()
        if name not in (RUN_ID, ENGINE_RUN_ID) and PLACEHOLDER not in json.dumps(deployment.parameters.get(name))
    }


def refusals(steps: Iterable[DeployedStep], retrying: int, *, whole: bool) -> Iterator[Refusal]:
    """What no document can say of these steps; `whole` as for `retries.refusals`."""
    for step in steps:
        yield from retries.refusals(step, retrying, whole=whole)
        for variable, text in step.environment.items():
            if PLACEHOLDER in text:
                message = f"step '{step.name}' sets {variable} to a text with '{{{{', which the engine would fill in"
                path = ("steps", step.name, "environment", variable)
                yield Refusal(path, "cannot-honour", message, "hand it over as one of the step's parameters")


def resources_of(resources: Mapping[str, Any], accelerator: str) -> dict[str, Any]:
    """Requests and limits, which are equal; each as text, and as the number (in processors and in 10⁹ bytes) that older
    engines read. What is in /dev/shm counts as the container's memory."""
    found: dict[str, Any] = {}
    if count := resources.get("cpu_count"):
        text = cpu(count)
        number = float(text[:-1]) / 1000 if text.endswith("m") else float(text)
        found |= {"cpuLimit": number, "cpuRequest": number, "resourceCpuLimit": text, "resourceCpuRequest": text}
    if memory := resources.get("memory"):
        memory += resources.get("shm") or 0
        text, number = _size(memory), memory / _GIGA
        found |= {"memoryLimit": number, "memoryRequest": number}
        found |= {"resourceMemoryLimit": text, "resourceMemoryRequest": text}
    if resources.get("gpu_count"):
        count = str(resources["gpu_count"])
        found["accelerator"] = {
            "type": accelerator,
            "count": count,
            "resourceType": accelerator,
            "resourceCount": count,
        }
    return found


def _size(count: int) -> str:
    text = size(count)
    return str(count) if text.endswith("k") else text  # which Kubernetes takes, and the SDK does not


def _container(deployment: Deployment, step: DeployedStep, given: dict[str, Any], accelerator: str) -> dict[str, Any]:
    job = in_container(step, step_job(deployment, step.name))._replace(run_id="", project="", given=given)
    found: dict[str, Any] = {
        "image": image_of(step) or IMAGE,
        "command": [*command_of(job, PYTHON), GIVEN],
        "env": [{"name": name, "value": verbatim(text)} for name, text in environment_of(step).items()],
    }
    if resources := resources_of(step.resources, accelerator):
        found["resources"] = resources
    return found


def _task(step: DeployedStep, name: str, upstream: list[str], asked: list[str], retrying: int) -> dict[str, Any]:
    parameters: dict[str, Any] = {each: {"componentInputParameter": each} for each in (RUN_ID, *asked)}
    parameters[ENGINE_RUN_ID] = {"runtimeValue": {"constant": ENGINES_ID}}
    found: dict[str, Any] = {
        "taskInfo": {"name": step.name},
        "componentRef": {"name": f"comp-{name}"},
        "inputs": {"parameters": parameters},
        "cachingOptions": {},  # none: our cache answers
    }
    if upstream:
        found["dependentTasks"] = sorted(upstream)
    if policy := retries.retry_policy(step.retry, retrying):
        found["retryPolicy"] = policy
    return found


def _inputs(deployment: Deployment, types: Mapping[str, str]) -> dict[str, Any]:
    found = {RUN_ID: {"parameterType": "STRING", "defaultValue": "", "isOptional": True}}
    for name, kind in types.items():
        value = deployment.parameters[name]
        found[name] = {"parameterType": _TYPES[kind], "defaultValue": value, "isOptional": True}
    return found


def _arguments(deployment: Deployment, types: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Step → argument → the parameter that it takes its value from."""
    found: dict[str, dict[str, str]] = {}
    for name in types:
        for step, argument in deployment.runtime[name]["arguments"]:
            found.setdefault(step, {})[argument] = name
    return found

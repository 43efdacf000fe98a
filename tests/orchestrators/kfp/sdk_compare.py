"""Run by the Python that has Kubeflow's SDK: load documents by it, and compare them with what its own DSL writes.

Standard input is JSON, a list of {"document": file, "pipeline": facts}; so is the output: for each what differs.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format
from kfp import compiler, components, dsl, kubernetes
from kfp.compiler import compiler_utils
from kfp.kubernetes import kubernetes_executor_config_pb2 as executor_config
from kfp.pipeline_spec import pipeline_spec_pb2

TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "array": "list", "object": "dict"}
QUANTITIES = {"resourceMemoryLimit", "resourceMemoryRequest"}


def define(text: str, scope: dict[str, Any]) -> None:
    """A function with these very arguments, whose annotations are types: the SDK looks at them."""
    exec(compile(text, "<pipeline>", "exec", dont_inherit=True), scope)


def component(step: dict[str, Any]) -> Any:
    """A container component of the SDK's own for one step."""
    arguments = ", ".join(f"{name}: {TYPES[kind]}" for name, kind in step["inputs"].items())
    name = step["task"].replace("-", "_")
    container = dsl.ContainerSpec(image=step["image"], command=step["command"])
    scope: dict[str, Any] = {"container": container}
    define(f"def {name}({arguments}):\n    return container\n", scope)
    return dsl.container_component(scope[name])


def task_of(step: dict[str, Any], given: dict[str, Any]) -> dsl.PipelineTask:
    """A task of the DSL for one step, set up by the SDK's own calls."""
    inputs = {name: given[name] for name in step["inputs"] if name in given}
    task = component(step)(**inputs, engine_run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER)
    task.set_display_name(step["name"]).set_caching_options(False)
    for name, text in step["environment"].items():
        task.set_env_variable(name, text)
    if cpu := step.get("cpu"):
        task.set_cpu_request(cpu).set_cpu_limit(cpu)
    if memory := step.get("memory"):
        task.set_memory_request(memory).set_memory_limit(memory)
    if accelerator := step.get("accelerator"):
        task.set_accelerator_type(accelerator[0]).set_accelerator_limit(accelerator[1])
    if retry := step.get("retry"):
        task.set_retry(*retry)
    on_kubernetes(task, step.get("kubernetes", {}))
    return task


def on_kubernetes(task: dsl.PipelineTask, wanted: dict[str, Any]) -> None:
    """What kfp-kubernetes writes into the second document."""
    if keys := wanted.get("secret_keys"):
        kubernetes.use_secret_as_env(task, wanted["secret"], keys, optional=True)
    for key, value in wanted.get("node_selectors", {}).items():
        kubernetes.add_node_selector(task, key, value)
    for toleration in wanted.get("tolerations", ()):
        kubernetes.add_toleration(task, **toleration)
    for key, value in wanted.get("labels", {}).items():
        kubernetes.add_pod_label(task, key, value)
    for key, value in wanted.get("annotations", {}).items():
        kubernetes.add_pod_annotation(task, key, value)
    if policy := wanted.get("image_pull_policy"):
        kubernetes.set_image_pull_policy(task, policy)
    if secrets := wanted.get("pull_secrets"):
        kubernetes.set_image_pull_secrets(task, secrets)
    if size := wanted.get("shm"):
        kubernetes.empty_dir_mount(task, "runner-shm", "/dev/shm", medium="Memory", size_limit=size)
    for volume in wanted.get("volumes", ()):
        mount(task, volume)


def mount(task: dsl.PipelineTask, volume: dict[str, Any]) -> None:
    """One volume, by the call that is for its kind."""
    path, optional = volume["mount_path"], bool(volume.get("optional"))
    if name := volume.get("persistent_volume_claim"):
        kubernetes.mount_pvc(task, name, path, volume.get("sub_path") or "")
    elif name := volume.get("secret"):
        kubernetes.use_secret_as_volume(task, name, path, optional)
    elif name := volume.get("config_map"):
        kubernetes.use_config_map_as_volume(task, name, path, optional)
    else:
        kubernetes.empty_dir_mount(task, "empty-1", path, size_limit=f"{volume['empty_dir'] // 10**9}G")


def by_the_sdk(facts: dict[str, Any], file: str) -> None:
    """The same pipeline, written by the SDK's compiler."""
    tasks: dict[str, dsl.PipelineTask] = {}

    def build(**given: Any) -> None:
        for step in facts["steps"]:
            tasks[step["name"]] = task_of(step, given).after(*(tasks[name] for name in step["after"]))

    scope: dict[str, Any] = {"build": build, "defaults": [value for _, _, value in facts["inputs"]]}
    arguments = ", ".join(
        f"{name}: {TYPES[kind]} = defaults[{at}]" for at, (name, kind, _) in enumerate(facts["inputs"])
    )
    passed = ", ".join(f"{name}={name}" for name, _, _ in facts["inputs"])
    define(f"def pipeline({arguments}):\n    build({passed})\n", scope)
    made = dsl.pipeline(name=facts["name"], display_name=facts["display_name"])(scope["pipeline"])
    compiler.Compiler().compile(made, file)


def protobufs(file: str) -> dict[str, Any]:
    """A file's documents as the official protobufs understand them: path of each field → value."""
    pipeline, *platforms = yaml.safe_load_all(Path(file).read_text("utf-8"))
    spec = json_format.ParseDict(pipeline, pipeline_spec_pb2.PipelineSpec())
    found = dict(fields(json_format.MessageToDict(spec), ("pipeline",)))
    for document in platforms:
        platform = json_format.ParseDict(document, pipeline_spec_pb2.PlatformSpec())
        executors = json_format.MessageToDict(platform)["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        for name, config in executors.items():
            known = json_format.ParseDict(config, executor_config.KubernetesExecutorConfig())
            found |= dict(fields(json_format.MessageToDict(known), ("platform", name)))
    return found


def fields(value: Any, path: tuple[str, ...]) -> Any:
    if isinstance(value, dict) and value:
        for key, member in value.items():
            yield from fields(member, (*path, key))
    elif isinstance(value, list) and value:
        for index, element in enumerate(value):
            yield from fields(element, (*path, str(index)))
    else:
        # One size is written in many ways: they are compared as numbers.
        yield "/".join(path), compiler_utils._memory_to_float(value) if path[-1] in QUANTITIES else value


def differences(case: dict[str, Any]) -> list[Any]:
    """Field, what the document says, what the SDK says."""
    components.load_component_from_file(case["document"])  # raises for what it does not understand
    with tempfile.TemporaryDirectory() as folder:
        by_the_sdk(case["pipeline"], f"{folder}/pipeline.yaml")
        ours, theirs = protobufs(case["document"]), protobufs(f"{folder}/pipeline.yaml")
    return [
        [name, ours.get(name), theirs.get(name)]
        for name in sorted({*ours, *theirs})
        if ours.get(name, "(nothing)") != theirs.get(name, "(nothing)")
    ]


print(json.dumps([differences(case) for case in json.load(sys.stdin)]))

"""Every golden document, loaded by Kubeflow's own SDK and held against what that writes for the same pipeline."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from runner.orchestrators.container import environment_of
from runner.orchestrators.kfp.names import task_names
from runner.orchestrators.labels import label_value
from runner.plan.deployment import DeployedStep, Deployment
from runner.plan.secrets import secret_names

SDK = Path(sys.prefix) / "kfp/bin/python"
GOLDEN = Path(__file__).parents[2] / "golden"
COMMAND = ["python", "-m", "runner.worker", "${job}", "{{$}}"]
IDS = {"run_id": "string", "engine_run_id": "string"}
RETRYING = {"kubeflow": "2592000s", "vertex": "3600s"}
NOT_GIVEN = ("run_id", "level")


def facts_of(deployment: Deployment, settings: Any) -> dict[str, Any]:
    """What the pipeline is, in words that the script turns into calls of the SDK."""
    types = {name: about["type"] for name, about in deployment.runtime.items() if name not in NOT_GIVEN}
    names = task_names(deployment.steps, deployment.pipeline)
    steps = []
    for step in deployment.steps.values():
        uses = [
            name for name in types if [name] and step.name in [of for of, _ in deployment.runtime[name]["arguments"]]
        ]
        asked = uses if step.upstream else list(types)
        steps.append(
            {
                "name": step.name,
                "task": names[step.name],
                "image": step.container["image"],
                "command": COMMAND,
                "after": step.upstream,
                "inputs": IDS | {name: types[name] for name in asked},
                "environment": {name: text.replace("$", "$$") for name, text in environment_of(step).items()},
                **resources(step, settings),
                **(
                    {"kubernetes": on_kubernetes(step, deployment, settings)} if deployment.flavor == "kubeflow" else {}
                ),
                **retry(step, deployment.flavor),
            }
        )
    inputs = [("run_id", "string", ""), *((name, kind, deployment.parameters[name]) for name, kind in types.items())]
    return {
        "name": deployment.pipeline.rstrip("-"),
        "display_name": deployment.pipeline,
        "inputs": inputs,
        "steps": steps,
    }


def resources(step: DeployedStep, settings: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "cpu_count" in step.resources:
        found["cpu"] = f"{step.resources['cpu_count'] * 1000:g}m" if step.resources["cpu_count"] % 1 else "1"
    if "memory" in step.resources:
        found["memory"] = str(step.resources["memory"] + step.resources.get("shm", 0))
    if "gpu_count" in step.resources:
        kind = getattr(settings, "gpu_resource", None) or step.resources["gpu_type"]
        found["accelerator"] = (kind, step.resources["gpu_count"])
    return found


def retry(step: DeployedStep, flavor: str) -> dict[str, Any]:
    """The example's delays are whole seconds, or half of one."""
    if step.retry is None:
        return {}
    once = step.retry["max_retries"] == 1 or step.retry["delay"] == step.retry["max_delay"]
    delay = max(1, int(step.retry["delay"]))
    factor = 1.0 if once else step.retry["backoff"]
    return {"retry": (step.retry["max_retries"], f"{delay}s", factor, RETRYING[flavor])}


def on_kubernetes(step: DeployedStep, deployment: Deployment, settings: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"pull_secrets": settings.image_pull_secrets}
    if secret := deployment.secret_store.get("secret"):
        used = secret_names([step.parameters, step.environment, deployment.artifact_store])
        found |= {"secret": secret, "secret_keys": {name: f"RUNNER_SECRET_{name}" for name in used}}
    tolerations = [
        {"toleration_seconds" if key == "tolerationSeconds" else key: value for key, value in each.items()}
        for each in step.settings["tolerations"]
    ]
    selectors = dict(step.settings["node_selectors"])
    if "gpu_count" in step.resources:
        tolerations.insert(0, {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"})
        selectors["nvidia.com/gpu.product"] = step.resources["gpu_type"]
    found |= {"tolerations": tolerations, "node_selectors": selectors, "volumes": step.settings["volumes"]}
    facts = {"runner/pipeline": deployment.pipeline, "runner/step": step.name}
    fit = {name: text for name, text in facts.items() if text[-1].isalnum() and len(text) <= 63}
    made = {name: text if name in fit else label_value(text) for name, text in facts.items()}
    found["labels"] = made | step.settings["labels"]
    found["annotations"] = {name: facts[name] for name in facts if name not in fit} | step.settings["annotations"]
    found["image_pull_policy"] = step.settings["image_pull_policy"]
    return found | ({"shm": f"{step.resources['shm'] >> 20}Mi"} if "shm" in step.resources else {})


def test_the_sdk_understands_every_document_as_it_would_write_it(compiled: dict[str, Any]) -> None:
    assert SDK.exists(), f"there is no {SDK}: make .venv/kfp"
    cases = [
        {
            "document": str(GOLDEN / name / "pipeline.yaml"),
            "pipeline": facts_of(made.deployment, made.orchestrator.settings),
        }
        for name, made in compiled.items()
    ]
    script = Path(__file__).with_name("sdk_compare.py")
    done = subprocess.run([SDK, script], input=json.dumps(cases), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert dict(zip(compiled, json.loads(done.stdout), strict=True)) == {name: [] for name in compiled}

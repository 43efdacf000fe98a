"""Workloads for the runner: a small project folder each, with its steps, its pipeline and its stack."""

from __future__ import annotations

import inspect
from pathlib import Path

from floor import use_cpu

STEPS = '''"""Steps that do next to nothing, so that what is timed is the runner."""


def source():
    return 0


def inc(x, i=0, rate=1.0):
    return x + 1


def sink(**values):
    return len(values)
'''
BURN = f'''"""Steps that keep a core busy."""

import time


{inspect.getsource(use_cpu)}

def burn(i, seconds):
    return use_cpu(seconds) and i
'''
ENGINES = {
    "kubeflow": "orchestrator: {flavor: kubeflow, kubernetes_context: c}\n"
    "artifact_store: {flavor: s3, path: 's3://bucket/prefix'}\n",
    "vertex": "orchestrator: {flavor: vertex, project: my-project-123, location: europe-west4}\n"
    "artifact_store: {flavor: gcs, path: 'gs://bucket/prefix'}\n",
}
NAPS = '''"""Steps that wait."""

import time


def nap(i, seconds):
    time.sleep(seconds)
    return i
'''
ARRAY = '''"""Steps that hand over an array."""

import numpy as np


def make(elements):
    return np.arange(elements, dtype=np.float64)


def total(values):
    return float(values.sum())
'''


def chain(folder: Path, count: int) -> Path:
    """Each step takes a number and returns it plus one."""
    steps = [_step("s0", "work:source"), *(_step(f"s{i}", "work:inc", x=f"s{i - 1}") for i in range(1, count))]
    return _project(folder, {"work": STEPS}, "chain", steps)


def fan(folder: Path, count: int) -> Path:
    """One source, so many independent steps, one sink. Each has a parameter of its own, or one would answer for all."""
    steps = [_step("source", "work:source")]
    steps += [_step(f"s{i}", "work:inc", f"    parameters: {{i: {i}}}\n", x="source") for i in range(count)]
    steps += [_step("sink", "work:sink", **{f"x{i}": f"s{i}" for i in range(count)})]
    return _project(folder, {"work": STEPS}, "fan", steps)


def large(folder: Path, count: int, width: int = 100) -> Path:
    """A pipeline as people write them, with parameters, resources and retries, so many steps wide."""
    common = "    resources: {cpu_count: 1, memory: 512MB}\n    retry: {max_retries: 2, delay: 1s}\n"
    steps = []
    for i in range(count):
        more = f'    parameters: {{i: {i}, rate: "${{parameters.rate}}"}}\n{common}'
        inputs = {"x": f"step_{i - width:05d}"} if i >= width else {}
        more = more if inputs else more.replace("{i:", "{x: 0, i:")
        steps.append(_step(f"step_{i:05d}", "work:inc", more, **inputs))
    return _project(folder, {"work": STEPS}, "large", steps, "parameters:\n  rate: {type: number, default: 0.5}\n")


def small(folder: Path) -> Path:
    """Five steps: what a newcomer writes."""
    return large(folder, 5, width=2)


def repository(folder: Path, count: int) -> Path:
    """So many documents as a team writes them, each in a file of its own, one in twenty with a mistake."""
    for name in ("pipelines", "stacks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "runner.toml").touch()
    (folder / "work.py").write_text(STEPS)
    for i in range(count):
        kind = ("stack", "orchestrator", "resources")[i % 3] if i % 5 == 0 else "pipeline"
        place = "pipelines" if kind == "pipeline" else "stacks"
        text = _DOCUMENTS[kind].replace("NUMBER", f"{i:04d}")
        (folder / place / f"d{i:04d}.yaml").write_text(text.replace("local", "locl") if i % 20 == 0 else text)
    return folder


_DOCUMENTS = {
    "stack": "kind: stack\nname: stack_NUMBER\ndescription: For one team.\n"
    "orchestrator: {flavor: local, max_parallel: 4}\n"
    "artifact_store: {flavor: local, path: .runner/artifacts}\ndefaults:\n  timeout: 10m\n  retry: {max_retries: 2}\n",
    "orchestrator": "kind: orchestrator\nname: orchestrator_NUMBER\nflavor: local\n"
    "max_parallel: 2\nisolation: process\n",
    "resources": "kind: resources\nname: resources_NUMBER # local\ncpu_count: 2\nmemory: 4GB\n",
    "pipeline": "kind: pipeline\nname: pipeline_NUMBER\nparameters:\n  rate: {type: number, default: 0.5}\n"
    "settings: {local: {environment: current}}\nsteps:\n"
    + "".join(
        f"  s{i}:\n    entrypoint: work:inc\n    inputs: {{x: {f's{i - 1}' if i else 'first'}}}\n"
        f"    parameters: {{i: {i}, rate: '${{parameters.rate}}'}}\n    resources: {{cpu_count: 1, memory: 512MB}}\n"
        for i in range(5)
    )
    + "  first: {entrypoint: 'work:source'}\n",
}


def burn(folder: Path, count: int, seconds: float) -> Path:
    """Independent steps that each use so many seconds of CPU time."""
    steps = [_step(f"s{i}", "work:burn", f"    parameters: {{i: {i}, seconds: {seconds}}}\n") for i in range(count)]
    return _project(folder, {"work": BURN}, "burn", steps)


def naps(folder: Path, count: int, seconds: float) -> Path:
    """Independent steps that each wait for so many seconds."""
    steps = [_step(f"s{i}", "work:nap", f"    parameters: {{i: {i}, seconds: {seconds}}}\n") for i in range(count)]
    return _project(folder, {"work": NAPS}, "naps", steps)


def array(folder: Path, elements: int) -> Path:
    """One step makes an array of so many float64, the next sums it up."""
    steps = [
        _step("make", "work:make", f"    parameters: {{elements: {elements}}}\n"),
        _step("total", "work:total", values="make"),
    ]
    return _project(folder, {"work": ARRAY}, "array", steps)


def stack(project: Path, *, max_parallel: int = 1, isolation: str = "process") -> Path:
    """A stack file beside the pipeline."""
    path = project / f"stack-{isolation}-{max_parallel}.yaml"
    fields = f"{{flavor: local, max_parallel: {max_parallel}, isolation: {isolation}}}"
    path.write_text(f"kind: stack\nname: bench\norchestrator: {fields}\n")
    return path


def docker_stack(project: Path, *, max_parallel: int = 1) -> Path:
    """A stack whose steps are containers."""
    path = project / f"stack-docker-{max_parallel}.yaml"
    path.write_text(f"kind: stack\nname: d\norchestrator: {{flavor: local_docker, max_parallel: {max_parallel}}}\n")
    return path


def engine_stack(project: Path, flavor: str) -> Path:
    """A stack of an engine that is compiled for and never asked."""
    path = project / f"stack-{flavor}.yaml"
    path.write_text(f"kind: stack\nname: e\n{ENGINES[flavor]}")
    return path


def _project(folder: Path, modules: dict[str, str], name: str, steps: list[str], head: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "runner.toml").touch()  # marks the project's root
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text)
    (folder / "pipeline.yaml").write_text(f"kind: pipeline\nname: {name}\n{head}steps:\n" + "".join(steps))
    return folder


def _step(name: str, entrypoint: str, more: str = "", **inputs: str) -> str:
    given = ", ".join(f"{argument}: {source}" for argument, source in inputs.items())
    return f"  {name}:\n    entrypoint: {entrypoint}\n" + (f"    inputs: {{{given}}}\n" if given else "") + more

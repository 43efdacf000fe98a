"""The bars: for each what is timed, beside what, and how many times as long it may take."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pods
import projects
from measure import Contestant, Sample, once, seconds, take_turns

PYTHON = sys.executable
RUNNER = str(Path(PYTHON).parent / "runner")
FLOOR = str(Path(__file__).resolve().parent / "floor.py")
IMPORTS = "from pydantic import BaseModel; import ruamel.yaml"
COMPOSE = (
    "import sys, ruamel.yaml; ruamel.yaml.YAML(typ='safe', pure=False).compose(open(sys.argv[1], encoding='utf-8'))"
)
LOAD = """
import glob, ruamel.yaml
for file in glob.glob("*/*.yaml"):
    list(ruamel.yaml.YAML(typ="safe", pure=False).load_all(open(file, encoding="utf-8")))
"""
GIB = 2**30


class Row(NamedTuple):
    """One line of the table: `value` of the runner beside `floor`, both in `unit`; `bar` is the highest ratio allowed,
    None where there is none. With no floor the value itself is held against the bar."""

    work: str
    value: float
    floor: float | None
    beside: str
    bar: float | None
    unit: str = "s"

    @property
    def ratio(self) -> float:
        return self.value / self.floor if self.floor else self.value

    @property
    def verdict(self) -> str:
        return "" if self.bar is None else "ok" if self.ratio <= self.bar else "over"


class Setting(NamedTuple):
    """Where workloads are made and how often each is timed."""

    folder: Path
    quick: bool = False
    full: bool = False

    def times(self, usual: int) -> int:
        return max(1, usual // 3) if self.quick else usual


def startup(setting: Setting) -> Iterator[Row]:
    """How long the shortest commands take."""
    project = projects.small(setting.folder / "small")
    found = take_turns(
        {
            "pass": Contestant([PYTHON, "-c", "pass"], project),
            "imports": Contestant([PYTHON, "-c", IMPORTS], project),
            "version": Contestant([RUNNER, "--version"], project),
            "validate": Contestant([RUNNER, "validate", "pipeline.yaml"], project),
        },
        setting.times(21),
    )
    yield _row("`runner --version`", found["version"], found["pass"], "`python -c pass`", 3)
    yield _row(
        "`runner validate`, 5 steps", found["validate"], found["imports"], "importing pydantic and ruamel.yaml", 1.5
    )
    yield _row("`runner validate`, 5 steps", found["validate"], found["pass"], "`python -c pass`", None)


def documents(setting: Setting) -> Iterator[Row]:
    """A pipeline of 10,000 steps, read and planned."""
    project = projects.large(setting.folder / "large", 10_000)
    stack = str(projects.stack(project))
    found = take_turns(
        {
            "compose": Contestant([PYTHON, "-c", COMPOSE, "pipeline.yaml"], project),
            "validate": Contestant([RUNNER, "validate", "pipeline.yaml"], project),
            "plan": Contestant([RUNNER, "plan", "pipeline.yaml", "--stack", stack], project, [project / ".runner"]),
        },
        setting.times(5),
    )
    compose = "composing it with ruamel's C parser"
    yield _row("validate 10,000 steps", found["validate"], found["compose"], compose, 1.5)
    yield _row("plan 10,000 steps", found["plan"], found["compose"], compose, 2.5)
    for name in ("validate", "plan"):
        yield Row(f"{name} 10,000 steps, peak memory", _megabytes(found[name]), None, "", 500, "MB")


def compiling(setting: Setting) -> Iterator[Row]:
    """A pipeline of 1,000 steps as an engine's own document, beside its plan."""
    project = projects.large(setting.folder / "compiled", 1000)
    plan = [RUNNER, "plan", "pipeline.yaml", "--stack", str(projects.stack(project))]
    for flavor in projects.ENGINES:
        stack = str(projects.engine_stack(project, flavor))
        compiled = [RUNNER, "compile", "pipeline.yaml", "--stack", stack, "-o", "compiled"]
        found = take_turns(
            {
                "plan": Contestant(plan, project, [project / ".runner"]),
                "compile": Contestant(compiled, project, [project / "compiled"]),
            },
            setting.times(5),
        )
        yield _row(f"compile 1,000 steps for {flavor}", found["compile"], found["plan"], "their plan", 3)


def repository(setting: Setting) -> Iterator[Row]:
    """All problems of a repository of 1,000 documents, one in twenty with a mistake."""
    project = projects.repository(setting.folder / "repository", 1000)
    found = take_turns(
        {
            "read": Contestant([PYTHON, "-c", LOAD], project),
            "validate": Contestant([RUNNER, "validate", "--format", "github"], project, code=3),
        },
        setting.times(7),
    )
    yield _row("validate 1,000 documents", found["validate"], found["read"], "reading them with the C YAML parser", 3)


def chains(setting: Setting) -> Iterator[Row]:
    """Chains of empty steps, each in a process of its own."""
    for count, times, bar in ((100, 9, None), (1000, 5, 4)):
        project = projects.chain(setting.folder / f"chain-{count}", count)
        found = take_turns({"run": run(project), "floor": _floor_steps(project, count)}, setting.times(times))
        yield _row(f"chain of {count:,}, a process each", found["run"], found["floor"], "fork, reap, commit a row", bar)


def in_process(setting: Setting) -> Iterator[Row]:
    """The same in one process: what each step costs beyond a run of one step."""
    one, many = (projects.chain(setting.folder / f"chain-{count}", count) for count in (1, 1000))
    found = take_turns({"one": run(one, isolation="none"), "many": run(many, isolation="none")}, setting.times(7))
    each = (seconds(found["many"]) - seconds(found["one"])) / 999 * 1000
    yield Row("chain of 1,000, `isolation: none`, a step", each, None, "", 0.5, "ms")


def fans(setting: Setting) -> Iterator[Row]:
    """A fan-out of empty steps, and whether the cost of each stays when there are ten times as many."""
    project = projects.fan(setting.folder / "fan-1000", 1000)
    found = take_turns({"run": run(project), "floor": _floor_steps(project, 1002)}, setting.times(5))
    yield _row("fan-out of 1,000, a process each", found["run"], found["floor"], "fork, reap, commit a row", 4)
    if setting.full:
        one, large = projects.chain(setting.folder / "chain-1", 1), projects.fan(setting.folder / "fan-10000", 10_000)
        more = take_turns({"one": run(one), "large": run(large)}, setting.times(3), warm=False)
        start = seconds(more["one"])
        costs = [(seconds(s) - start) / n * 1000 for s, n in ((more["large"], 10_000), (found["run"], 1000))]
        yield Row("fan-out of 10,000, a step", costs[0], costs[1], "a step of the fan-out of 1,000", 1.2, "ms")


def parallel(setting: Setting) -> Iterator[Row]:
    """Steps that keep both cores busy."""
    project = projects.burn(setting.folder / "burn", 64, 0.25)
    floor = Contestant([PYTHON, FLOOR, "burn", "64", "2", "0.25"], project)
    found = take_turns({"run": run(project, max_parallel=2), "floor": floor}, setting.times(3), warm=False)
    yield _row("64 steps of 0.25 s, `max_parallel: 2`", found["run"], found["floor"], "the same work forked bare", 1.08)


def arrays(setting: Setting) -> Iterator[Row]:
    """An array of 1 GiB from one step to the next, and what the runner itself keeps in memory meanwhile."""
    tiny, project = (projects.array(setting.folder / f"array-{n}", n) for n in (1, GIB // 8))
    floor = Contestant([PYTHON, FLOOR, "array", str(GIB // 8), "."], project, [project / "array.npy"])
    watched = {"tiny": run(tiny)._replace(watch_memory=True), "run": run(project)._replace(watch_memory=True)}
    found = take_turns({"floor": floor, **watched}, setting.times(3))
    files = median(float(sample.output) for sample in found["floor"])
    yield _row(
        "1 GiB NumPy array, step to step", found["run"], found["floor"], "whole processes that save and load it", 2.5
    )
    # No bar: the runner's figure holds its start, making the array and summing it up; the other's is of two calls only.
    yield Row("1 GiB NumPy array, step to step", seconds(found["run"]), files, "`np.save` and `np.load` alone", None)
    own = [median(sample.own_peak for sample in found[name]) / 1e6 for name in ("run", "tiny")]
    yield Row("the runner's memory with 1 GiB between steps", own[0], own[1], "with 8 bytes between them", 1.1, "MB")


def docker(setting: Setting) -> Iterator[Row]:
    """Steps that are containers, beside containers of the same image that do nothing; needs a Docker Engine."""
    project = projects.chain(setting.folder / "docker-chain", 10)
    own = _in_docker(project)
    once(own)  # makes the image
    bare = ["sh", "-c", f"for i in $(seq 10); do docker run --rm {_image(own)} python -c pass || exit 1; done"]
    found = take_turns({"run": own, "bare": Contestant(bare, project)}, setting.times(5))
    beside = "ten times `docker run … python -c pass`"
    yield _row("chain of 10, a container each", found["run"], found["bare"], beside, 1.3)
    project = projects.naps(setting.folder / "docker-naps", 8, 1.0)
    sides = {str(n): _in_docker(project, max_parallel=n) for n in (1, 2)}
    found = take_turns(sides, setting.times(3))
    half = seconds(found["1"]) / 2
    yield Row("8 containers of 1 s, `max_parallel: 2`", seconds(found["2"]), half, "half the time of one by one", 1.15)


def _still(folder: Path, count: int) -> Path:
    return projects.naps(folder, count, 0.0)


def kubernetes(setting: Setting) -> Iterator[Row]:
    """Steps that are pods, beside pods of the same image that do nothing; needs a cluster."""
    with pods.place(setting.folder / "pods") as there:
        for work, build, count, how, times, bar in (
            ("chain of 10, a pod each", projects.chain, 10, "one-by-one", 3, 1.3),
            ("fan-out of 50 pods", _still, 50, "at-once", 2, 1.2),
        ):
            project = build(setting.folder / f"pods-{how}", count)
            own = there.run(project, max_parallel=100)
            once(own)  # makes the images, and lets the node have them
            bare = there.bare(pods.image_of(own), count, how, setting.folder)
            found = take_turns({"run": own, "bare": bare}, setting.times(times), warm=False)
            yield _row(work, found["run"], found["bare"], f"as many bare pods, {how.replace('-', ' ')}", bar)


GROUPS: dict[str, Callable[[Setting], Iterator[Row]]] = {
    "startup": startup,
    "documents": documents,
    "compile": compiling,
    "repository": repository,
    "chain": chains,
    "none": in_process,
    "fan": fans,
    "parallel": parallel,
    "array": arrays,
    "docker": docker,
    "kubernetes": kubernetes,
}


def run(project: Path, *, max_parallel: int = 1, isolation: str = "process") -> Contestant:
    """`runner run` in this project, its state put away before each time."""
    stack = projects.stack(project, max_parallel=max_parallel, isolation=isolation)
    return Contestant([RUNNER, "run", "pipeline.yaml", "--stack", str(stack)], project, [project / ".runner"])


def _in_docker(project: Path, *, max_parallel: int = 1) -> Contestant:
    stack = projects.docker_stack(project, max_parallel=max_parallel)
    return Contestant([RUNNER, "run", "pipeline.yaml", "--stack", str(stack)], project, [project / ".runner"])


def _image(run: Contestant) -> str:
    """The tag of the image that its steps run in."""
    told = once(Contestant([RUNNER, "compile", *run.command[2:]], run.folder)).output
    return str(json.loads(told.partition("\n")[2])["s0"]["image"])


def _floor_steps(project: Path, count: int) -> Contestant:
    files = [project / f"floor.db{end}" for end in ("", "-wal", "-shm")]
    return Contestant([PYTHON, FLOOR, "steps", str(count), "floor.db"], project, files)


def _row(work: str, value: list[Sample], floor: list[Sample], beside: str, bar: float | None) -> Row:
    return Row(work, seconds(value), seconds(floor), beside, bar)


def _megabytes(samples: list[Sample]) -> float:
    return median(sample.peak for sample in samples) / 1e6

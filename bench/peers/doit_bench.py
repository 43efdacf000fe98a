"""doit: one Python action a task, values handed over by `getargs`."""

import sys

from doit.cmd_base import ModuleTaskLoader
from doit.doit_cmd import DoitMain

shape, n = sys.argv[1], int(sys.argv[2])
seen = []


def source():
    return {"x": 0}


def inc(x):
    seen.append(x + 1)
    return {"x": x + 1}


def task_source():
    return {"actions": [source]}


def task_inc():
    for i in range(n if shape == "fan" else n - 1):
        before = "source" if shape == "fan" or i == 0 else f"inc:{i - 1}"
        yield {"name": str(i), "actions": [inc], "getargs": {"x": (before, "x")}}


def task_sink():
    if shape == "fan":
        yield {"name": "all", "actions": [lambda: None], "task_dep": ["inc"]}


tasks = {
    "DOIT_CONFIG": {"verbosity": 0, "reporter": "zero", "dep_file": "doit.db"},
    "task_source": task_source,
    "task_inc": task_inc,
    "task_sink": task_sink,
}
code = DoitMain(ModuleTaskLoader(tasks)).run([])
assert code == 0 and (len(seen) == n if shape == "fan" else seen[-1] == n - 1), (code, len(seen))

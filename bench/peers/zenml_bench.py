"""zenml: steps on the default stack (local orchestrator, SQLite), cache off."""

import sys

from zenml import pipeline, step

shape, n = sys.argv[1], int(sys.argv[2])


@step(enable_cache=False)
def source() -> int:
    return 0


@step(enable_cache=False)
def inc(x: int) -> int:
    return x + 1


@step(enable_cache=False)
def sink() -> int:
    return 1


@pipeline(enable_cache=False)
def chain():
    x = source()
    for i in range(n - 1):
        x = inc(x, id=f"inc_{i}")


@pipeline(enable_cache=False)
def fan():
    x = source()
    for i in range(n):
        inc(x, id=f"inc_{i}")
    sink(after=[f"inc_{i}" for i in range(n)])


run = (chain if shape == "chain" else fan)()
assert run.status.value == "completed", run.status

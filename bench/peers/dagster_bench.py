"""dagster: ops in one job, executed in process with an instance that keeps events and values on disk."""

import os
import sys

from dagster import DagsterInstance, job, op

shape, n = sys.argv[1], int(sys.argv[2])


@op
def source() -> int:
    return 0


@op
def inc(x: int) -> int:
    return x + 1


@op
def sink(xs: list[int]) -> int:
    return len(xs)


@job
def chain():
    x = source()
    for i in range(n - 1):
        x = inc.alias(f"inc_{i}")(x)


@job
def fan():
    x = source()
    sink([inc.alias(f"inc_{i}")(x) for i in range(n)])


instance = DagsterInstance.local_temp(os.getcwd())
result = (chain if shape == "chain" else fan).execute_in_process(instance=instance)
last, right = (f"inc_{n - 2}", n - 1) if shape == "chain" else ("sink", n)
assert result.success and result.output_for_node(last) == right

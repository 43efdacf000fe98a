"""prefect: tasks in one flow, with the server that it starts for itself."""

import sys

from prefect import flow, task

shape, n = sys.argv[1], int(sys.argv[2])


@task
def source():
    return 0


@task
def inc(x):
    return x + 1


@task
def sink(xs):
    return len(xs)


@flow
def chain():
    x = source()
    for _ in range(n - 1):
        x = inc(x)
    return x


@flow
def fan():
    x = source()
    return sink([future.result() for future in [inc.submit(x) for _ in range(n)]])


assert (chain if shape == "chain" else fan)() == (n - 1 if shape == "chain" else n)

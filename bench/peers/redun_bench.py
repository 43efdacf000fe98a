"""redun: lazy tasks, values and call graph in a SQLite database."""

import logging
import sys

from redun import Scheduler, task
from redun.config import Config

redun_namespace = "bench"
shape, n = sys.argv[1], int(sys.argv[2])


@task()
def source() -> int:
    return 0


@task()
def inc(x: int, i: int) -> int:  # `i` keeps equal calls apart: redun answers them from its cache otherwise
    return x + 1


@task()
def sink(xs: list) -> int:
    return len(xs)


@task()
def chain(n: int) -> int:
    x = source()
    for i in range(n - 1):
        x = inc(x, i)
    return x


@task()
def fan(n: int) -> int:
    x = source()
    return sink([inc(x, i) for i in range(n)])


sys.setrecursionlimit(100_000)
logging.disable(logging.CRITICAL)
scheduler = Scheduler(config=Config({"backend": {"db_uri": "sqlite:///redun.db"}}))
scheduler.load()
assert scheduler.run((chain if shape == "chain" else fan)(n)) == (n - 1 if shape == "chain" else n)

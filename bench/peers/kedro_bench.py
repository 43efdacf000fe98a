"""kedro: nodes with values in memory, the sequential runner."""

import logging
import sys

from kedro.io import DataCatalog
from kedro.pipeline import node, pipeline
from kedro.runner import SequentialRunner

shape, n = sys.argv[1], int(sys.argv[2])
logging.disable(logging.WARNING)


def source():
    return 0


def inc(x):
    return x + 1


def sink(*xs):
    return len(xs)


first = node(source, None, "x0", name="source")
if shape == "chain":
    nodes = [first, *(node(inc, f"x{i}", f"x{i + 1}", name=f"inc_{i}") for i in range(n - 1))]
    last, right = f"x{n - 1}", n - 1
else:
    middle = [node(inc, "x0", f"y{i}", name=f"inc_{i}") for i in range(n)]
    nodes = [first, *middle, node(sink, [f"y{i}" for i in range(n)], "out", name="sink")]
    last, right = "out", n

found = SequentialRunner().run(pipeline(nodes), DataCatalog())[last]
assert getattr(found, "load", lambda: found)() == right

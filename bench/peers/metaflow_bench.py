"""metaflow: a flow with a method a step (chain) or a foreach (fan), values in files."""

import subprocess
import sys
from pathlib import Path

shape, n = sys.argv[1], int(sys.argv[2])


def method(name: str, *body: str, arguments: str = "self") -> str:
    return f"    @step\n    def {name}({arguments}):\n" + "".join(f"        {line}\n" for line in body)


def chain() -> str:
    names = ["start", *(f"s{i}" for i in range(1, n - 1)), "end"]
    first = method("start", "self.x = 0", f"self.next(self.{names[1]})")
    middle = [method(name, "self.x += 1", f"self.next(self.{after})") for name, after in zip(names[1:], names[2:])]
    return "".join([first, *middle, method("end", f"assert self.x + 1 == {n - 1}")])


def fan() -> str:
    return "".join(
        [
            method("start", f"self.items = list(range({n}))", "self.next(self.inc, foreach='items')"),
            method("inc", "self.y = 1", "self.next(self.join)"),
            method("join", "self.n = sum(i.y for i in inputs)", "self.next(self.end)", arguments="self, inputs"),
            method("end", f"assert self.n == {n}"),
        ]
    )


body = chain() if shape == "chain" else fan()
Path("flow.py").write_text(f"from metaflow import FlowSpec, step\n\n\nclass F(FlowSpec):\n{body}\n\nif __name__ == '__main__':\n    F()\n")
command = [sys.executable, "flow.py", "--no-pylint", "--quiet", "run", "--max-num-splits", "20000", "--max-workers", "2"]
subprocess.run(command, check=True)

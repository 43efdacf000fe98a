"""snakemake: a rule with a shell command a step, values in files, two at a time."""

import subprocess
import sys
from pathlib import Path

shape, n = sys.argv[1], int(sys.argv[2])
ADD = 'shell: "echo $(( $(cat {input}) + 1 )) > {output}"'
CHAIN = f"""
rule all:
    input: "x{n - 1}"
rule source:
    output: "x0"
    shell: "echo 0 > {{output}}"
""" + "".join(f'\nrule inc{i}:\n    input: "x{i}"\n    output: "x{i + 1}"\n    {ADD}\n' for i in range(n - 1))
FAN = f"""
rule sink:
    input: expand("y/{{i}}", i=range({n}))
    output: "sink"
    shell: "ls y | wc -l > {{output}}"
rule source:
    output: "x"
    shell: "echo 0 > {{output}}"
rule inc:
    input: "x"
    output: "y/{{i}}"
    {ADD}
"""

Path("Snakefile").write_text(CHAIN if shape == "chain" else FAN)
subprocess.run([sys.executable, "-m", "snakemake", "-q", "all", "-c2"], check=True)
last, right = (f"x{n - 1}", n - 1) if shape == "chain" else ("sink", n)
assert int(Path(last).read_text()) == right

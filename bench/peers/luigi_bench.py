"""luigi: a task class with a parameter, values in files, the local scheduler, one worker."""

import sys
import tempfile

import luigi

shape, n = sys.argv[1], int(sys.argv[2])
folder = tempfile.mkdtemp(dir=".")
sys.setrecursionlimit(100_000)  # it follows `requires` by recursion


class Source(luigi.Task):
    def output(self):
        return luigi.LocalTarget(f"{folder}/source")

    def run(self):
        with self.output().open("w") as file:
            file.write("0")


class Inc(luigi.Task):
    i = luigi.IntParameter()

    def requires(self):
        return Source() if shape == "fan" or self.i == 0 else Inc(i=self.i - 1)

    def output(self):
        return luigi.LocalTarget(f"{folder}/{self.i}")

    def run(self):
        with self.input().open() as file:
            x = int(file.read())
        with self.output().open("w") as file:
            file.write(str(x + 1))


class Sink(luigi.Task):
    def requires(self):
        return [Inc(i=i) for i in range(n)]

    def output(self):
        return luigi.LocalTarget(f"{folder}/sink")

    def run(self):
        with self.output().open("w") as file:
            file.write(str(len(self.input())))


last = Sink() if shape == "fan" else Inc(i=n - 2)
assert luigi.build([last], local_scheduler=True, log_level="ERROR", workers=1)
with last.output().open() as file:
    assert int(file.read()) == (n if shape == "fan" else n - 1)

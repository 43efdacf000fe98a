"""The value of a secret is nowhere but in its step: a run that spills it in every way, and a search for it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from secret_servers import aws_client, gcp_secrets, s3_endpoint

__all__ = ["aws_client", "gcp_secrets", "s3_endpoint"]

STEPS = '''
import glob, json, os, subprocess, sys, time
from urllib.parse import quote
from runner import step_context

def spill(token):
    """Every way to print it, whole and in pieces; what it gives back tells that the value was there."""
    print("the token is", token)
    print(repr(token), json.dumps({"token": token}), quote(token, safe=""), [token.encode()])
    for line in token.splitlines():
        print("a line:", line, file=sys.stderr)
    sys.stdout.flush()
    for piece in (token[:7], token[7:20], token[20:]):
        os.write(1, piece.encode())
    os.write(1, b"\\n")
    subprocess.run([sys.executable, "-c", "import os; print('child:', os.environ['TOKEN'])"])
    subprocess.run("printf %s \\"$TOKEN\\" | head -c 12; printf %s \\"$TOKEN\\" | tail -c +13", shell=True)
    return len(token)

def measure(token):
    step_context().log_metrics(loss=0.5, note=f"with {token}")

def refuse(token):
    try:
        raise KeyError(token)
    except KeyError as error:
        raise ValueError(f"refused: {token}", token, 7) from error

def leave(token):
    sys.exit(f"with {token}")

def die(token):
    print("last words:", token, flush=True)
    os._exit(3)

def linger(token):
    print("still here:", token, flush=True)
    time.sleep(120)

def unsavable(token):
    class Odd(dict):
        def __reduce__(self):
            raise TypeError(f"{token} cannot be pickled")
    Odd.__name__ = Odd.__qualname__ = token
    return Odd()

def look(marks, environments):
    """Command lines, and with `environments` also those, in which the marks stand together."""
    found = []
    for name in ("cmdline", *["environ"] * environments):
        for path in glob.glob(f"/proc/[0-9]*/{name}"):
            try:
                with open(path, "rb") as file:
                    content = file.read()
            except OSError:
                continue
            found += [path] * (f"{marks[0]}{marks[1]}".encode() in content)
    return found
'''
PIPELINE = """
kind: pipeline
name: leaks
stack: leaks
on_failure: continue
defaults: {{cache: false}}
environment: {{TOKEN: "${{secrets.LEAK}}"}}
steps:
  spill: {{entrypoint: "leak_steps:spill", parameters: {{token: "${{secrets.LEAK}}"}}}}
  measure: {{entrypoint: "leak_steps:measure", parameters: {{token: "${{secrets.LEAK}}"}}}}
  refuse:
    entrypoint: leak_steps:refuse
    parameters: {{token: "Bearer ${{secrets.LEAK}}"}}
    retry: {{max_retries: 1, delay: 0s}}
  leave: {{entrypoint: "leak_steps:leave", parameters: {{token: "${{secrets.LEAK}}"}}}}
  die: {{entrypoint: "leak_steps:die", parameters: {{token: "${{secrets.LEAK}}"}}}}
  linger: {{entrypoint: "leak_steps:linger", parameters: {{token: "${{secrets.LEAK}}"}}, timeout: 5s}}
  unsavable: {{entrypoint: "leak_steps:unsavable", parameters: {{token: "${{secrets.LEAK}}"}}}}
  look:
    entrypoint: leak_steps:look
    environment: {{TOKEN: none}}
    parameters: {{marks: {marks}, environments: {environments}}}
"""
VENV = """
  apart:
    entrypoint: leak_steps:spill
    parameters: {token: "${secrets.LEAK}"}
    settings: {image: {requirements: ["six"]}, local: {environment: venv}}
"""
KEPT = """
kind: pipeline
name: kept
stack: leaks
steps:
  spill: {entrypoint: "leak_steps:spill", environment: {TOKEN: x}, parameters: {token: "${secrets.LEAK}"}}
"""
STACK = """
kind: stack
name: leaks
orchestrator: {{flavor: local, isolation: {isolation}}}
secret_store: {store}
"""
SAID = ("the token is ***", "child: ***", "refused: Bearer ***")
LAST_WORDS = ("last words: ***", "still here: ***")  # not when its host goes with the step, or the store is far away


class Leak(NamedTuple):
    """A secret whose every line holds `mark`, and which no form of printing leaves as it is."""

    mark: str
    value: str


class Bench:
    """A project that uses the secret, and `runner` in it; everything that it printed is kept."""

    def __init__(self, folder: Path, leak: Leak, store: str, isolation: str, environment: dict[str, str]) -> None:
        self.folder = folder
        self.leak = leak
        self.forked = isolation == "process"
        self.near = "url" not in store
        self.environment = {**os.environ, **environment}
        self.printed: list[str] = []
        folder.mkdir()
        (folder / "runner.toml").touch()
        (folder / "leak_steps.py").write_text(STEPS)
        half = len(leak.mark) // 2  # the whole mark would stand in the pipeline
        marks = [leak.mark[:half], leak.mark[half:]]
        text = PIPELINE.format(marks=marks, environments=int("LEAK" not in environment))
        (folder / "leaks.yaml").write_text(text + (VENV if "file" in store and self.forked else ""))
        (folder / "stacks").mkdir()
        (folder / "stacks/leaks.yaml").write_text(STACK.format(store=store, isolation=isolation))

    def runner(self, *arguments: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", "runner", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert 'Traceback (most recent call last):\n  File "<frozen' not in ended.stderr
        self.printed += [ended.stdout, ended.stderr]
        return ended.stdout

    def both(self, full: bool, *arguments: str) -> None:
        """As JSON, and with `full` as text too."""
        self.runner(*arguments, "--format", "json")
        if full:
            self.runner(*arguments)

    def processes(self) -> list[str]:
        """What still lives of its runs."""
        mark = f"RUNNER_WALK={self.folder}/".encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                found += [str(path)] * (mark in path.read_bytes())
        return found

    def leaks(self) -> list[str]:
        """Files and printed texts with the mark in them."""
        mark = self.leak.mark.encode()
        files = [str(path) for path in self.folder.rglob("*") if path.is_file() and mark in path.read_bytes()]
        return files + [text for text in self.printed if self.leak.mark in text]


@pytest.fixture
def leak() -> Leak:
    mark = f"Zq{uuid.uuid4().hex}"
    return Leak(mark, f"-- {mark} \"é's\\n & 7\n  {mark}/{mark}=\nx\n{mark} end")


@pytest.fixture(params=["env", "file", "file, unforked", "aws", "gcp, unforked"])
def bench(request: pytest.FixtureRequest, tmp_path: Path, leak: Leak) -> Iterator[Bench]:
    flavor, _, unforked = request.param.partition(", ")
    store, environment = STORES[flavor](request, tmp_path, leak)
    yield Bench(tmp_path / "project", leak, store, "none" if unforked else "process", environment)


def in_env(request: Any, folder: Path, leak: Leak) -> tuple[str, dict[str, str]]:
    return "{flavor: env}", {"LEAK": leak.value}


def in_file(request: Any, folder: Path, leak: Leak) -> tuple[str, dict[str, str]]:
    escaped = leak.value.replace("\\", "\\\\").replace('"', '\\"')
    (folder / "vault").write_text(f'LEAK="{escaped}"\n')
    (folder / "vault").chmod(0o600)
    return "{flavor: file, path: ../vault}", {}


def in_aws(request: Any, folder: Path, leak: Leak) -> tuple[str, dict[str, str]]:
    client, url = request.getfixturevalue("aws_client"), request.getfixturevalue("s3_endpoint")
    prefix = f"{uuid.uuid4().hex}/"
    client.create_secret(Name=f"{prefix}LEAK", SecretString=leak.value)
    return f'{{flavor: aws, region: eu-central-1, prefix: "{prefix}", endpoint_url: "{url}"}}', {}


def in_gcp(request: Any, folder: Path, leak: Leak) -> tuple[str, dict[str, str]]:
    secrets = request.getfixturevalue("gcp_secrets")
    secrets.versions["LEAK"] = leak.value.encode()
    return f'{{flavor: gcp, project: p1, endpoint_url: "{secrets.url}"}}', {}


STORES = {"env": in_env, "file": in_file, "aws": in_aws, "gcp": in_gcp}


def test_a_run_with_every_way_to_spill_a_secret_leaves_it_nowhere(bench: Bench) -> None:
    full = bench.near and bench.forked
    for command in (["validate", "leaks.yaml", "stacks"], ["plan", "leaks.yaml"]):
        bench.both(full, *command)
    bench.runner("compile", "leaks.yaml", "-o", "compiled")
    told = bench.runner("run", "leaks.yaml")
    for command in (["runs", "show", "last"], ["runs", "logs", "last"], ["artifacts", "list", "last"]):
        bench.both(full, *command)
    if full:
        bench.runner("runs", "resume", "last", "--format", "json")

    logs = bench.runner("runs", "logs", "last")
    for said in SAID + (LAST_WORDS if full else ()):
        assert said in told and said in logs, f"{said}\n{told}"
    assert bench.runner("artifacts", "show", "last", "look").strip().endswith("[]")
    assert str(len(bench.leak.value)) in bench.runner("artifacts", "show", "last", "spill")
    assert bench.leaks() == []
    assert bench.processes() == []


def test_another_value_of_a_secret_is_no_reason_to_run_a_step_again(tmp_path: Path, leak: Leak) -> None:
    bench = Bench(tmp_path / "project", leak, "{flavor: env}", "process", {"LEAK": leak.value})
    (bench.folder / "leaks.yaml").write_text(KEPT)
    bench.runner("run", "leaks.yaml")
    bench.environment["LEAK"] = "quite another"
    assert "cached, from run" in bench.runner("run", "leaks.yaml")
    assert bench.leaks() == []

"""An orchestrator of the user's own on the command line: both ways to write it, and what it does wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.cli.main import main

Run = Callable[..., tuple[int, str, str]]
FLAVORS = '''
import subprocess, time
from runner.orchestrators.base import BaseOrchestrator, Capabilities, Submission
from runner.orchestrators.worker import pending, worker_command
from runner.records import Event
from runner.spec.common import Spec


class Least(BaseOrchestrator):
    def prepare_or_run_pipeline(self, deployment, stack):
        for step in pending(deployment, stack):
            subprocess.run(worker_command(deployment, step.name))


class Checks(BaseOrchestrator):
    def prepare_or_run_pipeline(self, deployment, stack):
        for step in deployment.steps.values():
            subprocess.run(worker_command(deployment, step.name), check=True)


class Lazy(BaseOrchestrator):
    def prepare_or_run_pipeline(self, deployment, stack):
        pass


class Returns(BaseOrchestrator):
    """Gives an iterator, without being a generator."""

    def prepare_or_run_pipeline(self, deployment, stack):
        return iter([Event(f"run_{word}", deployment.run_id, time.time()) for word in ("started", "succeeded")])


class Raises(BaseOrchestrator):
    def prepare_or_run_pipeline(self, deployment, stack):
        return 1 / 0


class RaisesLater(BaseOrchestrator):
    def prepare_or_run_pipeline(self, deployment, stack):
        yield Event("run_started", deployment.run_id, time.time())
        deployment.nothing


class Leaves(BaseOrchestrator):
    def prepare_or_run_pipeline(self, deployment, stack):
        raise SystemExit(3)


class TellsWords(BaseOrchestrator):
    def prepare_or_run_pipeline(self, deployment, stack):
        yield "run_started"


class TellsUnknown(BaseOrchestrator):
    def prepare_or_run_pipeline(self, deployment, stack):
        yield Event("run_begun", deployment.run_id, time.time())


class RefusesBadly(Least):
    def refusals(self, steps, project):
        yield from steps.nothing


class CompilesBadly(Least):
    def compile(self, deployment):
        return {}["no"]


class NotMade(Least):
    def __init__(self, settings):
        raise ValueError("no engine here")


class NoMethods(BaseOrchestrator):
    pass


class OnlySubmit(BaseOrchestrator):
    def submit(self, bundle, stack):
        return Submission(bundle.run_id, "half")


class OddSettings(Least):
    class Settings:
        pass


class OddCapabilities(Least):
    capabilities = {"retry": True}
'''
STEPS = 'def good():\n    print("hello")\n    return 1\n\ndef bad():\n    raise ValueError("no")\n'
PIPELINE = """kind: pipeline
name: p
defaults: {cache: false}
steps:
  a: {entrypoint: "carried_steps:good"}
  b: {entrypoint: "carried_steps:good", after: [a]}
"""


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """`runner` in a project whose stack names this class of the module `carried_flavors`."""
    (tmp_path / "runner.toml").touch()
    (tmp_path / "stacks").mkdir()
    for name, text in (("carried_flavors.py", FLAVORS), ("p.yaml", PIPELINE), ("carried_steps.py", STEPS)):
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "carried_flavors", raising=False)

    def run(flavor: str, *arguments: str) -> tuple[int, str, str]:
        stack = f'kind: stack\nname: own\norchestrator: {{flavor: "carried_flavors:{flavor}"}}\n'
        (tmp_path / "stacks" / "s.yaml").write_text(stack)
        code = main([*arguments, *(["--stack", "own"] if arguments[0] in ("run", "plan", "compile") else [])])
        return (code, *capfd.readouterr())

    return run


def line_of(text: str, nth: int = 0) -> int:
    return [number for number, line in enumerate(FLAVORS.splitlines(), 1) if text in line][nth]


@pytest.mark.parametrize("flavor", ["Least", "Checks"])
def test_a_plain_method_runs_the_steps_and_the_ledger_tells(runner: Run, flavor: str) -> None:
    code, out, err = runner(flavor, "run", "p.yaml")
    assert (code, err) == (0, "")
    assert "a           | hello" in out and "2 succeeded" in out


@pytest.mark.parametrize("flavor", ["Least", "Checks"])
def test_a_step_that_failed_is_told_once_and_the_rest_is_skipped(runner: Run, tmp_path: Path, flavor: str) -> None:
    (tmp_path / "p.yaml").write_text(PIPELINE.replace("good", "bad", 1))
    code, out, err = runner(flavor, "run", "p.yaml")
    assert (code, err) == (1, "")
    assert out.count("step 'a' failed\n  ValueError: no") == 1 and "CalledProcessError" not in out
    assert "1 failed, 1 skipped" in out


def test_a_run_is_resumed_where_it_stopped(runner: Run, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(PIPELINE.replace("good", "bad").replace("bad", "good", 1))
    assert runner("Least", "run", "p.yaml")[0] == 1
    (tmp_path / "carried_steps.py").write_text(STEPS.replace('raise ValueError("no")', "return 2"))
    code, out, _ = runner("Least", "runs", "resume")
    assert code == 0 and "b           started, attempt 2" in out and "a           started" not in out
    run = json.loads(runner("Least", "runs", "show", "--format", "json")[1])
    assert (run["status"], run["steps"]["b"]["attempt"]) == ("succeeded", 2)


def test_a_method_that_runs_nothing_has_failed(runner: Run) -> None:
    code, out, _ = runner("Lazy", "run", "p.yaml")
    assert code == 1 and "a           skipped: the orchestrator did not run it" in out


def test_an_iterator_is_as_good_as_a_generator(runner: Run) -> None:
    code, out, _ = runner("Returns", "run", "p.yaml")
    assert code == 0 and out.count("p on stack own") == 1


@pytest.mark.parametrize(
    ("flavor", "words", "line"),
    [
        ("Raises", "ZeroDivisionError: division by zero", line_of("1 / 0")),
        ("RaisesLater", "AttributeError: 'Deployment' object has no attribute 'nothing'", line_of(".nothing")),
        ("Leaves", "SystemExit: 3", line_of("SystemExit")),
    ],
)
def test_what_it_raises_is_told_with_its_own_line(
    runner: Run, tmp_path: Path, flavor: str, words: str, line: int
) -> None:
    code, _, err = runner(flavor, "run", "p.yaml")
    assert code == 5
    assert f"error: flavor 'carried_flavors:{flavor}' raised {words}\n" in err
    assert f"help: look at {tmp_path}/carried_flavors.py:{line}, in prepare_or_run_pipeline\n" in err
    assert json.loads(runner(flavor, "runs", "list", "--format", "json")[1])[0]["status"] == "failed"


@pytest.mark.parametrize(
    ("flavor", "words"),
    [("TellsWords", "yielded 'run_started', a str"), ("TellsUnknown", "told of an event 'run_begun', which there is")],
)
def test_what_it_tells_must_be_events(runner: Run, flavor: str, words: str) -> None:
    code, _, err = runner(flavor, "run", "p.yaml")
    assert code == 5 and words in err and "bug" not in err


@pytest.mark.parametrize(
    ("flavor", "verb", "words", "line"),
    [
        ("RefusesBadly", "plan", "AttributeError", line_of(".nothing", 1)),
        ("CompilesBadly", "compile", "KeyError: 'no'", line_of('{}["no"]')),
    ],
)
def test_every_method_is_told_so(runner: Run, flavor: str, verb: str, words: str, line: int) -> None:
    code, _, err = runner(flavor, verb, "p.yaml")
    assert code == 5 and f"raised {words}" in err and f"carried_flavors.py:{line}" in err


@pytest.mark.parametrize(
    ("flavor", "words"),
    [
        ("NotMade", "raised ValueError: no engine here"),
        ("NoMethods", "cannot run anything: it has no submit and no watch"),
        ("OnlySubmit", "cannot run anything: it has no watch"),
        ("OddSettings", "has Settings that are no Spec"),
        ("OddCapabilities", "has capabilities that are no Capabilities"),
        ("Nobody", "has no 'Nobody'"),
    ],
)
def test_a_class_that_is_no_flavor_is_an_error_at_its_position(runner: Run, flavor: str, words: str) -> None:
    code, out, err = runner(flavor, "validate", "stacks")
    assert code == 3 and "stacks/s.yaml:3:24: error[" in out, out + err
    assert words in out and "help: " in out and "Traceback" not in out + err

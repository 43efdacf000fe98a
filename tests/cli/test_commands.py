"""Every verb on a real project, in one process, with what it prints and the exit code it ends with."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.cli.main import main

STEPS = """
import time


def greet(name):
    print("hello")
    return f"Hello, {name}!"


def count(text):
    return {"letters": len(text)}


def fail(text):
    raise ValueError("not today")


def wait():
    time.sleep(60)
"""
PIPELINE = """
kind: pipeline
name: {name}
parameters:
  name: {{type: string, default: world}}
steps:
  greet: {{entrypoint: "{module}:greet", parameters: {{name: "${{parameters.name}}"}}}}
  then: {{entrypoint: "{module}:{then}", inputs: {{text: greet}}}}
"""
LONG = 'kind: pipeline\nname: long\nsteps: {wait: {entrypoint: "face_steps:wait"}}\n'
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "runner.toml").touch()
    (tmp_path / "face_steps.py").write_text(STEPS)
    for name, then in (("good", "count"), ("bad", "fail")):
        (tmp_path / f"{name}.yaml").write_text(PIPELINE.format(name=name, module="face_steps", then=then))
    (tmp_path / "long.yaml").write_text(LONG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.fixture
def runner(project: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


def test_validate_says_how_much_was_looked_at(runner: Run) -> None:
    assert runner("validate", "good.yaml", "bad.yaml") == (0, "2 documents in 2 files: no problems\n", "")


def test_validate_shows_problems_on_stdout_and_ends_with_3(runner: Run, project: Path) -> None:
    (project / "wrong.yaml").write_text("kind: pipeline\nname: wrong\nstepz: {}\n")
    code, out, _ = runner("validate", "wrong.yaml")
    assert code == 3
    assert "wrong.yaml:3:1: error[unknown-key]" in out
    assert out.splitlines()[-1].startswith("1 document in 1 file: ")


def test_validate_gives_json(runner: Run, project: Path) -> None:
    (project / "wrong.yaml").write_text("kind: pipeline\nname: wrong\nstepz: {}\n")
    problems = json.loads(runner("validate", "wrong.yaml", "--format", "json")[1])
    assert set(problems[0]) == {"file", "line", "column", "code", "message", "help"}
    assert json.loads(runner("validate", "good.yaml", "--format", "json")[1]) == []


def test_validate_annotates_workflows(runner: Run, project: Path) -> None:
    (project / "wrong.yaml").write_text("kind: pipeline\nname: wrong\nstepz: {}\n")
    assert runner("validate", "wrong.yaml", "--format", "github")[1].startswith("::error file=wrong.yaml,line=")
    assert runner("validate", "good.yaml", "--format", "github")[1] == ""


def test_schema_of_one_kind_and_of_all(runner: Run) -> None:
    assert json.loads(runner("schema", "pipeline")[1])["$schema"].endswith("2020-12/schema")
    assert {"pipeline", "stack", "resources", "orchestrator"} <= set(json.loads(runner("schema")[1]))


def test_schema_is_written(runner: Run, project: Path) -> None:
    code, out, _ = runner("schema", "--write", "made")
    assert code == 0 and "made/pipeline.schema.json" in out
    assert json.loads((project / "made/pipeline.schema.json").read_text())


def test_schema_of_an_unknown_kind(runner: Run) -> None:
    code, _, err = runner("schema", "pipelin")
    assert (code, "did you mean 'pipeline'?" in err) == (64, True)


def test_plan_ends_with_2_when_something_would_run(runner: Run) -> None:
    assert runner("plan", "good.yaml", "--exit-code")[0] == 2
    runner("run", "good.yaml")
    assert runner("plan", "good.yaml", "--exit-code")[0] == 0
    assert runner("plan", "good.yaml", "--exit-code", "-p", "name=Ada")[0] == 2


@pytest.mark.parametrize(("format_", "start"), [("json", "{"), ("mermaid", "flowchart"), ("dot", "digraph")])
def test_plan_formats(runner: Run, format_: str, start: str) -> None:
    assert runner("plan", "good.yaml", "--format", format_)[1].startswith(start)


def test_a_wrong_pipeline_is_shown_on_stderr(runner: Run, project: Path) -> None:
    (project / "wrong.yaml").write_text("kind: pipeline\nname: wrong\nstepz: {}\n")
    for verb in ("plan", "run", "compile"):
        code, out, err = runner(verb, "wrong.yaml")
        assert (code, out) == (3, "")
        assert "wrong.yaml:3:1: error[unknown-key]" in err


def test_compile_prints_the_documents(runner: Run) -> None:
    code, out, _ = runner("compile", "good.yaml")
    assert code == 0 and out.startswith("# deployment.json\n")
    assert json.loads(out.partition("\n")[2])["run_id"] == "${run.id}"


def test_compile_writes_the_documents(runner: Run, project: Path) -> None:
    assert runner("compile", "good.yaml", "-o", "made")[1] == "made/deployment.json\n"
    assert json.loads((project / "made/deployment.json").read_text())["pipeline"] == "good"


def test_run_tells_the_whole_story(runner: Run) -> None:
    code, out, _ = runner("run", "good.yaml", "-p", "name=Ada")
    assert code == 0
    assert "greet       | hello\n" in out
    assert out.rstrip().endswith("2 steps, 2 succeeded")


def test_run_as_json_lines(runner: Run) -> None:
    code, out, err = runner("run", "good.yaml", "--format", "json")
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert (code, events[0], events[-1]) == (0, "run_started", "run_succeeded")
    assert err == "greet | hello\n"


def test_parameters_from_a_file(runner: Run, project: Path) -> None:
    (project / "p.json").write_text('{"name": "Bo"}')
    runner("run", "good.yaml", "--params-file", "p.json")
    assert "name  Bo" in runner("runs", "show")[1]


@pytest.mark.parametrize("wrong", [("-p", "nonsense"), ("-p", "nome=x"), ("--only", "grete"), ("--stack", "nowhere")])
def test_run_misused_ends_with_64(runner: Run, wrong: tuple[str, str]) -> None:
    assert runner("run", "good.yaml", *wrong)[0] == 64


def test_a_failed_run_ends_with_1_and_says_how_to_go_on(runner: Run) -> None:
    code, out, _ = runner("run", "bad.yaml")
    assert code == 1
    assert "ValueError: not today\n    face_steps.py:" in out
    assert 'raise ValueError("not today")' in out
    assert "go on with: runner runs resume " in out


def test_a_failed_run_is_resumed(runner: Run, project: Path) -> None:
    runner("run", "bad.yaml")
    (project / "face_steps.py").write_text(STEPS.replace('raise ValueError("not today")', "return 1"))
    code, out, _ = runner("runs", "resume", "last")
    assert code == 0
    assert "greet       started" not in out
    assert "2 steps, 2 succeeded" in out


def test_runs_are_listed_and_shown_by_prefix(runner: Run) -> None:
    runner("run", "good.yaml")
    run_id = json.loads(runner("runs", "list", "--format", "json")[1])[0]["run_id"]
    assert run_id in runner("runs", "list")[1]
    assert runner("runs", "show", run_id[:12])[1] == runner("runs", "show", "last")[1]
    assert json.loads(runner("runs", "show", "--format", "json")[1])["steps"]["greet"]["status"] == "succeeded"


def test_runs_of_another_pipeline_are_left_out(runner: Run) -> None:
    runner("run", "good.yaml")
    assert json.loads(runner("runs", "list", "--pipeline", "other", "--format", "json")[1]) == []


def test_logs_of_all_steps_and_of_one(runner: Run) -> None:
    runner("run", "good.yaml")
    assert runner("runs", "logs")[1] == "greet       | hello\n"
    assert runner("runs", "logs", "last", "--step", "greet")[1] == "hello\n"
    assert "printed nothing" in runner("runs", "logs", "last", "--step", "then")[2]


def test_delete_asks_only_at_a_terminal(runner: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    runner("run", "good.yaml")
    with open("/dev/null") as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        code, _, err = runner("runs", "delete", "last")
    assert (code, "--yes" in err) == (64, True)
    assert runner("runs", "delete", "last", "--yes")[0] == 0
    assert json.loads(runner("runs", "list", "--format", "json")[1]) == []


def test_a_run_in_the_background_is_followed_and_cancelled(runner: Run) -> None:
    code, out, _ = runner("run", "long.yaml", "--detach", "--format", "json")
    run_id = json.loads(out)["run_id"]
    assert (code, runner("runs", "show", run_id)[0]) == (0, 0)
    assert runner("runs", "cancel", run_id)[1] == f"run {run_id} is cancelled\n"
    output = Path(json.loads(out)["output"])
    give_up = time.monotonic() + 20
    while "cancelled" not in output.read_text():  # the run is over before its process has told so
        assert time.monotonic() < give_up
        time.sleep(0.05)


def test_ctrl_c_leaves_a_cancelled_run(project: Path, runner: Run) -> None:
    command = [sys.executable, "-m", "runner", "run", "long.yaml", "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while json.loads(process.stdout.readline())["event"] != "step_started":
            continue
        process.send_signal(signal.SIGINT)
        rest = [json.loads(line)["event"] for line in process.stdout]
    assert (process.returncode, rest) == (130, ["step_cancelled", "run_cancelled"])
    assert "status    cancelled" in runner("runs", "show", "last")[1]


def test_a_run_that_cannot_start_in_the_background_says_why(runner: Run) -> None:
    code, out, err = runner("run", "good.yaml", "--detach", "--only", "grete")
    assert (code, out) == (64, "")
    assert "grete" in err


def test_artifacts_are_listed_shown_and_fetched(runner: Run, project: Path) -> None:
    runner("run", "good.yaml")
    assert "then.output" in runner("artifacts", "list")[1]
    assert '"letters": 13' in runner("artifacts", "show", "last", "then")[1]
    assert json.loads(runner("artifacts", "show", "last", "then", "--format", "json")[1])["type"] == "json"
    assert runner("artifacts", "get", "last", "then.output")[1] == "then.output.json\n"
    assert json.loads((project / "then.output.json").read_text()) == {"letters": 13}


def test_an_unknown_artifact_is_told_the_nearest(runner: Run) -> None:
    runner("run", "good.yaml")
    code, _, err = runner("artifacts", "get", "last", "then.outptu")
    assert (code, "did you mean 'then.output'?" in err) == (64, True)


def test_nothing_has_run_yet(runner: Run) -> None:
    assert runner("runs", "list")[1].startswith("no runs yet")
    assert runner("runs", "show")[0] == 64


def test_flavors(runner: Run) -> None:
    assert "local " in runner("flavors")[1]
    assert "max_parallel" in runner("flavors", "local")[1]
    assert "max_parallel" in json.loads(runner("flavors", "local", "--format", "json")[1])["settings"]


def test_a_flavor_says_who_does_what_in_plain_words(runner: Run) -> None:
    words = runner("flavors", "local")[1]
    assert "memory      the step's own process" in words
    assert "foreach     not supported yet" in words


def test_completion_scripts(runner: Run) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_RUNNER_COMPLETE" in runner("completion", shell)[1]


def test_version_as_json(runner: Run) -> None:
    assert set(json.loads(runner("version", "--format", "json")[1])) == {"runner", "python", "platform"}


def test_runs_of_a_pipeline_that_never_ran(runner: Run) -> None:
    runner("run", "good.yaml")
    assert runner("runs", "list", "--pipeline", "other")[1] == "no runs of a pipeline 'other'\n"


def test_a_run_that_has_ended_cannot_be_cancelled(runner: Run) -> None:
    runner("run", "good.yaml")
    code, _, err = runner("runs", "cancel", "last")
    assert (code, "has ended already: succeeded" in err, "see: runner runs show" in err) == (64, True, True)


def test_an_unknown_flavor_is_a_misuse(runner: Run) -> None:
    code, _, err = runner("flavors", "lcal")
    assert (code, "did you mean 'local'?" in err) == (64, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("init", "/proc/x"),
        ("schema", "--write", "/proc/x"),
        ("compile", "good.yaml", "-o", "/proc/x"),
        ("artifacts", "get", "last", "then", "-o", "/proc/x"),
        ("artifacts", "get", "last", "then", "-o", "good.yaml/x"),
    ],
)
def test_a_path_that_cannot_be_written_is_no_bug_of_ours(runner: Run, arguments: tuple[str, ...]) -> None:
    runner("run", "good.yaml")
    code, _, err = runner(*arguments)
    assert code in (5, 64)
    assert "error: " in err and "   help: " in err and "bug" not in err


@pytest.mark.parametrize("verb", ["plan", "run", "compile"])
def test_a_folder_is_no_pipeline(runner: Run, project: Path, verb: str) -> None:
    code, _, err = runner(verb, str(project))
    assert (code, "is a folder" in err, "name one of the files in it" in err) == (3, True, True)


def test_a_parameter_left_empty_is_shown_as_it_was_written(runner: Run, project: Path) -> None:
    text = PIPELINE.format(name="number", module="face_steps", then="count")
    (project / "number.yaml").write_text(text.replace("{type: string, default: world}", "{type: integer, default: 1}"))
    code, _, err = runner("plan", "number.yaml", "-p", "name=")
    assert (code, "the parameter 'name' is '', not an integer" in err) == (64, True)
    assert "fits its declaration at number.yaml:5:3" in err


def test_a_missing_file_of_parameters_shows_no_line(runner: Run) -> None:
    code, _, err = runner("plan", "good.yaml", "--params-file", "nowhere.yaml")
    assert (code, err.splitlines()[0]) == (3, "nowhere.yaml:1:1: error[no-file]: there is no file 'nowhere.yaml'")
    assert " | " not in err


def test_what_comes_from_the_defaults_is_refused_once_for_all_steps(runner: Run, project: Path) -> None:
    text = PIPELINE.format(name="large", module="face_steps", then="count")
    (project / "large.yaml").write_text(text + "defaults: {resources: {cpu_count: 90000}}\n")
    code, _, err = runner("plan", "large.yaml")
    assert (code, err.count("error[not-enough]"), "(and so for 1 more step)" in err) == (4, 1, True)


def test_init_says_a_command_that_a_shell_can_read(runner: Run) -> None:
    assert "run it: cd 'two words' && runner run" in runner("init", "two words")[1]


def test_the_zsh_script_brings_completion_along(runner: Run) -> None:
    first, second, *_ = runner("completion", "zsh")[1].splitlines()
    assert first == "#compdef runner"
    assert "compinit" in second


@pytest.mark.parametrize("group", ["runs", "artifacts"])
def test_an_unknown_command_is_told_the_known_ones(runner: Run, group: str) -> None:
    assert "did you mean 'list'?" in runner(group, "lst")[2]
    assert "known: " in runner(group, "xyz")[2]


def test_runs_of_a_folder_that_is_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["runs", "list"]) == 0
    assert "is no project" in capsys.readouterr().out

"""The command as a process: what it imports, and the exit codes that it ends with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from runner import __version__
from runner.cli import main as cli_main
from runner.cli.group import VERBS, runner
from runner.cli.main import main
from runner.errors import (
    CannotPlan,
    EngineError,
    Interrupted,
    Position,
    Problem,
    RunFailed,
    RunnerError,
    StateError,
    UsageError,
)

HEAVY = ("pydantic", "rich", "ruamel.yaml", "jsonschema", "networkx", "sqlite3", "asyncio")


def imported(*arguments: str) -> set[str]:
    """The modules that are loaded once `runner ARGUMENTS` has ended."""
    code = (
        "import sys; from runner.cli.main import main; main(sys.argv[1:]); "
        "print('MODULES', *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    return set(done.stderr.rpartition("MODULES ")[2].split())


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> object:
    """Makes the verb `version` end with an error."""

    def fail_with(error: BaseException) -> None:
        @click.command()
        def version() -> None:
            raise error

        monkeypatch.setattr(type(runner), "get_command", lambda self, context, name: version)

    return fail_with


def test_version_imports_nothing() -> None:
    modules = imported("--version")
    assert not modules & {*HEAVY, "click", "typing", "runner.errors"}


def test_help_imports_no_verb_and_nothing_heavy() -> None:
    modules = imported("--help")
    assert "click" in modules and not modules & set(HEAVY)
    assert not {path.partition(":")[0] for path, _ in VERBS.values()} & modules


@pytest.mark.parametrize("flag", ["--version", "--help", "-h"])
def test_flags_end_with_0(flag: str) -> None:
    assert main([flag]) == 0


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])
    assert capsys.readouterr().out == f"runner {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["--nonsense"],
        ["version", "--nonsense"],
        ["version", "surplus"],
        ["version", "--format", "xml"],
        ["runs", "x"],
    ],
)
def test_a_misused_command_line_ends_with_64(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 64
    assert capsys.readouterr().out == ""


def test_an_unknown_command_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    main(["validat"])
    assert "no such command 'validat'; did you mean 'validate'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RunFailed("no"), 1),
        (CannotPlan([Problem(Position("p.yaml", 1, 1), "no-gpu", "no accelerator")]), 4),
        (EngineError("no"), 5),
        (StateError("no"), 5),
        (Interrupted("no"), 130),
        (KeyboardInterrupt(), 130),
        (OSError(28, "No space left on device", "/data/x"), 5),
        (ZeroDivisionError("oops"), 70),
        (FileNotFoundError(2, "No such file or directory", "x"), 70),
    ],
)
def test_errors_end_with_their_exit_code(error: BaseException, code: int, failing: object) -> None:
    failing(error)  # type: ignore[operator]
    assert main(["version"]) == code


def test_an_error_says_what_and_what_next(failing: object, capsys: pytest.CaptureFixture[str]) -> None:
    failing(RunnerError("the store is closed", "open it"))  # type: ignore[operator]
    main(["version"])
    assert capsys.readouterr().err == "error: the store is closed\n   help: open it\n"


def test_problems_are_printed_with_their_position(failing: object, capsys: pytest.CaptureFixture[str]) -> None:
    failing(CannotPlan([Problem(Position("p.yaml", 3, 5), "no-gpu", "no accelerator here")]))  # type: ignore[operator]
    main(["version"])
    assert "p.yaml:3:5: error[no-gpu]: no accelerator here" in capsys.readouterr().err


def test_a_bug_leaves_a_traceback_in_a_file(failing: object, capsys: pytest.CaptureFixture[str]) -> None:
    failing(ZeroDivisionError("oops"))  # type: ignore[operator]
    main(["version"])
    told = capsys.readouterr().err
    path = Path(told.partition("traceback is in ")[2].partition(":")[0])
    assert "please report" in told and "Traceback" not in told
    assert "ZeroDivisionError: oops" in path.read_text()
    path.unlink()


def test_a_full_disk_is_no_bug(failing: object, capsys: pytest.CaptureFixture[str]) -> None:
    failing(OSError(28, "No space left on device", "/data/x"))  # type: ignore[operator]
    main(["version"])
    assert capsys.readouterr().err.startswith("error: No space left on device: '/data/x'\n   help: make room")


def test_a_reader_that_has_gone_is_no_error() -> None:
    command = [sys.executable, "-m", "runner", "--help"]
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("flag", ["--version", "--help"])
def test_output_that_cannot_be_written_is_told(flag: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "runner", flag], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 5
    assert done.stderr.startswith("error: ") and "No space left on device" in done.stderr


def test_project_is_the_folder_to_work_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = Path.cwd()
    assert main(["-C", str(tmp_path), "init"]) == 0
    assert (tmp_path / "pipelines/hello.yaml").exists() and Path.cwd() == before


def test_project_must_exist() -> None:
    assert main(["-C", "/no/such/folder", "version"]) == 64


def test_exit_codes_are_those_of_the_errors() -> None:
    ours = (cli_main.REFUSED, cli_main.USAGE, cli_main.INTERRUPTED)
    assert ours == (EngineError.exit_code, UsageError.exit_code, Interrupted.exit_code)

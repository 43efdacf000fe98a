"""`runner runs`: what has been run, and what to do about it."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click

from runner.cli.building import Telling
from runner.cli.detach import output_of
from runner.cli.options import Commands, echo_json, examples, format_option, lazily, run_argument, store_option
from runner.cli.output import columns, write_lines
from runner.cli.show import request_cancel
from runner.cli.show import show as show_run
from runner.engine import history
from runner.engine.logs import logs as run_logs
from runner.engine.run import changed_since
from runner.engine.run import resume as resume_run
from runner.errors import RunnerError, UsageError
from runner.project import find_project, is_project
from runner.records import RUNNING, Run, StepRun, artifacts_to_json, failure_to_json
from runner.report.text import log_lines, name_width, run_details, runs_table
from runner.report.words import iso


@click.group(cls=Commands, epilog=examples("runner runs list", "runner runs show last", "runner runs logs -f last"))
def runs() -> None:
    """List, show, follow, cancel, resume, delete runs.

    RUN is a run's id, the beginning of one, or `last`. Runs of other machines are found in the artifact store of the
    active stack, or of the one that --stack names.
    """


@runs.command("list", epilog=examples("runner runs list", "runner runs list --pipeline train --limit 5 --format json"))
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many, the newest first.")
@click.option("--pipeline", metavar="NAME", help="Only runs of this pipeline.")
@store_option
@format_option("text", "json")
def list_(limit: int, pipeline: str | None, stack: str | None, format_: str) -> None:
    """List runs, the newest first."""
    project = find_project(Path.cwd())
    found = history.recent(project, limit, pipeline, stack, missed=_tell_missed)
    if format_ == "json":
        echo_json([_facts(run) for run in found])
    elif found:
        print(runs_table(found, width=columns(sys.stdout), stack=stack))
    elif stack is None and not is_project(project):
        here = f"'{project.root}' is no project: nothing has run here"
        print(f"{here} (start one with `runner init`, or say whose runs: --stack FILE)")
    else:
        print(f"no runs of a pipeline '{pipeline}'" if pipeline else runs_table(found))


@runs.command(epilog=examples("runner runs show", "runner runs show 20260101 --format json"))
@run_argument("last")
@store_option
@format_option("text", "json")
def show(run: str, stack: str | None, format_: str) -> None:
    """Show a run: parameters, steps, timings, metrics, errors."""
    project = find_project(Path.cwd())
    found = history.find_now(project, run, stack, missed=_tell_not_asked)
    if format_ == "json":
        echo_json(_facts(found) | {"steps": {name: _step_facts(step) for name, step in found.steps.items()}})
    else:
        print(run_details(found, width=columns(sys.stdout)))


@runs.command(epilog=examples("runner runs logs", "runner runs logs last --step fit", "runner runs logs -f last"))
@run_argument("last")
@click.option(
    "--step",
    metavar="STEP",
    help="Only this step's, without its name before each line.",
    shell_complete=lazily("steps_of_run"),
)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@store_option
def logs(run: str, step: str | None, follow: bool, stack: str | None) -> None:
    """Print what the steps of a run printed."""
    project = find_project(Path.cwd())
    found = history.find(project, run, stack)
    width = name_width(found.steps)
    printed = False
    for log in run_logs(project, found, step, follow, stack, missed=_tell_not_live):
        head = "" if step else f"{log.step:<{width}}  | "
        write_lines(sys.stdout, [f"{head}{line}" for line in log_lines(log.text)])
        printed = True
    if follow and found.status == RUNNING:
        print(f"run {found.run_id}: {history.find(project, found.run_id, stack).status}", file=sys.stderr)
    if not printed:
        where = f"step '{step}' of " if step else ""
        print(f"{where}run {found.run_id} printed nothing", file=sys.stderr)


@runs.command(epilog=examples("runner runs cancel last", "runner runs cancel 20260101-120000-1f2e --force"))
@run_argument(None)
@click.option("--force", is_flag=True, help="Count it as cancelled even if its engine cannot be told.")
@store_option
def cancel(run: str, force: bool, stack: str | None) -> None:
    """Stop a run, wherever it was started."""
    project = find_project(Path.cwd())
    run_id = history.find(project, run, stack).run_id
    print(f"run {run_id} is {history.cancel(project, run_id, stack, force=force)}")


@runs.command(epilog=examples("runner runs resume last", "runner runs resume 20260101-120000-1f2e --format json"))
@run_argument("last")
@store_option
@format_option("text", "json")
def resume(run: str, stack: str | None, format_: str) -> int:
    """Go on with a run: what succeeded is kept, the rest runs.

    The run's plan stays as it was, its document, its parameters and its engine; the code is taken as it is now, and
    here.
    """
    project = find_project(Path.cwd())
    run_id = history.find(project, run, stack).run_id
    if file := changed_since(project, run_id, stack):
        note = f"note: '{file}' has changed since; this run keeps its plan, and `runner run {file}` makes a new one"
        click.echo(note, err=True)
    return show_run(
        resume_run(project, run_id, stack, Telling()),
        format_,
        cancel=partial(request_cancel, project),  # by now the run is on record here
        recorded=lambda: history.find(project, run_id),
    )


@runs.command(epilog=examples("runner runs delete 20260101-120000-1f2e", "runner runs delete last --yes"))
@run_argument(None)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@store_option
def delete(run: str, yes: bool, stack: str | None) -> None:
    """Delete a run and its logs, not its artifacts.

    Other runs and the cache may share those.
    """
    project = find_project(Path.cwd())
    found = history.find(project, run, stack)
    if not yes:
        _ask(found)
    history.delete(project, found.run_id, stack)
    output_of(project, found.run_id).unlink(missing_ok=True)
    print(f"run {found.run_id} is deleted")


def _tell_missed(error: RunnerError) -> None:
    print(f"note: runs of other machines are not shown: {error.message}", file=sys.stderr)


def _tell_not_live(error: RunnerError) -> None:
    told = f"its engine cannot be followed from here: {error.message}"
    print(f"note: {told}; lines come from the artifact store, some seconds later", file=sys.stderr)


def _tell_not_asked(error: RunnerError) -> None:
    print(f"note: its engine cannot be asked from here: {error.message}", file=sys.stderr)


def _ask(run: Run) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            f"run {run.run_id} is not deleted without being asked", "say --yes when no one is there to ask"
        )
    click.confirm(f"delete run {run.run_id} ({run.pipeline}, {run.status})?", abort=True)


def _facts(run: Run) -> dict[str, Any]:
    facts = run._asdict() | {"started": iso(run.started), "ended": iso(run.ended)}
    return {name: fact for name, fact in facts.items() if name != "steps"}


def _step_facts(step: StepRun) -> dict[str, Any]:
    return step._asdict() | {
        "started": iso(step.started),
        "ended": iso(step.ended),
        "outputs": artifacts_to_json(step.outputs),
        "error": failure_to_json(step.error),
    }

"""`runner artifacts`: what steps produced."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from runner.artifact_store.export import file_name
from runner.artifact_store.materializers import peek
from runner.cli.options import Commands, echo_json, examples, format_option, lazily, run_argument, store_option
from runner.cli.output import columns, writing
from runner.engine import history
from runner.errors import UsageError, nearest
from runner.project import Project, find_project
from runner.records import Artifact, Run
from runner.report.text import artifacts_table, as_value
from runner.report.words import pairs, size

Row = tuple[str, str, Artifact]


@click.group(
    cls=Commands,
    epilog=examples(
        "runner artifacts list", "runner artifacts show last evaluate.metrics", "runner artifacts get last fit -o model"
    ),
)
def artifacts() -> None:
    """List, show, fetch what steps produced.

    RUN is a run's id, the beginning of one, or `last`; ARTIFACT is `step.output`, or `step` when it has one output.
    """


@artifacts.command("list", epilog=examples("runner artifacts list", "runner artifacts list 20260101 --format json"))
@run_argument("last")
@store_option
@format_option("text", "json")
def list_(run: str, stack: str | None, format_: str) -> None:
    """List the artifacts of a run."""
    project = find_project(Path.cwd())
    found = history.artifacts(project, history.find(project, run, stack))
    if format_ == "json":
        echo_json([_facts(row) for row in found])
    else:
        print(artifacts_table(found, columns(sys.stdout)))


@artifacts.command(
    epilog=examples("runner artifacts show last evaluate.metrics", "runner artifacts show last fit --format json")
)
@run_argument(None)
@click.argument("artifact", shell_complete=lazily("artifacts"))
@store_option
@format_option("text", "json")
def show(run: str, artifact: str, stack: str | None, format_: str) -> None:
    """Show an artifact's type, size and digest, and a little of what it holds."""
    project = find_project(Path.cwd())
    found = history.find(project, run, stack)
    row = _one(project, found, artifact)
    if format_ == "json":
        echo_json(_facts(row))
        return
    facts = {name: as_value(value) for name, value in _facts(row).items() if value}
    print(pairs(facts | {"size": size(row[2].size)}))
    print(f"\n{peek(row[2], history.ledger_of(project, found.run_id, stack).ledger.store)}")


@artifacts.command(
    epilog=examples("runner artifacts get last evaluate.metrics", "runner artifacts get last draw.plot -o plot.png")
)
@run_argument(None)
@click.argument("artifact", shell_complete=lazily("artifacts"))
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="PATH", help="Where to; by default a file named for it."
)
@store_option
def get(run: str, artifact: str, output: Path | None, stack: str | None) -> None:
    """Copy an artifact to a file or folder; prints where it is."""
    project = find_project(Path.cwd())
    found = history.find(project, run, stack)
    step, name, value = _one(project, found, artifact)
    path = output or Path(file_name(value, f"{step}.{name}"))
    with writing(path):
        print(history.fetch(project, found, value, path, stack))


def _one(project: Project, run: Run, wanted: str) -> Row:
    rows = history.artifacts(project, run)
    names = [f"{step}.{output}" for step, output, _ in rows]
    found = [row for row, name in zip(rows, names, strict=True) if wanted in (name, row[0])]
    if len(found) == 1:
        return found[0]
    if found:
        known = ", ".join(f"'{step}.{output}'" for step, output, _ in found)
        raise UsageError(f"step '{wanted}' has several outputs", f"say which one: {known}")
    close = nearest(wanted, names)
    help = f"did you mean '{close}'?" if close else f"known: {', '.join(names) or 'none'}"
    raise UsageError(f"run {run.run_id} has no artifact '{wanted}'", help)


def _facts(row: Row) -> dict[str, Any]:
    facts: dict[str, Any] = {"step": row[0], "output": row[1]}
    return facts | row[2]._asdict()

"""`runner validate`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from runner.cli.options import colored, examples, format_option, lazily
from runner.errors import InvalidDocuments
from runner.project import find_project, validate_paths
from runner.report.problems import as_github, as_json, as_text


@click.command(
    epilog=examples(
        "runner validate                              # every document of the project",
        "runner validate pipelines/train.yaml --imports",
        "runner validate --stack stacks/vertex.yaml   # can every pipeline run there?",
        "runner validate --format github              # annotations in a workflow",
    )
)
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("--imports", is_flag=True, help="Also import the entrypoints and check names and types.")
@click.option(
    "-s",
    "--stack",
    metavar="NAME",
    help="Pipelines run on this stack, a name or a file; without, each on the stack that it names.",
    shell_complete=lazily("stacks"),
)
@format_option("text", "json", "github")
def validate(paths: tuple[Path, ...], imports: bool, stack: str | None, format_: str) -> int:
    """Show every problem of every document, each at its line and column.

    PATH is a document or a folder of documents; without any, the whole project is validated.
    What the stack of a pipeline cannot honour is a problem too.
    """
    problems, sources, documents = validate_paths(find_project(Path.cwd()), paths, imports=imports, stack=stack)
    if format_ == "json":
        print(as_json(problems))
    elif format_ == "github":
        print(as_github(problems), end="\n" if problems else "")
    else:
        if problems:
            print(as_text(problems, sources, color=colored(sys.stdout)), end="\n\n")
        print(_closing(len(problems), documents, len(sources)))
    return InvalidDocuments.exit_code if problems else 0


def _closing(problems: int, documents: int, files: int) -> str:
    found = _count(problems, "problem") if problems else "no problems"
    return f"{_count(documents, 'document')} in {_count(files, 'file')}: {found}"


def _count(number: int, word: str) -> str:
    # Not report.words: this command's start-up time counts.
    return f"{number:,} {word}{'' if number == 1 else 's'}"

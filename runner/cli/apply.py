"""`runner apply`."""

from __future__ import annotations

from pathlib import Path

import click

from runner.cli.options import echo_json, examples, format_option
from runner.engine.apply import apply as apply_documents
from runner.plan.changes import changes_to_json
from runner.project.folder import find_project
from runner.report.changes import changes_text

CHANGES = 2


@click.command(
    epilog=examples(
        "runner apply stacks/prod.yaml",
        "runner apply stacks --dry-run       # ends with 2 when there is a difference",
        "runner apply stacks --prune         # and delete what is no longer declared there",
        "runner apply stacks --no-engine     # where no cluster can be reached, as in CI",
    )
)
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Write nothing; end with 2 when there is a difference.")
@click.option("--prune", is_flag=True, help="Delete what was applied from these files and is no longer in them.")
@click.option("--no-engine", is_flag=True, help="Register only: no cluster is asked, and nothing is made in one.")
@format_option("text", "json")
def apply(paths: tuple[Path, ...], dry_run: bool, prune: bool, no_engine: bool, format_: str) -> int:
    """Register stacks, components and resources, and show what differs from what was applied last.

    PATH is a document or a folder of documents; without any, it is the project's `stacks`. Applying twice changes
    nothing. `runner stack show NAME --revision N` shows what was applied before.

    What runs need in a stack's engine is made, too: in a cluster the service account of controllers and its rights,
    in a namespace that is there. With --dry-run the cluster says what would be. Nothing is ever deleted there.
    """
    done = apply_documents(find_project(Path.cwd()), paths, dry_run=dry_run, prune=prune, engines=not no_engine)
    if format_ == "json":
        echo_json(changes_to_json([*done.changes, *done.provided]))
    else:
        print(changes_text(done.changes, dry_run=dry_run))
        if done.provided:
            print(f"\n{changes_text(done.provided, dry_run=dry_run, noun='object')}")
        if done.passed_over:
            print(f"not registered, since they run from their files: pipelines {', '.join(done.passed_over)}")
    return CHANGES if dry_run and done.differs else 0

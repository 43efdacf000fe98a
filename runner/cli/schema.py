"""`runner schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from runner.cli.options import examples
from runner.cli.output import writing
from runner.errors import UsageError, nearest
from runner.orchestrators import registry
from runner.project import all_settings
from runner.validate.schema import as_text, schemas
from runner.validate.schema import write as write_schemas


@click.command(epilog=examples("runner schema pipeline", "runner schema --write schema"))
@click.argument("kind", required=False)
@click.option(
    "--write", type=click.Path(file_okay=False, path_type=Path), metavar="DIR", help="Write DIR/<kind>.schema.json."
)
def schema(kind: str | None, write: Path | None) -> None:
    """Print JSON Schema (draft 2020-12) of KIND, or of every kind.

    An editor completes and checks a document whose first line is

    \b
      # yaml-language-server: $schema=../schema/pipeline.schema.json
    """
    known = _schemas()
    if kind is not None and kind not in known:
        close = nearest(kind, known)
        raise UsageError(
            f"unknown kind '{kind}'", f"did you mean '{close}'?" if close else f"known: {', '.join(known)}"
        )
    wanted = known if kind is None else {kind: known[kind]}
    if write is not None:
        with writing(write):
            print("\n".join(str(path) for path in write_schemas(wanted, write)))
    else:
        print(as_text(wanted if kind is None else wanted[kind]), end="")


def _schemas() -> dict[str, dict[str, Any]]:
    flavors = {name: registry.flavor(name) for name in registry.names()}
    return schemas(all_settings(), {name: flavor.StepSettings for name, flavor in flavors.items()})

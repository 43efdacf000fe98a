"""`runner compile`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from runner.cli.options import examples, pipeline_argument, request_options
from runner.cli.output import tell_notes, writing
from runner.cli.parameters import request
from runner.engine.prepare import compiled, prepare
from runner.project import find_pipeline, find_project

RUN_ID = "${run.id}"  # each run fills in its own
_YAML, _SEPARATOR = (".yaml", ".yml"), "---\n"  # several documents in one text are told apart by it


@click.command(
    epilog=examples("runner compile pipelines/train.yaml", "runner compile pipelines/train.yaml --stack local -o build")
)
@pipeline_argument
@request_options
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write each document to DIR instead.",
)
def compile(pipeline: Path, output: Path | None, **options: Any) -> None:
    """Print the engine's own documents, as they would be sent. Nothing is started."""
    project = find_project(Path.cwd())
    prepared = prepare(project, request(find_pipeline(project, pipeline), **options), to_run=True, ask=False)
    tell_notes(prepared.notes)
    for name, document in compiled(prepared, RUN_ID).documents.items():
        text = as_text(name, document)
        if output is None:
            print(f"{_SEPARATOR if name.endswith(_YAML) else ''}# {name}\n{text}", end="")
            continue
        path = output / name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        print(path)


def as_text(name: str, document: Any) -> str:
    """A document as the text of its file: YAML where the file's name says so, else JSON; text stays as it is. Several
    documents in one file of YAML are a tuple."""
    if isinstance(document, tuple):
        return _SEPARATOR.join(as_text(name, each) for each in document)
    if name.endswith(_YAML) and not isinstance(document, str):
        from runner.document.write import to_manifest  # slow to import, and few flavors write YAML

        return to_manifest(document)
    return document if isinstance(document, str) else json.dumps(document, indent=2, ensure_ascii=False) + "\n"

"""`runner plan`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from runner.cli.options import examples, format_option, pipeline_argument, request_options
from runner.cli.output import columns, tell_notes
from runner.cli.parameters import request
from runner.engine.prepare import Request, images_for, prepare
from runner.errors import UsageError
from runner.project import Project, find_pipeline, find_project, load_pipeline
from runner.project.honour import on_all_flavors
from runner.report.graph import plan_dot, plan_json, plan_mermaid, plan_text
from runner.report.portability import portability_json, portability_text

CHANGES = 2  # `--exit-code`: something would run
FORMATS: Mapping[str, Callable[..., str]] = {
    "text": plan_text,
    "json": plan_json,
    "mermaid": plan_mermaid,
    "dot": plan_dot,
}


@click.command(
    epilog=examples(
        "runner plan pipelines/train.yaml",
        "runner plan pipelines/train.yaml -p test_size=0.5 --format json",
        "runner plan pipelines/train.yaml --format mermaid > train.mmd",
        "runner plan pipelines/train.yaml --format dot | dot -Tsvg > train.svg",
        "runner plan pipelines/train.yaml --all-flavors   # where else could it run?",
        "runner plan pipelines/train.yaml --exit-code || echo something would run",
    )
)
@pipeline_argument
@request_options
@click.option("--exit-code", is_flag=True, help="End with 2 when something would run.")
@click.option("--all-flavors", is_flag=True, help="Show instead what of it each flavor can honour, and what not.")
@format_option(*FORMATS)
def plan(pipeline: Path, exit_code: bool, all_flavors: bool, format_: str, **options: Any) -> int:
    """Show what a run of PIPELINE would do: steps, order, resources, what is cached, and why not."""
    project = find_project(Path.cwd())
    if all_flavors:
        print(_all_flavors(project, request(find_pipeline(project, pipeline), **options), format_))
        return 0
    prepared = prepare(project, request(find_pipeline(project, pipeline), **options))
    tell_notes(prepared.notes)
    planned, origins = prepared.plan, prepared.origins()
    images = images_for(prepared) if format_ in ("text", "json") else None
    if format_ == "text":
        text = plan_text(planned, columns(sys.stdout), origins, images)
    else:
        text = plan_json(planned, origins, images) if format_ == "json" else FORMATS[format_](planned, origins)
    print(text, end="")
    return CHANGES if exit_code and planned.would_run else 0


def _all_flavors(project: Project, wanted: Request, format_: str) -> str:
    if format_ not in ("text", "json"):
        raise UsageError(f"--all-flavors is no graph: it cannot be printed as {format_}", "take text or json")
    loaded = load_pipeline(project, wanted.pipeline, wanted.parameters, os.environ)
    found, problems = on_all_flavors(project, loaded)
    facts = (loaded.spec.name, found.flavors, found.rows, found.steps, problems)
    return portability_text(*facts) if format_ == "text" else portability_json(*facts)

"""`runner plan`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from runner.cli.options import examples, format_option, pipeline_argument, request_options
from runner.cli.output import columns
from runner.cli.parameters import request
from runner.engine.run import prepare
from runner.project import find_pipeline, find_project
from runner.report.graph import plan_dot, plan_json, plan_mermaid, plan_text

CHANGES = 2  # `--exit-code`: something would run
FORMATS = {"text": plan_text, "json": plan_json, "mermaid": plan_mermaid, "dot": plan_dot}


@click.command(
    epilog=examples(
        "runner plan pipelines/train.yaml",
        "runner plan pipelines/train.yaml -p test_size=0.5 --format json",
        "runner plan pipelines/train.yaml --format mermaid > train.mmd",
        "runner plan pipelines/train.yaml --format dot | dot -Tsvg > train.svg",
        "runner plan pipelines/train.yaml --exit-code || echo something would run",
    )
)
@pipeline_argument
@request_options
@click.option("--exit-code", is_flag=True, help="End with 2 when something would run.")
@format_option(*FORMATS)
def plan(pipeline: Path, exit_code: bool, format_: str, **options: Any) -> int:
    """Show what a run of PIPELINE would do: steps, order, resources, what is cached, and why not."""
    project = find_project(Path.cwd())
    planned = prepare(project, request(find_pipeline(project, pipeline), **options)).plan
    print(plan_text(planned, columns(sys.stdout)) if format_ == "text" else FORMATS[format_](planned), end="")
    return CHANGES if exit_code and planned.would_run else 0

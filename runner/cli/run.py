"""`runner run`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from runner.cli.building import Telling
from runner.cli.detach import detach as start_detached
from runner.cli.options import examples, format_option, pipeline_argument, request_options
from runner.cli.output import tell_notes
from runner.cli.parameters import as_arguments, request
from runner.cli.show import request_cancel, show
from runner.engine.prepare import is_carried_elsewhere, prepare, with_images
from runner.engine.run import start
from runner.project import find_pipeline, find_project


@click.command(
    epilog=examples(
        "runner run pipelines/train.yaml",
        "runner run pipelines/train.yaml -p test_size=0.5 --stack local",
        "runner run pipelines/train.yaml --only evaluate --no-cache",
        "runner run pipelines/train.yaml --format json | jq .event",
        "runner run pipelines/train.yaml --detach",
    )
)
@pipeline_argument
@request_options
@click.option("--detach", is_flag=True, help="Return when the run is going; print its id.")
@click.option("--run-id", hidden=True, help="The id of the run that a detached process carries.")
@format_option("text", "json")
def run(pipeline: Path, detach: bool, run_id: str | None, format_: str, **options: Any) -> int:
    """Run PIPELINE and show how it goes.

    Ends with 0 when the run succeeded, 1 when it failed, 130 when it was cancelled.
    """
    project = find_project(Path.cwd())
    pipeline = find_pipeline(project, pipeline)
    asked = request(pipeline, **options)
    if detach and not is_carried_elsewhere(project, asked):
        return start_detached(project, [str(pipeline), *as_arguments(**options)], format_)
    prepared = prepare(project, asked, to_run=True)
    tell_notes(prepared.notes)
    prepared = with_images(prepared, Telling())
    waves = {step.step.name: step.wave for step in prepared.plan.steps}
    happens = start(prepared, run_id, follow=not detach)
    return show(happens, format_, cancel=partial(request_cancel, project), waves=waves)
